"""The embedded broker lists ends that lie in the middle of the last batch; what we read goes to the real ones."""

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded import EmbeddedBroker
from deploy.kafka import read
from streams.config import KafkaConfig
from streams.worker.store import Store

BATCHES = (1, 10, 3, 1, 50)


async def fill(bootstrap: str, topic: str) -> int:
    """Make the topic and write batches to it; return the number of records."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(each, 1, 1) for each in (topic, f"{topic}.signals")])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False) as producer:
        for size in BATCHES:
            batch = producer.create_batch()
            for number in range(size):
                batch.append(key=b"p%d" % number, value=b"%d" % size, timestamp=None)
            await (await producer.send_batch(batch, topic, partition=0))
    return sum(BATCHES)


async def test_a_command_reads_to_the_end(embedded: EmbeddedBroker, prefix: str) -> None:
    count = await fill(embedded.bootstrap, prefix)
    found = read(KafkaConfig({"bootstrap_servers": embedded.bootstrap}), [prefix])
    assert [record.offset async for record in found] == list(range(count))


async def test_a_lane_reads_its_states_to_the_end(
    embedded: EmbeddedBroker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.worker.store._RECORDS_AT_ONCE", 7)
    count = await fill(embedded.bootstrap, prefix)
    store = Store({"bootstrap_servers": embedded.bootstrap}, prefix, f"{prefix}.signals", transactions=False)
    states: dict[str, bytes | None] = {}
    recovered = await store.recover(0, states.__setitem__)
    assert recovered.states == count
    assert states == {f"p{number}": b"50" for number in range(50)}
