"""Workers under test: their topics, frames for them, worker processes, and what they have written.

Every third signal or so is an operator's command that makes a fuse event, so that a signal which is lost, applied twice
or applied out of place shows in the sequence or in the bytes of some event.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.tether import tethered
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames, partition_of, topics
from streams.config import KafkaConfig, WorkerConfig
from streams.engine.events import FUSE_EVENTS
from streams.engine.partition import Partition
from streams.engine.signals import COMMAND, LINES_PER_OFFSET, ORDER, Signal
from streams.frames import Frame, decode, encode
from streams.worker import process
from tests.kafka.reading import partitions_of, records_of

NOON = 1_762_862_400_000
SOURCE = "live.orders/0"
PRODUCTS = 40


def config_of(bootstrap: str, prefix: str, **changes: Any) -> WorkerConfig:
    """Return settings whose topics, group and transactions are the test's own."""
    settings: dict[str, Any] = {
        "kafka": KafkaConfig({"bootstrap_servers": bootstrap}),
        "topics": TopicNames(prefix=f"{prefix}."),
        "partitions": 1,
        "application": prefix,
        "session_timeout_ms": 3_000,
    }
    return WorkerConfig(**(settings | changes))


async def create_topics(config: WorkerConfig) -> None:
    """Create all topics that a worker needs."""
    names = config.topics
    ours = {names.signals, names.state, names.fuse_events, names.fuse_state, names.replenishment, names.watchlist}
    admin = AIOKafkaAdminClient(**config.kafka.client)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(each.name, each.partitions or 1, 1, topic_configs=each.broker_configs())
                for each in topics(names, config.partitions)
                if each.name in ours
            ]
        )
    finally:
        await admin.close()


def order(position: int, time_ms: int, product_id: str) -> Signal:
    return [
        ORDER,
        0,
        position * LINES_PER_OFFSET + 1,
        time_ms,
        product_id,
        1,
        f"o{position}",
        None,
        1,
        None,
        "room",
        None,
    ]


def pause(position: int, time_ms: int, product_id: str) -> Signal:
    command = {
        "command_id": f"c{position}",
        "action": "pause",
        "actor": "rig",
        "reason": None,
        "issued_at": time_ms,
        "rule": None,
        "sku_id": None,
        "expires_at": None,
        "expected_sequence": None,
    }
    return [COMMAND, 0, position * LINES_PER_OFFSET, time_ms, product_id, command]


def signals(count: int, start: int = 0) -> list[Signal]:
    """Return signals one millisecond apart: orders, and at every third place a command."""
    return [
        (pause if position % 3 == 0 else order)(position, NOON + position, f"p{position * 7 % PRODUCTS}")
        for position in range(start, start + count)
    ]


def frame(batch: Sequence[Signal], *, passed: int | None = None, live: bool = False) -> Frame:
    """Return a frame of a sole intake."""
    return Frame(
        "rig", [SOURCE], [], passed if passed is not None else (batch[-1][3] - 1 if batch else 0), live, list(batch)
    )


def split(batch: Iterable[Signal], partitions: int) -> dict[int, list[Signal]]:
    """Return the signals by the partition of their product."""
    found: dict[int, list[Signal]] = {number: [] for number in range(partitions)}
    for each in batch:
        found[partition_of(each[4], partitions)].append(each)
    return found


class Intake:
    """Writes frames as an intake does: in order, each acknowledged before the next one of its partition."""

    def __init__(self, config: WorkerConfig) -> None:
        self.config = config
        self.producer = AIOKafkaProducer(**config.kafka.client)

    async def __aenter__(self) -> Self:
        await self.producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.producer.stop()

    async def write(self, number: int, written: Frame) -> int:
        """Write one frame; return its offset."""
        done = await self.producer.send_and_wait(self.config.topics.signals, encode(written), partition=number)
        return int(done.offset)

    async def write_all(self, batch: Sequence[Signal], per_frame: int = 5, pause_s: float = 0.0) -> None:
        """Write signals to the partitions of their products, cut into frames."""
        for begin in range(0, len(batch), per_frame):
            for number, part in split(batch[begin : begin + per_frame], self.config.partitions).items():
                if part:
                    await self.write(number, frame(part))
            await asyncio.sleep(pause_s)


