"""The real data set, a year of a real shop: the same events by replay and through Kafka.

The data is no part of the project. LIVEFUSE_TEST_DATA names the directory that holds it.
"""

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.simulator.capture import read
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import LIVEFUSE, PROJECT, Cluster
from tests.kafka.feeding import send_all
from tests.kafka.golden import compare, replay_file

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

DATA = Path(os.environ.get("LIVEFUSE_TEST_DATA") or PROJECT.parent / "shared" / "data") / "online-retail.csv.xz"
INCIDENTS = {"23843", "23166"}


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not there: LIVEFUSE_TEST_DATA names its directory")
    capture = tmp_path_factory.mktemp("real") / "online-retail.jsonl"
    with capture.open("wb") as file:
        subprocess.run([*LIVEFUSE, "convert", "online-retail", str(DATA)], cwd=PROJECT, stdout=file, check=True)
    return capture


async def test_the_real_data_gives_the_same_by_replay_and_through_kafka(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, capture: Path
) -> None:
    expected = replay_file(capture)
    assert expected.events.keys() >= INCIDENTS
    # Four partitions of each topic, as the capture has them.
    with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_INPUT_PARTITIONS="4") as cluster:
        cluster.apply_topics()
        with capture.open("rb") as file:
            await send_all(cluster, read(file))
        cluster.intake()
        cluster.worker()
        count = await compare(cluster, expected, within=timedelta(minutes=4))
    assert count >= expected.total
