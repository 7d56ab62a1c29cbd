"""Three brokers with locked doors, and everything that happens to them: none of it may change one event.

    the shop sends       broker 1 is killed, and started again
    the backlog is read  intakes and workers are killed; broker 2 is killed and started again, all three are restarted

Replication 3, min.insync.replicas 2, acks=all. Intakes and workers log in with exactly their generated rights. What the
test itself sends and reads goes over a listener of its own.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom

import pytest

from schemas.rights import Role, rights
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster
from tests.kafka.dense import DenseSale
from tests.kafka.faults import Faults
from tests.kafka.feeding import send_all
from tests.kafka.golden import compare, replay
from tests.kafka.secured import LockedCluster, locked_brokers

pytestmark = [pytest.mark.kafka, pytest.mark.faults_long, pytest.mark.timeout(1800)]

PREFIX = "chaos"
ROLES: tuple[Role, ...] = ("intake", "worker")
SALE_S = int(os.environ.get("LIVEFUSE_CHAOS_SECONDS", "600"))
KILLS = max(4, SALE_S // 20)
DOWN_S = 6.0

SAFE = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
}


async def test_three_brokers_that_come_and_go_and_processes_that_are_killed_change_no_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("LIVEFUSE_FAULTS_SEED") or SystemRandom().randrange(1_000_000))
    passwords = {f"{PREFIX}-{role}": f"of {role}" for role in ROLES}
    with locked_brokers(tmp_path / "kafka", 3, passwords, SAFE, harness=True) as kafka:
        # One signal in a frame at most: so the faults strike in the middle of it.
        settings = {"LIVEFUSE_INTAKE__FRAME_SIGNALS": "3"}
        with Cluster(kafka.harness, PREFIX, tmp_path / "processes", **settings) as cluster:
            cluster.logins = {role: kafka.environment(f"{PREFIX}-{role}", tmp_path) for role in ROLES}
            await asyncio.to_thread(cluster.apply_topics)
            held = rights(cluster.names, SIGNALS_PARTITIONS, PREFIX)
            await kafka.grant({f"{PREFIX}-{role}": held[role] for role in ROLES})
            start_ms = int(time.time() * 1000) - 2 * SALE_S * 1000
            records = DenseSale(seed=seed, start_ms=start_ms, seconds=SALE_S, per_second=120, products=200).capture()
            expected = replay(records, tmp_path)
            first, second, _ = kafka.brokers
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(send_all(cluster, records))
                tasks.create_task(killed(first))
            cluster.start(intakes=2, workers=3)
            faults = Faults(cluster, Random(seed), kills=KILLS, zombies=0, frozen=timedelta(seconds=10))
            began = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(faults.run())
                tasks.create_task(killed_and_all_restarted(second, kafka))
            events = await compare(cluster, expected, within=timedelta(minutes=6))
            took_s = time.monotonic() - began
    with capsys.disabled():
        sys.stdout.write(
            f"\nLIVEFUSE_FAULTS_SEED={seed}: {len(records):,} records, {events:,} fuse events, all as in replay, after "
            f"{dict(faults.done)}, 2 brokers killed, 3 restarted; {took_s:.0f} s\n"
        )


async def killed(broker: KafkaBroker) -> None:
    """Kill a broker soon, and start it again."""
    await asyncio.sleep(1)
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(DOWN_S)
    await asyncio.to_thread(broker.start)
    await replicated()


async def killed_and_all_restarted(broker: KafkaBroker, kafka: LockedCluster) -> None:
    """Kill one and start it again, then restart all of them in order."""
    await asyncio.sleep(DOWN_S)
    await killed(broker)
    for each in kafka.brokers:
        await asyncio.to_thread(each.restart)
        await replicated()


async def replicated() -> None:
    """Give a broker that is back the time to catch up: a second one away before that would be one too many."""
    await asyncio.sleep(2 * DOWN_S)
