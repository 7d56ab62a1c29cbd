"""What the broker may do to livefuse: go away, not be there yet, have other topics than it should, have a full disk.

Each time the processes say what is wrong, wait or end as they should, and nothing is lost: afterwards the fuse events
are those of replay. The broker is one that nobody else uses meanwhile.
"""

import asyncio
import logging
import resource
import time
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.simulator.capture import CaptureRecord
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, until
from tests.kafka.dense import DenseSale
from tests.kafka.feeding import send_all, send_live
from tests.kafka.golden import compare, replay
from tests.kafka.reading import decided

pytestmark = pytest.mark.kafka

SOON = timedelta(seconds=90)
USAGE = 2
AWAY = "the broker is away or does not take records"
"""What intake and worker say while they wait for a broker that they had."""


@pytest.fixture
def broker(mortal_kafka: KafkaBroker) -> KafkaBroker:
    """Return a broker that runs, and to which a test may do anything."""
    return mortal_kafka


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Leave out what aiokafka tells, line after line, while the broker is away from the test itself."""
    caplog.set_level(logging.CRITICAL, "aiokafka")


def past(seed: int, seconds: float = 60) -> list[CaptureRecord]:
    """Return a capture that is over."""
    start_ms = int(time.time() * 1000) - 600_000
    return DenseSale(seed=seed, start_ms=start_ms, seconds=seconds, per_second=100).capture()


async def test_a_broker_that_crashes_and_comes_back_in_mid_stream(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    lead = timedelta(seconds=45)
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        intake, worker = cluster.intake(), cluster.worker()
        # Its times lie ahead, so that what cannot be sent for a while is not late.
        start_ms = int((time.time() + lead.total_seconds()) * 1000) + 2_000
        records = DenseSale(seed=21, start_ms=start_ms, seconds=15, per_second=100, gap_ms=80).capture()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send_live(cluster, records, lead))
            await decided(cluster, 200)
            broker.kill()
            try:
                await asyncio.gather(*(each.says(AWAY, SOON) for each in (intake, worker)))
            finally:
                broker.start()
        await compare(cluster, replay(records, tmp_path))
        assert all(each.alive and each.lives == 1 for each in cluster.services)


async def test_a_broker_that_is_not_there_yet_is_waited_for(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    records = past(seed=22, seconds=20)
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        await send_all(cluster, records)
        broker.kill()
        for each in (cluster.intake(), cluster.worker()):
            await each.says(f"no broker answers at {broker.bootstrap}", SOON)
        broker.start()
        await compare(cluster, replay(records, tmp_path))
        assert all(each.alive and each.lives == 1 for each in cluster.services)


async def test_a_topic_with_another_number_of_partitions_ends_the_processes(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    records = past(seed=23, seconds=20)
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        await send_all(cluster, records)
        cluster.intake()
        cluster.worker()
        await compare(cluster, replay(records, tmp_path))
        for each in cluster.services:
            each.drain()

        with Cluster(broker.bootstrap, prefix, tmp_path / "wrong", LIVEFUSE_PARTITIONS="5") as wrong:
            for each in (wrong.intake(), wrong.worker()):
                assert await each.ended(SOON) == USAGE, each.said
                assert f"{cluster.names.signals} has 4 partitions, not 5" in each.said
            refused = wrong.run("topics", "apply")
            assert refused.returncode == USAGE, refused.stderr
            assert "4 partitions" in refused.stderr

        for each in cluster.services:
            each.start()
        await compare(cluster, replay(records, tmp_path))


async def test_a_topic_that_is_missing_ends_the_processes(broker: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        for each in (cluster.intake(), cluster.worker()):
            assert await each.ended(SOON) == USAGE, each.said
            assert "livefuse topics apply" in each.said
            assert cluster.names.signals in each.said


async def test_a_broker_whose_disk_is_full_stops_nothing_for_good(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    records = past(seed=24, seconds=100)
    # Small frames, so that the disk is full in the middle of the work.
    with Cluster(broker.bootstrap, prefix, tmp_path, LIVEFUSE_INTAKE__FRAME_SIGNALS="5") as cluster:
        cluster.apply_topics()
        await send_all(cluster, records)
        cluster.intake()
        cluster.worker()
        await decided(cluster, 300)
        fill_the_disk(broker)
        await broker_ended(broker)
        await asyncio.gather(*(each.says(AWAY, SOON) for each in cluster.services))
        broker.start()
        await compare(cluster, replay(records, tmp_path))
        assert all(each.alive and each.lives == 1 for each in cluster.services)


async def test_a_worker_with_nothing_to_do_says_that_the_broker_is_away(
    broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        worker = cluster.worker()
        for number in range(SIGNALS_PARTITIONS):
            await worker.says(f"lane.opened partition={number}", SOON)
        broker.kill()
        await worker.says(AWAY, SOON)
        assert worker.alive


def fill_the_disk(broker: KafkaBroker) -> None:
    """Let no file of the broker grow any more: each of its writes fails, as on a full disk.

    A small file system would need rights that containers do not give to root; a limit on the process needs none.
    """
    assert broker.pid is not None
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


async def broker_ended(broker: KafkaBroker) -> None:
    """Wait until Kafka has given up: it halts when the only directory for its logs cannot be written to."""

    async def has_ended() -> bool:
        return broker.pid is None

    await until(has_ended, "Kafka halts, as it cannot write", within=SOON)
