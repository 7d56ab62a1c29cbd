"""How a lane writes, with a producer that is drawn; tests/kafka holds it against a real broker."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import InvalidTxnState, ProducerClosed, TopicAuthorizationFailedError

from schemas.errors import BrokerRefused, BrokerUnavailable
from streams.worker import writer as writer_module
from streams.worker.writer import Batch, Writer

OUTPUTS = [Batch("events", 0, [(b"p1", b"1", [])]), Batch("fuses", 0, [(b"p1", b"2", [])])]
STATE = Batch("state", 0, [(b"p1", b"3", [])])


class Builder:
    """A batch with room for everything."""

    def append(self, **_: Any) -> object:
        return self


class Producer:
    """Takes a batch when ``room`` is set, and none after its end."""

    def __init__(self, **_: Any) -> None:
        self.client = self
        self.room = asyncio.Event()
        self.asked = asyncio.Event()
        self.stopped = False
        self.done: list[str] = []
        self.errors: dict[str, Exception] = {}

    async def start(self) -> None: ...

    async def set_topics(self, topics: Sequence[str]) -> None: ...

    async def begin_transaction(self) -> None:
        self.done.append("begin")

    async def commit_transaction(self) -> None:
        self.done.append("commit")

    def create_batch(self) -> Builder:
        return Builder()

    async def send_batch(self, _: Builder, topic: str, *, partition: int) -> "asyncio.Future[None]":
        del partition
        self.asked.set()
        await self.room.wait()
        if self.stopped:
            raise ProducerClosed
        self.done.append(topic)
        outcome = asyncio.get_running_loop().create_future()
        if topic in self.errors:
            outcome.set_exception(self.errors[topic])
        else:
            outcome.set_result(None)
        return outcome

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[Producer]:
    """Return all that are made."""
    made: list[Producer] = []

    def make(**settings: Any) -> Producer:
        made.append(Producer(**settings))
        return made[-1]

    monkeypatch.setattr(writer_module, "AIOKafkaProducer", make)
    return made


async def started(transactional_id: str | None) -> Writer:
    writer = Writer({}, client_id="lane-0", transactional_id=transactional_id, transaction_timeout_ms=60_000)
    await writer.start(["events", "fuses", "state"])
    return writer


async def test_all_is_one_transaction(producers: list[Producer]) -> None:
    writer = await started("lane-0")
    producers[0].room.set()
    await writer.write(OUTPUTS, STATE)
    assert producers[0].done == ["begin", "events", "fuses", "state", "commit"]


async def test_of_several_failures_the_one_that_says_which_right_is_missing_is_told(producers: list[Producer]) -> None:
    writer = await started("lane-0")
    producers[0].room.set()
    producers[0].errors = {"events": InvalidTxnState(), "state": TopicAuthorizationFailedError("state")}
    with pytest.raises(BrokerRefused, match="state"):
        await writer.write(OUTPUTS, STATE)
    assert "commit" not in producers[0].done


@pytest.mark.parametrize("transactional_id", ["lane-0", None])
async def test_what_is_stopped_while_it_writes_tells_that_the_outcome_is_unknown(
    producers: list[Producer], transactional_id: str | None
) -> None:
    writer = await started(transactional_id)
    writing = asyncio.create_task(writer.write(OUTPUTS, STATE))
    await producers[0].asked.wait()
    await writer.stop()
    producers[0].room.set()
    with pytest.raises(BrokerUnavailable, match="lane-0 was not written"):
        await writing
    assert "commit" not in producers[0].done


async def test_the_rest_of_a_write_that_is_stopped_between_two_batches_is_refused_by_the_producer(
    producers: list[Producer],
) -> None:
    writer = await started("lane-0")
    producer = producers[0]

    async def taken(_: Builder, topic: str, *, partition: int) -> "asyncio.Future[None]":
        if producer.stopped:
            raise ProducerClosed
        await writer.stop()
        producer.done.append(f"{topic}/{partition}")
        return asyncio.get_running_loop().create_future()

    producer.send_batch = taken  # type: ignore[method-assign]
    with pytest.raises(BrokerUnavailable):
        await writer.write(OUTPUTS, STATE)
    assert producer.done == ["begin", "events/0"]
