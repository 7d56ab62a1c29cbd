"""An upgrade during the day, and the way back, on a real Kafka: workers and intakes of two releases at once.

The release that reads the next version but does not write it yet, and the one that does, are simulated by
`tests.kafka.later_release`. The live sale goes on meanwhile, and the events must be those of replay.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from deploy.simulator import CaptureRecord
from schemas.errors import FrameError, StateError
from streams.worker.store import LANE_KEY
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster, Service, until
from tests.kafka.dense import DenseSale
from tests.kafka.feeding import send_all, send_live
from tests.kafka.golden import compare, replay
from tests.kafka.reading import committed, drained
from tests.kafka.worker_rig import Intake, config_of, create_topics, frame, signals

pytestmark = pytest.mark.kafka

LEAD = timedelta(seconds=8)
STARTING = timedelta(seconds=12)
SOON = timedelta(seconds=60)


def release(which: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.kafka.later_release", which)


def sale(start_s: float, seconds: float, per_second: float, gap_ms: int = 0) -> list[CaptureRecord]:
    made = DenseSale(seed=11, start_ms=int(start_s * 1000), seconds=seconds, per_second=per_second, gap_ms=gap_ms)
    return made.capture()


async def versions(cluster: Cluster) -> Counter[int]:
    """Count the latest states of all products by the version in which they are written."""
    records = await committed(cluster.bootstrap, cluster.names.state)
    latest = {each.key: each.value for each in records if each.key != LANE_KEY}
    return Counter(value[0] for value in latest.values() if value)


async def written(cluster: Cluster) -> set[tuple[str, int, int, bytes]]:
    """Return all that workers have written: topic, partition, offset, value."""
    names = cluster.names
    return {
        (each.topic, each.partition, each.offset, each.value or b"")
        for name in (names.state, names.fuse_events, names.fuse_state)
        for each in await committed(cluster.bootstrap, name)
    }


async def exchanged(start: Callable[[], Service], leaving: Service) -> Service:
    """Let a process join, and the other one leave when the newcomer has work; return the newcomer."""
    joining = start()
    await joining.says("lane.opened" if joining.command == "worker" else "intake.assigned", SOON)
    assert await asyncio.to_thread(leaving.drain) == 0
    return joining


@pytest.mark.faults_long
async def test_a_release_is_upgraded_and_rolled_back_with_both_running(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with (
        Cluster(kafka.bootstrap, prefix, tmp_path / "before", program=release("reads")) as before,
        Cluster(kafka.bootstrap, prefix, tmp_path / "after", program=release("writes")) as after,
    ):
        before.apply_topics()
        intake, worker = before.intake(), before.worker()
        records = sale(time.time() + STARTING.total_seconds(), 40, 60, gap_ms=80)
        seen: list[Counter[int]] = []

        async def there_and_back() -> None:
            nonlocal intake, worker
            await worker.says("lane.opened", SOON)
            await asyncio.sleep(STARTING.total_seconds() + 3)
            # Workers first, then intakes; and back in the reverse order.
            steps: tuple[Callable[[], Awaitable[None]], ...] = (workers_go, intakes_go, intakes_return, workers_return)
            for step in steps:
                await step()
                await asyncio.sleep(2)
                seen.append(await versions(before))

        async def workers_go() -> None:
            nonlocal worker
            worker = await exchanged(after.worker, worker)

        async def intakes_go() -> None:
            nonlocal intake
            intake = await exchanged(after.intake, intake)

        async def intakes_return() -> None:
            nonlocal intake
            intake = await exchanged(before.intake, intake)

        async def workers_return() -> None:
            nonlocal worker
            worker = await exchanged(before.worker, worker)

        await asyncio.gather(send_live(before, records, LEAD), there_and_back())
        assert await compare(before, replay(records, tmp_path)) > 500
        frames = {each.value[:6] for each in await committed(kafka.bootstrap, before.names.signals)}
        await order_everything(before)
        rewritten = await versions(before)
    assert seen[1][2] > 0, "states of the next version were written"
    assert frames == {b'{"v":1', b'{"v":2'}
    assert rewritten[2] < max(each[2] for each in seen), "touched ones are in the version before"


async def order_everything(cluster: Cluster) -> None:
    """Send an order for each product that the sale may have, and wait until it is applied."""
    now_ms = time.time_ns() // 1_000_000
    async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap) as producer:
        for number in range(60):
            lines = [{"product_id": f"p{number}", "quantity": 1}]
            order = {"order_id": f"last-{number}", "occurred_at": now_ms, "lines": lines}
            await producer.send_and_wait(cluster.names.orders, orjson.dumps(order), partition=0)
    await drained(cluster, SOON)


async def test_a_worker_that_meets_states_of_a_newer_release_ends_and_changes_nothing(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    records = sale(time.time() - 600, 40, 60)
    with (
        Cluster(kafka.bootstrap, prefix, tmp_path / "today") as today,
        Cluster(kafka.bootstrap, prefix, tmp_path / "after", program=release("writes")) as after,
    ):
        today.apply_topics()
        await send_all(today, records)
        intake, worker = after.intake(), after.worker()
        await drained(after, timedelta(seconds=120))
        assert await asyncio.to_thread(worker.drain) == 0
        assert await asyncio.to_thread(intake.drain) == 0
        left = await written(today)

        refused = today.worker()
        assert await refused.ended(SOON) == StateError.exit_code
        assert f"{today.names.state}[" in refused.said
        assert "is of version 2, written by a newer livefuse; this one reads version 1. Nothing was changed" in (
            refused.said
        )
        assert "docs/upgrades.md" in refused.said
        assert await written(today) == left

        after.worker()
        after.intake()
        assert await compare(after, replay(records, tmp_path)) > 300


async def test_a_worker_that_meets_frames_of_a_newer_release_ends_in_front_of_them(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    config = config_of(kafka.bootstrap, prefix, partitions=4)
    await create_topics(config)
    async with Intake(config) as intake:
        await intake.write(0, frame(signals(10)))
        await intake.producer.send_and_wait(config.topics.signals, b'{"v":2,"frame":"..."}', partition=0)
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        worker = cluster.worker()
        assert await worker.ended(SOON) == FrameError.exit_code
        assert f"{config.topics.signals}[0]@1: the frame is of version 2, written by a newer livefuse" in worker.said
        assert "workers before intakes" in worker.said

        async def has_said() -> bool:
            return len(await committed(kafka.bootstrap, config.topics.fuse_events)) in {0, 4}

        await until(has_said, "what was before it is written as a whole or not at all", within=SOON)
