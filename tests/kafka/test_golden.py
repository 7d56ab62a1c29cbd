"""The golden invariant on a real Kafka, in short: the same capture, however it is read, gives the events of replay.

    backlog    all records are there before anything starts
    live       each record is sent when its time comes, and forwarded and decided at once

`tests/faults` has the long run with many faults.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from deploy.simulator.capture import CaptureRecord
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster
from tests.kafka.dense import DenseSale
from tests.kafka.faults import Faults
from tests.kafka.feeding import send_all, send_live
from tests.kafka.golden import Expected, compare, replay

pytestmark = pytest.mark.kafka

LEAD = timedelta(seconds=4)
"""How long before its time a record is sent: what a slow machine may fall behind without a record being late."""


@pytest.fixture(scope="module")
def backlog() -> list[CaptureRecord]:
    """Return a capture of two minutes that are over."""
    start_ms = int(time.time() * 1000) - 600_000
    return DenseSale(seed=3, start_ms=start_ms, seconds=120, per_second=150).capture()


@pytest.fixture(scope="module")
def told(backlog: list[CaptureRecord], tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """Return what replay says about the backlog."""
    expected = replay(backlog, tmp_path_factory.mktemp("backlog"))
    assert expected.total > 3_000
    return expected


@pytest.fixture
def cluster(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        yield cluster


def upcoming(seconds: float, seed: int) -> list[CaptureRecord]:
    """Return a capture that begins in a few seconds, when the processes are up."""
    start_ms = int(time.time() * 1000) + 8_000
    return DenseSale(seed=seed, start_ms=start_ms, seconds=seconds, per_second=120, gap_ms=80).capture()


async def test_a_backlog_gives_the_events_of_replay(
    cluster: Cluster, backlog: list[CaptureRecord], told: Expected
) -> None:
    await send_all(cluster, backlog)
    cluster.intake()
    cluster.worker()
    await compare(cluster, told)


async def test_a_backlog_read_by_two_intakes_in_small_frames_and_three_workers_gives_the_same(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, backlog: list[CaptureRecord], told: Expected
) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_INTAKE__FRAME_SIGNALS="7") as cluster:
        cluster.apply_topics()
        await send_all(cluster, backlog)
        for start in (cluster.worker, cluster.intake, cluster.worker, cluster.intake, cluster.worker):
            start()
        await compare(cluster, told)


async def test_live_gives_the_events_of_replay(cluster: Cluster) -> None:
    cluster.intake()
    cluster.worker()
    records = upcoming(20, seed=5)
    await send_live(cluster, records, LEAD)
    await compare(cluster, replay(records, cluster.directory))


async def test_live_with_kills_and_a_zombie_gives_the_events_of_replay(cluster: Cluster) -> None:
    for start in (cluster.worker, cluster.intake, cluster.worker, cluster.intake, cluster.worker):
        start()
    records = upcoming(35, seed=6)
    faults = Faults(cluster, Random(6), kills=3, zombies=1, frozen=timedelta(seconds=9))
    await asyncio.gather(send_live(cluster, records, LEAD), faults.run())
    await compare(cluster, replay(records, cluster.directory))
