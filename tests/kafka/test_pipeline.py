"""How the pipeline stands, asked of a real Kafka."""

from pathlib import Path

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster
from tests.kafka.pipeline import sees_records_and_processes

pytestmark = pytest.mark.kafka


async def test_it_sees_records_and_processes(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_SESSION_TIMEOUT="3s") as cluster:
        cluster.apply_topics()
        await sees_records_and_processes(cluster)
