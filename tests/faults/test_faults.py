"""The long fault run (`make faults`): minutes of a dense sale, while processes are killed and become zombies at random.

`LIVEFUSE_FAULTS_SEED=7 make faults` repeats the capture and the plan of faults; moments differ by milliseconds.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom

import pytest

from deploy.simulator.capture import CaptureRecord
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster
from tests.kafka.dense import DenseSale
from tests.kafka.faults import Faults
from tests.kafka.feeding import send_all, send_live
from tests.kafka.golden import Expected, compare, replay
from tests.kafka.piecemeal import PIECEMEAL

pytestmark = [pytest.mark.kafka, pytest.mark.faults_long, pytest.mark.timeout(1500)]

LEAD = timedelta(seconds=8)
SESSION = timedelta(seconds=6)
FROZEN = SESSION + timedelta(seconds=4)
LIVE_S = 420
BACKLOG_S = 1_200


@pytest.fixture
def seed(capsys: pytest.CaptureFixture[str]) -> int:
    seed = int(os.environ.get("LIVEFUSE_FAULTS_SEED") or SystemRandom().randrange(1_000_000))
    tell(capsys, f"LIVEFUSE_FAULTS_SEED={seed}")
    return seed


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Write to the terminal: the figures of a run that went well are wanted too."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


def figures(records: list[CaptureRecord], expected: Expected, events: int, faults: Faults) -> str:
    return (
        f"{len(records):,} records, {events:,} fuse events of {len(expected.events)} products, all as in replay; "
        f"{dict(faults.done)}; ended by themselves and started again: {dict(faults.ended)}"
    )


async def test_live_with_many_kills_and_zombies(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    session = f"{SESSION.seconds}s"
    with Cluster(kafka.bootstrap, prefix, tmp_path, program=PIECEMEAL, LIVEFUSE_SESSION_TIMEOUT=session) as cluster:
        cluster.apply_topics()
        cluster.start(intakes=2, workers=3)
        await cluster.at_work()
        start_ms = int(time.time() * 1000) + 10_000
        sale = DenseSale(seed=seed, start_ms=start_ms, seconds=LIVE_S, per_second=120, gap_ms=80)
        records = sale.capture()
        faults = Faults(cluster, Random(seed), kills=26, zombies=10, drains=4, frozen=FROZEN)
        feeding = asyncio.create_task(send_live(cluster, records, LEAD))
        await faults.run()
        assert not feeding.done(), "the faults were still going on when the sale had ended"
        await feeding
        expected = replay(records, tmp_path)
        events = await compare(cluster, expected, within=timedelta(minutes=3))
    assert faults.done["kill"] >= 20
    assert faults.done["zombie"] >= 8
    tell(capsys, f"live: {figures(records, expected, events, faults)}")


async def test_a_backlog_with_kills_and_zombies_while_it_is_read(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # One signal in a frame at most: it takes long to read, so that the faults strike in the middle of it.
    settings = {"LIVEFUSE_INTAKE__FRAME_SIGNALS": "3", "LIVEFUSE_SESSION_TIMEOUT": f"{SESSION.seconds}s"}
    with Cluster(kafka.bootstrap, prefix, tmp_path, **settings) as cluster:
        cluster.apply_topics()
        start_ms = int(time.time() * 1000) - 2 * BACKLOG_S * 1000
        sale = DenseSale(seed=seed, start_ms=start_ms, seconds=BACKLOG_S, per_second=120, products=200)
        records = sale.capture()
        expected = replay(records, tmp_path)
        await send_all(cluster, records)
        cluster.start(intakes=2, workers=3)
        faults = Faults(cluster, Random(seed), kills=12, zombies=3, drains=2, frozen=FROZEN)
        await faults.run()
        events = await compare(cluster, expected, within=timedelta(minutes=5))
    tell(capsys, f"backlog: {figures(records, expected, events, faults)}")
