"""How the pipeline stands, on the embedded broker; on a real Kafka it is tests/kafka/test_pipeline.py."""

from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from deploy.embedded import EmbeddedBroker
from deploy.pipeline import SETTLED_S, Pipeline, Waiting
from deploy.settings import Settings
from tests.kafka.cluster import Cluster
from tests.kafka.pipeline import look, sees_records_and_processes

P = TopicPartition("t", 0)
Q = TopicPartition("t", 1)


def test_what_is_read_at_once_does_not_wait() -> None:
    waiting = Waiting([P])
    for now in range(20):
        assert waiting.take(now, {P: 100 * now}, {P: 100 * now - 30}) == 0
        assert waiting.lag == 0


def test_a_record_waits_since_it_was_seen_and_counts_when_it_has_waited() -> None:
    waiting = Waiting([P, Q])
    assert waiting.take(0, {P: 0, Q: 7}, {P: 0, Q: 7}) == 0
    assert waiting.take(2, {P: 3, Q: 9}, {P: 0, Q: 9}) == 0
    assert waiting.take(4, {P: 5, Q: 9}, {P: 0, Q: 9}) == 0
    assert waiting.lag == 0
    assert waiting.take(6, {P: 9, Q: 9}, {P: 0, Q: 9}) == 4
    assert waiting.lags == {P: 3, Q: 0}
    # Half of it is done: what waits now came at 4.
    assert waiting.take(8, {P: 9, Q: 9}, {P: 3, Q: 9}) == 4
    assert waiting.lag == 2
    assert waiting.take(10, {P: 9, Q: 9}, {P: 9, Q: 9}) == 0
    assert waiting.lag == 0


def test_a_long_wait_takes_no_more_memory() -> None:
    waiting = Waiting([P])
    for now in range(5_000):
        waited = waiting.take(now, {P: 10 + now}, {P: 0})
    assert waited == 4_999
    assert waiting.lag == 10 + 4_999 - SETTLED_S


async def test_a_broker_that_is_away_is_told_and_found_again(
    embedded: EmbeddedBroker, prefix: str, tmp_path: Path
) -> None:
    with Cluster(embedded.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        settings = Settings.load(None, cluster.environment)
    away = settings.model_copy(update={"bootstrap_servers": ("127.0.0.1:1",)})
    async with Pipeline(away) as pipeline:
        for _ in range(2):
            with pytest.raises((KafkaError, OSError)):
                await pipeline.look()
        pipeline._settings = settings  # noqa: SLF001 (the broker has come to where it is asked for)
        assert (await look(pipeline)).workers == 0


async def test_it_sees_records_and_processes(embedded: EmbeddedBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(embedded.bootstrap, prefix, tmp_path) as cluster:
        cluster.apply_topics()
        await sees_records_and_processes(cluster, idempotent=False)
