"""Worker processes on a real Kafka: killed, stopped and continued, joined by others. All that readers see is compared.

The long run with many kills is `make faults`; here each way to end has one short turn. What the broker may do to a
worker is in test_broker_failures.py.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from deploy.embedded import EmbeddedBroker
from schemas.errors import FrameError
from streams.config import WorkerConfig
from streams.frames import Frame
from tests.kafka.broker import KafkaBroker
from tests.kafka.worker_rig import (
    NOON,
    SOURCE,
    Intake,
    WorkerProcess,
    config_of,
    create_topics,
    expected_events,
    frame,
    more_events,
    pause,
    signals,
    wait_for_events,
    writing,
)

pytestmark = pytest.mark.kafka

OTHER = "live.returns/0"

Start = Callable[[WorkerConfig], WorkerProcess]


@pytest.fixture
def worker_of(tmp_path: Path) -> Iterator[Start]:
    """Return what starts a worker. Those that still run at the end of the test are killed."""
    started: list[WorkerProcess] = []

    def start(config: WorkerConfig) -> WorkerProcess:
        started.append(WorkerProcess(config, tmp_path / f"worker-{len(started)}.log"))
        return started[-1]

    yield start
    for each in started:
        each.kill()


async def test_killed_workers_lose_and_repeat_nothing(kafka: KafkaBroker, prefix: str, worker_of: Start) -> None:
    config = config_of(kafka.bootstrap, prefix, partitions=2)
    await create_topics(config)
    async with Intake(config) as intake:
        async with writing(intake, pause_s=0.03):
            for number in range(3):
                worker = worker_of(config)
                await worker.until("lane.opened", 2)
                await more_events(config, 20 * number + 1)
                worker.kill()
            last = worker_of(config)
            await last.until("lane.opened", 2)
        expected = await expected_events(config)
        assert await wait_for_events(config, expected) == expected
        assert last.stop() == 0


async def test_a_zombie_is_fenced_and_loses_nothing(kafka: KafkaBroker, prefix: str, worker_of: Start) -> None:
    config = config_of(kafka.bootstrap, prefix, partitions=2)
    await create_topics(config)
    async with Intake(config) as intake:
        zombie = worker_of(config)
        await zombie.until("lane.opened", 2)
        async with writing(intake, pause_s=0.05):
            await more_events(config)
            zombie.send(signal.SIGSTOP)
            successor = worker_of(config)
            await successor.until("lane.opened", 2)
            await more_events(config)
            zombie.send(signal.SIGCONT)
            await zombie.until("lane.fenced")
        expected = await expected_events(config)
        assert await wait_for_events(config, expected) == expected
        assert (zombie.stop(), successor.stop()) == (0, 0)


async def test_a_second_worker_takes_half_and_gives_it_back(kafka: KafkaBroker, prefix: str, worker_of: Start) -> None:
    config = config_of(kafka.bootstrap, prefix, partitions=4)
    await create_topics(config)
    async with Intake(config) as intake:
        async with writing(intake, pause_s=0.05):
            first = worker_of(config)
            await first.until("lane.opened", 4)
            second = worker_of(config)
            await second.until("lane.opened", 2)
            await first.until("lane.closed", 2)
            await more_events(config)
            assert len(list(first.lines("lane.closed"))) == 2
            assert await asyncio.to_thread(second.stop) == 0
            await first.until("lane.opened", 6)
        expected = await expected_events(config)
        assert await wait_for_events(config, expected) == expected
        assert first.stop() == 0


async def test_a_stopped_worker_drains(kafka: KafkaBroker, prefix: str, worker_of: Start) -> None:
    config = config_of(kafka.bootstrap, prefix)
    await create_topics(config)
    async with Intake(config) as intake:
        worker = worker_of(config)
        await worker.until("lane.opened")
        await intake.write_all(signals(100))
        await wait_for_events(config, await expected_events(config))
        assert worker.stop() == 0
        again = worker_of(config)
        await again.until("lane.opened")
        assert "position=19 states=" in next(again.lines("lane.opened"))
        again.stop()


async def test_a_worker_ends_soon_also_when_the_broker_has_gone(
    mortal_kafka: KafkaBroker, prefix: str, worker_of: Start
) -> None:
    config = config_of(mortal_kafka.bootstrap, prefix)
    await create_topics(config)
    worker = worker_of(config)
    await worker.until("lane.opened")
    async with Intake(config) as intake:
        await intake.write_all(signals(100))
    mortal_kafka.kill()
    assert await asyncio.to_thread(worker.stop) == 0


async def test_signals_of_two_intakes_wait_for_each_other_also_across_a_crash(
    kafka: KafkaBroker, prefix: str, worker_of: Start
) -> None:
    config = config_of(kafka.bootstrap, prefix)
    await create_topics(config)
    ahead = [
        Frame("a", [SOURCE], [OTHER], NOON + n, live=False, signals=[pause(n, NOON + n, "p")]) for n in range(1, 11)
    ]
    late = Frame("b", [OTHER], [SOURCE], NOON + 20, live=False, signals=[pause(101, NOON + 5, "p")])
    async with Intake(config) as intake:
        for each in ahead:
            await intake.write(0, each)
        await intake.write(0, Frame("b", [OTHER], [SOURCE], NOON + 2, live=False, signals=[]))
        worker = worker_of(config)
        assert len((await wait_for_events(config, {0: [b""] * 3}))[0]) == 3
        worker.kill()
        await intake.write(0, late)
        again = worker_of(config)
        events = (await wait_for_events(config, {0: [b""] * 11}))[0]
        commands = [orjson.loads(each)["cause"]["command_id"] for each in events]
        # Of two signals of one millisecond the one of an order counts before the one of a return.
        assert commands == ["c1", "c2", "c3", "c4", "c5", "c101", "c6", "c7", "c8", "c9", "c10"]
        assert "position=2 " in next(again.lines("lane.opened"))
        assert again.stop() == 0


async def test_a_record_that_is_no_frame_ends_the_worker_before_it_is_acknowledged(
    kafka: KafkaBroker, prefix: str, worker_of: Start
) -> None:
    config = config_of(kafka.bootstrap, prefix)
    await create_topics(config)
    async with Intake(config) as intake:
        await intake.write(0, frame(signals(10)))
        await intake.producer.send_and_wait(config.topics.signals, b"not a frame", partition=0)
        for _ in range(2):
            worker = worker_of(config)
            code = await asyncio.to_thread(worker.process.wait, 90)
            assert code == FrameError.exit_code
            assert f"{config.topics.signals}[0]@1: not a frame" in worker.log.read_text()


async def test_the_embedded_broker_has_no_transactions_and_the_worker_does_without(
    embedded: EmbeddedBroker, prefix: str, worker_of: Start
) -> None:
    config = config_of(embedded.bootstrap, prefix, partitions=2)
    await create_topics(config)
    worker = worker_of(config)
    async with Intake(config) as intake:
        await intake.write_all(signals(600), per_frame=10)
    await worker.until("lane.opened", 2)
    expected = await expected_events(config)
    assert await wait_for_events(config, expected) == expected
    assert "transactions=no" in next(worker.lines("worker.started"))
    assert worker.stop() == 0
    again = worker_of(config)
    await again.until("lane.opened", 2)
    async with Intake(config) as intake:
        await intake.write_all(signals(30, 600), per_frame=10)
    expected = await expected_events(config)
    assert await wait_for_events(config, expected) == expected
    again.stop()