@asynccontextmanager
async def writing(intake: Intake, pause_s: float, per_frame: int = 10) -> AsyncIterator[None]:
    """Write signals, on and on, while the block does what must happen in the middle of a stream."""
    over = asyncio.Event()

    async def write() -> None:
        position = 0
        while not over.is_set():
            await intake.write_all(signals(per_frame, position), per_frame, pause_s)
            position += per_frame

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        over.set()
        await task


async def read(config: WorkerConfig, topic: str, *, isolation: str = "read_committed") -> dict[int, list[Any]]:
    """Return all records that a topic has now, by partition; those of open transactions once these are over."""
    bootstrap = config.kafka.client["bootstrap_servers"]
    found: dict[int, list[Any]] = {each.partition: [] for each in await partitions_of(bootstrap, topic)}
    for record in await records_of(bootstrap, topic, isolation):
        found[record.partition].append(record)
    return found


async def read_events(config: WorkerConfig) -> dict[int, list[bytes]]:
    """Return the fuse events that a ``read_committed`` reader has seen, by partition, repeats and all."""
    found = await read(config, config.topics.fuse_events)
    return {number: [each.value for each in records] for number, records in found.items()}


async def expected_events(config: WorkerConfig) -> dict[int, list[bytes]]:
    """Return the events that follow from a signals log of one intake, computed here from beginning to end."""
    found = {}
    for number, records in (await read(config, config.topics.signals)).items():
        partition = Partition(number, DEFAULT_RULES)
        outputs = []
        for record in records:
            each = decode(record.value)
            outputs += partition.apply(each.sources, each.signals)
            outputs += partition.tick(each.passed)
        found[number] = [output.value for output in outputs if output.topic == FUSE_EVENTS]
    return found


async def wait_for_events(
    config: WorkerConfig, expected: dict[int, list[bytes]], patience_s: float = 90.0
) -> dict[int, list[bytes]]:
    """Return the events as soon as there are as many as expected, or what there is when patience ends."""
    deadline = time.monotonic() + patience_s
    while True:
        found = await read_events(config)
        if all(len(found[number]) >= len(events) for number, events in expected.items()) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


async def more_events(config: WorkerConfig, count: int = 20, patience_s: float = 90.0) -> None:
    """Return when there are so many more events than there are now: somebody is at work."""
    deadline = time.monotonic() + patience_s
    before = await _events_told(config)
    while await _events_told(config) < before + count:
        if time.monotonic() > deadline:
            raise AssertionError(f"there are not {count} more events than {before} after {patience_s} s")
        await asyncio.sleep(0.1)


async def _events_told(config: WorkerConfig) -> int:
    return sum(map(len, (await read_events(config)).values()))


@dataclass
class WorkerProcess:
    """A worker in a process of its own. Its log goes to a file."""

    config: WorkerConfig
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        settings = {
            "bootstrap": self.config.kafka.client["bootstrap_servers"],
            "prefix": self.config.application,
            "partitions": self.config.partitions,
            "session_timeout_ms": self.config.session_timeout_ms,
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                tethered([sys.executable, "-m", "tests.kafka.worker_rig", json.dumps(settings)]),
                stdout=output,
                stderr=output,
                cwd=Path(__file__).resolve().parents[2],
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self, patience_s: float = 30.0) -> int:
        """End it in order; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(patience_s)
        finally:
            self.process.kill()

    def lines(self, event: str) -> Iterator[str]:
        """Yield the lines of its log that tell of an event."""
        return (line for line in self.log.read_text().splitlines() if f" {event} " in f"{line} ")

    async def until(self, event: str, count: int = 1, patience_s: float = 90.0) -> None:
        """Return when its log has told of an event so many times."""
        deadline = time.monotonic() + patience_s
        while sum(1 for _ in self.lines(event)) < count:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"no {event} in time; the log:\n{self.log.read_text()}")
            await asyncio.sleep(0.05)


def main() -> int:
    """Run a worker with the settings of the argument."""
    import logging  # noqa: PLC0415 (of this process only)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = json.loads(sys.argv[1])
    return process.run(config_of(settings.pop("bootstrap"), settings.pop("prefix"), **settings))


if __name__ == "__main__":
    sys.exit(main())
