"""The golden invariant on the embedded broker: replay, backlog and live with one worker agree.

It has no transactions, so events may come twice; a repeat bears the same sequence and the same bytes.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.embedded import EmbeddedBroker
from deploy.simulator.capture import CaptureRecord
from tests.kafka.cluster import Cluster
from tests.kafka.dense import DenseSale
from tests.kafka.feeding import send_all, send_live
from tests.kafka.golden import compare, replay
from tests.kafka.reading import decided

LEAD = timedelta(seconds=8)


@pytest.fixture
def cluster(embedded: EmbeddedBroker, prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(embedded.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        yield cluster


def sale(start_in: timedelta, seconds: float) -> list[CaptureRecord]:
    start_ms = int((time.time() + start_in.total_seconds()) * 1000)
    return DenseSale(seed=31, start_ms=start_ms, seconds=seconds, per_second=100, gap_ms=80).capture()


async def test_a_backlog_on_the_embedded_broker_gives_the_events_of_replay(cluster: Cluster) -> None:
    records = sale(timedelta(minutes=-10), seconds=60)
    await send_all(cluster, records, idempotent=False)
    cluster.intake()
    cluster.worker()
    await compare(cluster, replay(records, cluster.directory), repeats=True)


async def test_live_on_the_embedded_broker_gives_the_events_of_replay(cluster: Cluster) -> None:
    cluster.intake()
    cluster.worker()
    await cluster.at_work()
    records = sale(LEAD + timedelta(seconds=2), seconds=15)
    await send_live(cluster, records, LEAD, idempotent=False)
    await compare(cluster, replay(records, cluster.directory), repeats=True)


async def test_a_worker_that_is_killed_goes_on_where_its_state_ends(
    embedded: EmbeddedBroker, prefix: str, tmp_path: Path
) -> None:
    # Small frames, so that there is a middle of the work.
    with Cluster(embedded.bootstrap, prefix, tmp_path, LIVEFUSE_INTAKE__FRAME_SIGNALS="5") as cluster:
        cluster.apply_topics()
        records = sale(timedelta(minutes=-10), seconds=60)
        await send_all(cluster, records, idempotent=False)
        cluster.intake()
        worker = cluster.worker()
        await decided(cluster, 500)
        worker.kill()
        worker.start()
        await compare(cluster, replay(records, cluster.directory), repeats=True)
