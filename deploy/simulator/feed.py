"""Feed: sends captured or simulated records to Kafka, as fast as possible, at a rate, or when they happened.

Records keep their timestamps and keys. A record goes to its partition modulo the number that the topic really has, so
what was in order in one partition stays in order. aiokafka has at most one batch of a partition under way.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from aiokafka import AIOKafkaProducer

from deploy.simulator.capture import CaptureRecord

Rate = Literal["live"] | float | None
"""When records go out: at their `ts`, counted from the first; this many a second; None: as fast as Kafka takes them."""

# Every so many records others may run, and progress may be reported.
_TURN: Final = 200
_REPORT_S: Final = 0.5


async def feed(
    records: Iterable[CaptureRecord],
    client_kwargs: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    rate: Rate = None,
    speed: float = 1.0,
    idempotent: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Send the records in their order, wait until Kafka has acknowledged all of them, and return how many there were.

    `client_kwargs` are those of AIOKafkaProducer (bootstrap servers, security). `names` maps the contract's topic names
    to the real ones; what is not in it keeps its name. `speed` makes a live sale faster. `progress` is called with the
    number of records sent, twice a second and at the end.

    Raises what aiokafka raises for the first record that is not taken for good; on cancellation what was handed over is
    still flushed.
    """
    producer = AIOKafkaProducer(
        enable_idempotence=idempotent, acks="all", linger_ms=5 if rate is None else 0, **client_kwargs
    )
    await producer.start()
    sender = _Sender(producer, names or {}, progress)
    try:
        clock = _Clock(rate, speed)
        for record in records:
            await clock.wait_for(record)
            await sender.send(record)
        await producer.flush()
    finally:
        await producer.stop()
    sender.finish()
    return sender.count


class _Clock:
    """Says when a record is due. The time that counts is the machine's monotonic clock, from the first record on."""

    def __init__(self, rate: Rate, speed: float) -> None:
        self._rate = rate
        self._speed = speed
        self._began = time.monotonic()
        self._first_ts: int | None = None
        self._count = 0

    async def wait_for(self, record: CaptureRecord) -> None:
        """Return when the record is due; a record that is overdue goes at once, but lets others run now and then."""
        if self._first_ts is None:
            self._began, self._first_ts = time.monotonic(), record.ts
        if self._rate == "live":
            due_s = (record.ts - self._first_ts) / 1000 / self._speed
        else:
            due_s = self._count / self._rate if self._rate else 0.0
        self._count += 1
        wait_s = self._began + due_s - time.monotonic() if due_s else 0.0
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        elif self._count % _TURN == 0:
            await asyncio.sleep(0)


class _Sender:
    """Hands records to a producer and keeps count of them."""

    def __init__(
        self, producer: AIOKafkaProducer, names: Mapping[str, str], progress: Callable[[int], None] | None
    ) -> None:
        self.count = 0
        self._producer = producer
        self._names = names
        self._progress = progress
        self._reported = time.monotonic()
        self._partitions: dict[str, int] = {}
        self._failure: BaseException | None = None

    async def send(self, record: CaptureRecord) -> None:
        """Put the record into its batch; wait while that is full."""
        topic = self._names.get(record.topic, record.topic)
        partitions = self._partitions.get(topic) or await self._count_partitions(topic)
        acknowledged = await self._producer.send(
            topic, record.value, record.key, record.partition % partitions, timestamp_ms=record.ts
        )
        acknowledged.add_done_callback(self._check)
        self.count += 1
        if self._failure is not None:
            raise self._failure
        if self._progress and self.count % _TURN == 0 and time.monotonic() - self._reported >= _REPORT_S:
            self._reported = time.monotonic()
            self._progress(self.count)

    def finish(self) -> None:
        """Report the last count; raise what went wrong with a record, if anything did."""
        if self._failure is not None:
            raise self._failure
        if self._progress:
            self._progress(self.count)

    async def _count_partitions(self, topic: str) -> int:
        self._partitions[topic] = len(await self._producer.partitions_for(topic))
        return self._partitions[topic]

    def _check(self, acknowledged: "asyncio.Future[Any]") -> None:
        if not acknowledged.cancelled():
            failure = acknowledged.exception()
            self._failure = self._failure or failure
