import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from schemas.errors import SendFailed
from schemas.parse import Refusal
from schemas.topics import TopicNames
from streams.intake.counts import IntakeCounts
from streams.intake.dead_letters import MOST_QUEUED, Batch, DeadLetters
from streams.intake.record import Header

ORDERS = TopicPartition("live.orders", 3)
PATIENCE_S = 30.0
BAD = Refusal("invalid", "lines[0].quantity: should be greater than or equal to 1")


@dataclass
class Record:
    """A record as aiokafka reads it."""

    offset: int
    key: bytes | None = None
    value: bytes | None = b"{}"
    timestamp: int = -1
    headers: Sequence[Header] = ()


@dataclass
class FakeBatch:
    """Takes `room` records."""

    room: int = 3
    records: list[tuple[bytes | None, bytes | None, dict[str, bytes]]] = field(default_factory=list)

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Sequence[Header]
    ) -> object | None:
        assert timestamp is None
        if len(self.records) == self.room:
            return None
        self.records.append((key, value, dict(headers)))
        return self


@asynccontextmanager
async def writing(
    send: Callable[[str, Batch], Awaitable[None]], counts: IntakeCounts | None = None
) -> AsyncIterator[DeadLetters]:
    """Run a writer of dead letters, and let it finish."""
    letters = DeadLetters(TopicNames(), FakeBatch, send, counts or IntakeCounts())
    task = asyncio.create_task(letters.run())
    yield letters
    await turns()
    task.cancel()


async def turns() -> None:
    """Let everything that can go on do so: nothing here waits for time."""
    for _ in range(200):
        await asyncio.sleep(0)


class Broker:
    """Keeps what is sent; refuses keys, values and headers of more than `limit` bytes."""

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.sent: list[tuple[str, FakeBatch]] = []

    async def send(self, topic: str, batch: Batch) -> None:
        assert isinstance(batch, FakeBatch)
        parts = (part for key, value, headers in batch.records for part in (key, value, headers.get("trace")))
        if any(len(part or b"") > self.limit for part in parts):
            raise MessageSizeTooLargeError
        self.sent.append((topic, batch))


async def test_a_letter_bears_its_bytes_its_headers_and_the_facts() -> None:
    broker, counts = Broker(), IntakeCounts()
    async with writing(broker.send, counts) as letters:
        letters.put(ORDERS, Record(41, b"\xff", b"\xfe{", headers=[("trace", b"1")]), BAD)
    ((topic, batch),) = broker.sent
    assert topic == "dlq.live.orders"
    ((key, value, headers),) = batch.records
    assert (key, value) == (b"\xff", b"\xfe{")
    assert headers == {
        "trace": b"1",
        "__streams.errors.topic": b"live.orders",
        "__streams.errors.partition": b"3",
        "__streams.errors.offset": b"41",
        "__streams.errors.message": BAD.message.encode(),
        "livefuse.reason": b"invalid",
    }
    assert counts.dead_letters == {("live.orders", "invalid"): 1}
    assert letters.queued == letters.acknowledged == 1


async def test_letters_are_sent_in_batches_of_one_topic() -> None:
    broker = Broker()
    async with writing(broker.send) as letters:
        for offset in range(4):
            letters.put(ORDERS, Record(offset), BAD)
        letters.put(TopicPartition("live.returns", 0), Record(0), BAD)
    assert [(topic, len(batch.records)) for topic, batch in broker.sent] == [
        ("dlq.live.orders", 3),
        ("dlq.live.orders", 1),
        ("dlq.live.returns", 1),
    ]


async def test_a_record_that_the_topic_does_not_take_leaves_its_headers_there(caplog: pytest.LogCaptureFixture) -> None:
    broker = Broker(limit=10)
    async with writing(broker.send) as letters:
        for offset, value in enumerate((b"a", b"b" * 11, b"c")):
            letters.put(ORDERS, Record(offset, value=value), BAD)
    records = [record for _, batch in broker.sent for record in batch.records]
    assert [value for _, value, _ in records] == [b"a", None, b"c"]
    assert records[1][2]["livefuse.value_left_out"] == b"11"
    assert letters.acknowledged == 3
    assert "live.orders[3]@1" in caplog.text
    assert "bbb" not in caplog.text


@pytest.mark.parametrize("large", [{"key": b"k" * 11}, {"headers": [("trace", b"t" * 11)]}])
async def test_a_record_whose_key_or_headers_are_too_large_leaves_where_it_lies(large: dict[str, Any]) -> None:
    broker = Broker(limit=10)
    async with writing(broker.send) as letters:
        letters.put(ORDERS, Record(7, **large), BAD)
    ((_, batch),) = broker.sent
    ((key, value, headers),) = batch.records
    assert (key, value) == (None, None)
    assert (headers["__streams.errors.offset"], headers["livefuse.reason"]) == (b"7", b"invalid")
    assert headers["livefuse.value_left_out"] == b"2"
    assert letters.acknowledged == 1


async def test_a_failed_send_ends_it_and_acknowledges_nothing() -> None:
    async def refuse(topic: str, batch: Batch) -> None:
        del batch
        raise SendFailed(topic)

    letters = DeadLetters(TopicNames(), FakeBatch, refuse, IntakeCounts())
    letters.put(ORDERS, Record(1), BAD)
    with pytest.raises(SendFailed):
        await letters.run()
    assert letters.acknowledged == 0


async def test_too_many_make_the_reader_wait() -> None:
    gate = asyncio.Event()

    async def send(topic: str, batch: Batch) -> None:
        del topic, batch
        await gate.wait()

    async with writing(send) as letters:
        for offset in range(MOST_QUEUED):
            letters.put(ORDERS, Record(offset), BAD)
        waiting = asyncio.create_task(letters.room())
        await turns()
        assert not waiting.done()
        gate.set()
        await asyncio.wait_for(waiting, PATIENCE_S)
