"""The golden invariant on a real Kafka, in short: the same capture, however it is read, gives the events of replay.

    backlog    all records are there before anything starts
    live       each record is sent when its time comes, and forwarded and decided at once

`tests/faults` has the long run with many faults.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import orjson
import pytest

from deploy.simulator import CaptureRecord, SaleConfig, simulate
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import INPUT_PARTITIONS, Cluster
from tests.kafka.dense import DenseSale
from tests.kafka.faults import Faults
from tests.kafka.feeding import send_all, send_live
from tests.kafka.golden import compare, replay, replay_file
from tests.kafka.piecemeal import PIECEMEAL

pytestmark = pytest.mark.kafka

LEAD = timedelta(seconds=8)
"""How long before its time a record is sent: what a slow machine may fall behind without a record being late."""

BEGINNING = LEAD + timedelta(seconds=2)


def past(*, late: float = 0.03) -> list[CaptureRecord]:
    """Return a capture of two minutes that are over."""
    start_ms = int(time.time() * 1000) - 600_000
    return DenseSale(seed=3, start_ms=start_ms, seconds=120, per_second=150, late=late).capture()


def upcoming(seconds: float, seed: int, *, late: float = 0.03) -> list[CaptureRecord]:
    """Return a capture whose first record is to be sent in two seconds."""
    start_ms = int((time.time() + BEGINNING.total_seconds()) * 1000)
    sale = DenseSale(seed=seed, start_ms=start_ms, seconds=seconds, per_second=120, gap_ms=80, late=late)
    return sale.capture()


async def test_a_backlog_gives_the_events_of_replay(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    records = past()
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        await send_all(cluster, records)
        cluster.intake()
        cluster.worker()
        expected = replay(records, tmp_path)
        assert await compare(cluster, expected) > 5_000
    # The other tests take it from the library: the command says the same, here and in test_real_data.py.
    assert replay_file(tmp_path / "capture.jsonl").events == expected.events


async def test_a_backlog_read_by_two_intakes_in_small_frames_and_three_workers_gives_the_same(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    records = past()
    with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_INTAKE__FRAME_SIGNALS="7") as cluster:
        cluster.apply_topics()
        await send_all(cluster, records)
        cluster.start(intakes=2, workers=3)
        assert await compare(cluster, replay(records, tmp_path)) > 5_000


async def test_a_simulated_show_under_the_default_rules_gives_the_events_of_replay(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    # Twenty minutes before a full hour, as the simulator wants it.
    start = datetime.now(UTC).replace(minute=40, second=0, microsecond=0) - timedelta(hours=4)
    sale = SaleConfig(seed=4, start=start, orders_per_second=1.0, products=300, partitions=INPUT_PARTITIONS)
    records = list(simulate(sale))
    expected = replay(records, tmp_path)
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        await send_all(cluster, records)
        cluster.start(intakes=1, workers=2)
        await compare(cluster, expected)
    rules = {orjson.loads(value)["rule"] for values in expected.events.values() for value in values}
    assert rules == {"oversell", "return-spike", "complaint-surge", "critical-complaints"}


async def test_live_gives_the_events_of_replay(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        cluster.start(intakes=1, workers=1)
        await cluster.at_work()
        records = upcoming(15, seed=5)
        await send_live(cluster, records, LEAD)
        assert await compare(cluster, replay(records, tmp_path)) > 500


async def test_live_with_kills_and_a_zombie_gives_the_events_of_replay(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path, program=PIECEMEAL) as cluster:
        cluster.apply_topics()
        cluster.start(intakes=2, workers=3)
        await cluster.at_work()
        records = upcoming(30, seed=6)
        faults = Faults(cluster, Random(6), kills=3, zombies=1, frozen=timedelta(seconds=9))
        await asyncio.gather(send_live(cluster, records, LEAD), faults.run())
        assert await compare(cluster, replay(records, tmp_path)) > 1_000
