"""Records that cannot be used, through a real Kafka and an intake process: each becomes a dead letter, as it came.

The good records around them are all applied: what comes out is what replay says of a capture without the malformed.
"""

from datetime import timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.simulator.capture import CaptureRecord
from schemas.topics import TopicNames
from tests.corpus.malformed import MALFORMED, TS, Malformed
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import INPUT_PARTITIONS, Cluster, until
from tests.kafka.dense import DenseSale
from tests.kafka.feeding import send_all
from tests.kafka.golden import compare, replay
from tests.kafka.reading import Record, committed

pytestmark = pytest.mark.kafka

CONTRACT = TopicNames()
LARGEST = 8 * 1_048_576

Source = tuple[str, int, int]
"""(topic by the contract's name, partition, offset)"""


class Mixed:
    """The good records with the malformed ones among them, and where each of these lies."""

    def __init__(self, good: list[CaptureRecord], malformed: tuple[Malformed, ...], rng: Random) -> None:
        self.records: list[CaptureRecord] = []
        self.malformed: dict[Source, tuple[Malformed, bytes]] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        places = sorted(rng.sample(range(len(good)), len(malformed)))
        waiting = dict(zip(places, malformed, strict=True))
        partitions = cycle(range(INPUT_PARTITIONS))
        for place, record in enumerate(good):
            if (bad := waiting.get(place)) is not None:
                topic = _topic(bad)
                partition = 0 if topic == CONTRACT.rules else next(partitions)
                key = f"key {place} \xe9".encode("latin-1")
                # A record without a value can be sent, though it can stand in no capture.
                value = cast("bytes", bad.value)
                source = self._append(CaptureRecord(topic, partition, 0, bad.ts, key, value))
                self.malformed[source] = bad, key
            self._append(record)

    def _append(self, record: CaptureRecord) -> Source:
        where = record.topic, record.partition
        offset = self._offsets[where] = self._offsets.get(where, -1) + 1
        self.records.append(record._replace(offset=offset))
        return *where, offset


def _topic(bad: Malformed) -> str:
    name: str = getattr(CONTRACT, bad.topic.replace("-", "_"))
    return name


async def create_inputs_for_large_records(cluster: Cluster) -> None:
    """Create the shop's topics as a shop would that lets records of more than a mebibyte in."""
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    names, configs = (cluster.names.orders, cluster.names.complaints), {"max.message.bytes": str(LARGEST)}
    await admin.create_topics([NewTopic(name, INPUT_PARTITIONS, 1, topic_configs=configs) for name in names])
    await admin.close()


async def dead_letters(cluster: Cluster, count: int) -> dict[Source, list[Record]]:
    """Wait for so many dead letters and return them by where they came from."""
    found: dict[Source, list[Record]] = {}

    async def are_there() -> bool:
        found.clear()
        for contract, name in zip(CONTRACT.inputs, cluster.names.inputs, strict=True):
            for record in await committed(cluster.bootstrap, cluster.names.dead_letters(name)):
                assert _header(record, "topic") == name
                source = contract, int(_header(record, "partition")), int(_header(record, "offset"))
                found.setdefault(source, []).append(record)
        return len(found) >= count

    within = timedelta(seconds=120)
    await until(are_there, f"{count} dead letters", within=within, state=lambda: f"there are {len(found)}")
    return found


def _header(record: Record, name: str) -> str:
    return str(dict(record.headers)[f"__streams.errors.{name}"].decode())


@pytest.mark.parametrize("killed", [False, True], ids=["calm", "killed"])
async def test_all_malformed_records_are_dead_letters_and_all_good_ones_are_applied(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, *, killed: bool
) -> None:
    good = DenseSale(seed=11, start_ms=TS, seconds=20, per_second=100).capture()
    expected = replay(good, tmp_path)
    mixed = Mixed(good, MALFORMED, Random(11))
    with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_INTAKE__FRAME_SIGNALS="20") as cluster:
        await create_inputs_for_large_records(cluster)
        cluster.apply_topics()
        await send_all(cluster, mixed.records)
        intake = cluster.intake()
        cluster.worker()
        if killed:
            await dead_letters(cluster, 1)
            intake.kill()
            intake.start()
        await compare(cluster, expected)
        letters = await dead_letters(cluster, len(MALFORMED))

    assert letters.keys() == mixed.malformed.keys()
    for source, (bad, key) in mixed.malformed.items():
        # After a kill the intake may write a dead letter again, but not another one.
        assert len(letters[source]) == 1 or killed, bad.name
        for letter in letters[source]:
            assert letter.value == bad.value, bad.name
            assert letter.key == key, bad.name
            assert dict(letter.headers)["livefuse.reason"].decode() == bad.reason, bad.name
            assert bad.field is None or bad.field in _header(letter, "message"), bad.name
