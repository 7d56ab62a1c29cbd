"""A lane on a real Kafka: it fences, it recovers, and it finds out what a commit of unknown outcome has done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from schemas.errors import BrokerUnavailable, FencedError
from streams.config import WorkerConfig
from streams.engine.signals import Signal
from streams.frames import encode
from streams.worker import writer as writer_module
from streams.worker.counts import WorkerCounts
from streams.worker.inbox import Delivery
from streams.worker.lane import Lane
from streams.worker.opening import Opening
from streams.worker.writer import send
from tests.kafka.broker import KafkaBroker
from tests.kafka.worker_rig import (
    Intake,
    config_of,
    create_topics,
    expected_events,
    frame,
    read,
    read_events,
    signals,
)

pytestmark = pytest.mark.kafka


class Host:
    """Opens lanes as a worker does, and is told of their failures."""

    def __init__(self, config: WorkerConfig) -> None:
        self.counts = WorkerCounts()
        self.failures: list[Exception] = []
        self.acknowledged: list[int] = []
        self.lanes: list[Lane] = []
        self._opening = Opening(config, self.counts, transactions=True)

    async def open(self) -> Lane:
        """Open the lane of partition 0."""
        lane = await self._opening.open(0, lambda _, error: self.failures.append(error))
        self.lanes.append(lane)
        return lane

    def take(self, lane: Lane, offset: int, batch: Sequence[Signal]) -> bool:
        """Give the lane a frame; it is behind, so nothing is flushed but by the test."""
        return lane.take(Delivery(offset, encode(frame(batch)), lambda: self.acknowledged.append(offset)), behind=True)


@asynccontextmanager
async def hosted(config: WorkerConfig, frames: Sequence[Sequence[Signal]]) -> AsyncIterator[Host]:
    """Yield a host for lanes over a log of these frames."""
    await create_topics(config)
    async with Intake(config) as intake:
        for each in frames:
            await intake.write(0, frame(each))
    host = Host(config)
    try:
        yield host
    finally:
        # Also when the test has failed: a producer that nobody closes would fail another test, far from here.
        for lane in host.lanes:
            await lane.close()


def cut(batch: list[Signal], size: int) -> list[list[Signal]]:
    return [batch[begin : begin + size] for begin in range(0, len(batch), size)]


@pytest.fixture
def config(kafka: KafkaBroker, prefix: str) -> WorkerConfig:
    return config_of(kafka.bootstrap, prefix, flush_interval_ms=60_000)


async def test_a_successor_goes_on_where_the_last_flush_was(config: WorkerConfig) -> None:
    frames = cut(signals(60), 5)
    async with hosted(config, frames) as host:
        first = await host.open()
        for offset in range(7):
            host.take(first, offset, frames[offset])
        await first.flush()
        host.take(first, 7, frames[7])
        await first.close()
        assert host.acknowledged == list(range(7))
        second = await host.open()
        assert (second.saved, second.next, len(second.partition)) == (6, 7, 35)
        for offset in range(7, 12):
            assert host.take(second, offset, frames[offset])
        await second.flush()
        assert await read_events(config) == await expected_events(config)


async def test_opening_a_lane_fences_whoever_had_it(config: WorkerConfig) -> None:
    frames = cut(signals(30), 10)
    async with hosted(config, frames) as host:
        zombie = await host.open()
        host.take(zombie, 0, frames[0])
        successor = await host.open()
        for offset in range(3):
            host.take(successor, offset, frames[offset])
        await successor.flush()
        host.take(zombie, 1, frames[1])
        await zombie.flush()
        assert (zombie.closed, successor.closed) == (True, False)
        assert [type(error) for error in host.failures] == [FencedError]
        assert host.acknowledged == [0, 1, 2]
        assert await read_events(config) == await expected_events(config)


async def test_a_transaction_left_open_by_a_dead_worker_is_never_seen_and_holds_nobody_up(config: WorkerConfig) -> None:
    frames = cut(signals(30), 30)
    async with hosted(config, frames) as host:
        dead = await host.open()
        host.take(dead, 0, frames[0])
        flush = dead._collect(None)  # noqa: SLF001 (as if killed between sending and committing)
        producer = dead._writer._producer  # noqa: SLF001
        await producer.begin_transaction()
        await send(producer, [*flush.outputs, flush.state])
        assert len((await read(config, config.topics.fuse_events, isolation="read_uncommitted"))[0]) == 10
        # Half of the time that the transaction may stay open by itself.
        async with asyncio.timeout(config.transaction_timeout_ms / 2000):
            successor = await host.open()
        assert successor.next == 0
        host.take(successor, 0, frames[0])
        await successor.flush()
        assert await read_events(config) == await expected_events(config)


@pytest.mark.parametrize("committed", [True, False], ids=["it was committed", "it was not"])
async def test_after_a_commit_of_unknown_outcome_the_state_says_what_happened(
    config: WorkerConfig, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    frames = cut(signals(30), 10)
    async with hosted(config, frames) as host:
        lane = await host.open()
        host.take(lane, 0, frames[0])
        await lane.flush()
        producer = lane._writer._producer  # noqa: SLF001
        commit = producer.commit_transaction

        async def lost() -> None:
            if committed:
                await commit()
                raise TimeoutError
            await asyncio.sleep(60)

        monkeypatch.setattr(producer, "commit_transaction", lost)
        if not committed:
            monkeypatch.setattr(writer_module, "_WRITE_S", 1.0)
        host.take(lane, 1, frames[1])
        await lane.flush()
        assert [type(error) for error in host.failures] == [BrokerUnavailable]
        assert host.acknowledged == [0]
        monkeypatch.undo()
        again = await host.open()
        assert again.next == (2 if committed else 1)
        for offset in range(again.next, 3):
            host.take(again, offset, frames[offset])
        await again.flush()
        assert await read_events(config) == await expected_events(config)


async def test_states_of_many_batches_are_written_and_read_back_whole(
    config: WorkerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_BATCH_BYTES", 2_000)
    frames = cut(signals(200), 50)
    async with hosted(config, frames) as host:
        lane = await host.open()
        for offset in range(4):
            host.take(lane, offset, frames[offset])
        await lane.flush()
        again = await host.open()
        assert (again.next, len(again.partition)) == (4, 40)
        assert await read_events(config) == await expected_events(config)


async def test_frames_that_retention_took_are_told_and_counted(
    config: WorkerConfig, caplog: pytest.LogCaptureFixture
) -> None:
    frames = cut(signals(60), 10)
    async with hosted(config, frames) as host:
        lane = await host.open()
        host.take(lane, 0, frames[0])
        await lane.flush()
        async with admin(config) as client:
            await client.delete_records({TopicPartition(config.topics.signals, 0): RecordsToDelete(before_offset=4)})
        again = await host.open()
        assert (again.next, host.counts.gap_frames) == (4, 3)
        assert "the frames 1 to 3 are gone" in caplog.text
        assert host.take(again, 4, frames[4])


async def test_a_fresh_lane_begins_where_the_log_begins(config: WorkerConfig) -> None:
    frames = cut(signals(30), 10)
    async with hosted(config, frames) as host:
        async with admin(config) as client:
            await client.delete_records({TopicPartition(config.topics.signals, 0): RecordsToDelete(before_offset=2)})
        lane = await host.open()
        assert (lane.next, host.counts.gap_frames) == (2, 0)
        assert host.take(lane, 2, frames[2])
        await lane.flush()
        assert (await host.open()).next == 3


async def test_a_signals_topic_made_anew_is_read_from_its_beginning_and_nothing_is_applied_twice(
    config: WorkerConfig, caplog: pytest.LogCaptureFixture
) -> None:
    frames = cut(signals(30), 10)
    async with hosted(config, frames) as host:
        lane = await host.open()
        for offset in range(2):
            host.take(lane, offset, frames[offset])
        await lane.flush()
        async with admin(config) as client:
            await client.delete_topics([config.topics.signals])
            while config.topics.signals in await client.list_topics():  # noqa: ASYNC110 (Kafka tells nobody)
                await asyncio.sleep(0.1)
            await client.create_topics([NewTopic(config.topics.signals, 1, 1)])
        before = await read_events(config)
        async with Intake(config) as intake:
            await intake.write(0, frame(frames[1] + frames[2]))
        again = await host.open()
        assert (again.next, "lane.log_shorter" in caplog.text) == (0, True)
        host.take(again, 0, frames[1] + frames[2])
        await again.flush()
        after = await read_events(config)
        assert (len(before[0]), len(after[0])) == (7, 10)
        assert (await host.open()).next == 1


@asynccontextmanager
async def admin(config: WorkerConfig) -> AsyncIterator[Any]:
    """Yield an admin client."""
    client = AIOKafkaAdminClient(**config.kafka.client)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
