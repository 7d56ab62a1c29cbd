"""The harness itself: a broker of the tests survives its own crash with all that was acknowledged."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.kafka.broker import KafkaBroker, KafkaUnavailableError
from tests.kafka.reading import committed

pytestmark = pytest.mark.kafka


async def create_topic(broker: KafkaBroker, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()


async def read(broker: KafkaBroker, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    values = [(await consumer.getone()).value for _ in range(count)]
    await consumer.stop()
    return values


async def test_a_transaction_is_read_only_when_committed(kafka: KafkaBroker, prefix: str) -> None:
    await create_topic(kafka, prefix)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=prefix)
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(prefix, b"aborted")
    await producer.abort_transaction()
    async with producer.transaction():
        await producer.send_and_wait(prefix, b"committed")
    await producer.stop()
    assert await read(kafka, prefix, 1) == [b"committed"]


@pytest.mark.parametrize("end", ["commit", "abort"])
async def test_the_harness_reads_a_topic_to_the_end_of_the_transactions_that_are_open(
    kafka: KafkaBroker, prefix: str, end: str
) -> None:
    await create_topic(kafka, prefix)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=prefix)
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(prefix, b"sent")
    reading = asyncio.create_task(committed(kafka.bootstrap, prefix))
    assert not (await asyncio.wait({reading}, timeout=1.0))[0]
    await (producer.commit_transaction() if end == "commit" else producer.abort_transaction())
    assert [each.value for each in await reading] == ([b"sent"] if end == "commit" else [])
    await producer.stop()


async def test_lz4_and_old_timestamps_are_kept(kafka: KafkaBroker, prefix: str) -> None:
    await create_topic(kafka, prefix)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type="lz4")
    await producer.start()
    record = await producer.send_and_wait(prefix, b"sold in 2010", timestamp_ms=1_291_190_400_000)
    await producer.stop()
    assert record.timestamp == 1_291_190_400_000
    assert await read(kafka, prefix, 1) == [b"sold in 2010"]


async def test_a_killed_broker_comes_back_with_its_data_at_its_address(mortal_kafka: KafkaBroker, prefix: str) -> None:
    broker = mortal_kafka
    address = broker.bootstrap
    await create_topic(broker, prefix)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    await producer.send_and_wait(prefix, b"before")
    broker.kill()
    assert broker.pid is None
    broker.start()
    await producer.send_and_wait(prefix, b"after")
    await producer.stop()
    assert broker.bootstrap == address
    assert await read(broker, prefix, 2) == [b"before", b"after"]


def test_missing_jars_are_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(KafkaUnavailableError, match="make kafka"):
        KafkaBroker(tmp_path / "broker", jars=tmp_path).start()


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path, settings={"num.io.threads": 0})
    with pytest.raises(KafkaUnavailableError, match="num\\.io\\.threads"):
        broker.start()
