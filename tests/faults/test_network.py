"""The cable of a worker, then that of an intake, is pulled out until others have taken over, and put back.

    worker   cut ── session ends ── others decide its partitions ── healed ── fenced ── has partitions again, decides
    intake   cut ── session ends ── the other reads its sources ─── healed ── has sources again

Nobody is killed, and nobody is told: until it is healed each of them goes on as if it still had its work. Three brokers
with locked doors; both are in network namespaces of their own. Needs root.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import SystemRandom

import pytest

from schemas.rights import Role, rights
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, Service, until
from tests.kafka.dense import DenseSale
from tests.kafka.golden import compare, replay
from tests.kafka.namespaces import network, skipped_without_namespaces
from tests.kafka.quotas import SHORT_WINDOWS, pace
from tests.kafka.secured import SAFE, locked_brokers
from tests.kafka.shop import Shop
from tests.kafka.takeovers import lanes_of, watched

pytestmark = [pytest.mark.kafka, pytest.mark.faults_long, pytest.mark.timeout(1500)]

PREFIX = "network"
ROLES: tuple[Role, ...] = ("intake", "worker")
SALE_S = 2_400
ALL = frozenset(range(SIGNALS_PARTITIONS))
SOON = timedelta(seconds=240)

PACE = 40_000.0
"""Bytes a second that each broker lets both intakes together read; test_cluster.py says why not much less."""


@pytest.mark.parametrize(
    "longer",
    [
        pytest.param(timedelta(0), id="healed at once"),
        # Writes of the worker have failed by then: its lanes open again before it has heard of its group.
        pytest.param(timedelta(seconds=40), id="healed later"),
    ],
)
async def test_who_was_cut_off_and_comes_back_changes_no_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], longer: timedelta
) -> None:
    seed = int(os.environ.get("LIVEFUSE_FAULTS_SEED") or SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        sys.stdout.write(f"\nLIVEFUSE_FAULTS_SEED={seed}\n")
    start_ms = int(time.time() * 1000) - (SALE_S + 3_600) * 1000
    records = DenseSale(seed=seed, start_ms=start_ms, seconds=SALE_S, per_second=120, products=200).capture()
    passwords = {f"{PREFIX}-{role}": f"of {role}" for role in ROLES}
    with (
        skipped_without_namespaces(),
        network() as net,
        net.cable() as to_worker,
        net.cable() as to_intake,
        locked_brokers(tmp_path / "kafka", 3, passwords, SAFE | SHORT_WINDOWS, harness=True, host=net.address) as kafka,
        Cluster(kafka.harness, PREFIX, tmp_path / "processes", LIVEFUSE_INTAKE__FRAME_SIGNALS="20") as cluster,
    ):
        cluster.logins = {role: kafka.environment(f"{PREFIX}-{role}", tmp_path) for role in ROLES}
        await asyncio.to_thread(cluster.apply_topics)
        held = rights(cluster.names, SIGNALS_PARTITIONS, PREFIX)
        await kafka.grant({f"{PREFIX}-{role}": held[role] for role in ROLES})
        # On a calm machine the intakes would have read in seconds all that the shop has sent.
        await pace(kafka.harness, f"{PREFIX}-intake", PACE)
        shop = Shop(cluster, records, timedelta(seconds=180))
        await shop.open()
        # Two workers: each of them has two partitions. (Faust moves none to a third one.)
        cluster.start(intakes=1, workers=1)
        worker, intake = cluster.worker(to_worker.program), cluster.intake(to_intake.program)
        enough = asyncio.Event()
        async with watched(kafka.harness, cluster.names.state) as decisions, asyncio.TaskGroup() as tasks:
            selling = tasks.create_task(shop.run(enough))
            await shared(cluster, worker, intake)

            lost, opened = lanes_of(worker), lives(worker)
            to_worker.cut()
            decisions.note("cut", lost)
            await decisions.all_decided(SOON)
            took_s = max(each.seconds for each in decisions.takeovers())
            await asyncio.sleep(longer.total_seconds())
            to_worker.heal()
            await worker.says("lane.fenced" if not longer else "lane.flush_failed", SOON)

            async def has_lanes_again() -> bool:
                return lives(worker) > opened

            await until(has_lanes_again, "the worker has lanes again", within=SOON, state=worker.tail)
            await shared(cluster, worker, intake)
            decisions.note("healed", ALL)
            await decisions.all_decided(SOON)

            near, read = next(each for each in cluster.services if each.command == "intake"), readings(intake)
            to_intake.cut()

            async def reads_all() -> bool:
                return "others=0" in near.said.rpartition("intake.assigned")[2]

            await until(reads_all, "the other intake reads all sources", within=SOON, state=near.tail)
            decisions.note("intake cut", ALL)
            await decisions.all_decided(SOON)
            await asyncio.sleep(longer.total_seconds())
            to_intake.heal()

            async def reads_again() -> bool:
                return readings(intake) > read

            await until(reads_again, "the intake reads again", within=SOON, state=intake.tail)
            enough.set()
        sent = selling.result()
        await pace(kafka.harness, f"{PREFIX}-intake", None)
        expected = await asyncio.to_thread(replay, sent, tmp_path)
        events = await compare(cluster, expected, within=timedelta(minutes=5))
    with capsys.disabled():
        sys.stdout.write(
            f"{len(sent):,} records, {events:,} fuse events, all as in replay; the partitions of the worker that "
            f"was cut off were decided elsewhere after {took_s:.1f} s\n"
        )


async def shared(cluster: Cluster, worker: Service, intake: Service) -> None:
    """Return when each partition has one worker, and both have work."""

    async def is_shared() -> bool:
        owned = [number for each in cluster.services if each.command == "worker" for number in lanes_of(each)]
        return sorted(owned) == sorted(ALL) and bool(lanes_of(worker)) and readings(intake) > 0

    def state() -> str:
        return str({each.name: sorted(lanes_of(each)) for each in cluster.services})

    await until(is_shared, "each partition has one worker", within=SOON, state=state)


def lives(worker: Service) -> int:
    """Count how often a worker has opened a lane."""
    return worker.said.count("lane.opened")


def readings(intake: Service) -> int:
    """Count how often an intake was given sources."""
    return intake.said.count("intake.assigned")
