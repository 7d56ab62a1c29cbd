"""Feeding: partitions, order, keys and timestamps survive, and pace is kept."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from deploy.embedded import EmbeddedBroker
from deploy.simulator import CaptureRecord, SaleConfig, simulate
from deploy.simulator.feed import Rate, feed
from tests.alerts.pager.clock import Clock


class Producer:
    """Stands in for AIOKafkaProducer: topics have two partitions; what is sent is kept with the time of sending."""

    def __init__(self, **arguments: object) -> None:
        self.arguments = arguments
        self.clock: Callable[[], float] = time.monotonic
        self.sent: list[tuple[float, str, int, int]] = []
        self.flushed = self.stopped = False

    async def start(self) -> None:
        """Do nothing."""

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0, 1}

    async def send(self, *record: Any, timestamp_ms: int) -> "asyncio.Future[None]":
        topic, value, _key, partition = record
        self.sent.append((self.clock(), topic, partition, timestamp_ms))
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if value == b"too large":
            acknowledged.set_exception(MessageSizeTooLargeError())
        else:
            acknowledged.set_result(None)
        return acknowledged

    async def flush(self) -> None:
        self.flushed = True
        await asyncio.sleep(0)

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    """Take the place of aiokafka's producer."""
    producer = Producer()

    def make(**arguments: object) -> Producer:
        producer.arguments = arguments
        return producer

    monkeypatch.setattr("deploy.simulator.feed.AIOKafkaProducer", make)
    return producer


def records(count: int, step_ms: int) -> list[CaptureRecord]:
    return [
        CaptureRecord("live.orders", number % 4, number // 4, number * step_ms, None, b"{}") for number in range(count)
    ]


async def test_topics_are_renamed_and_partitions_fit(producer: Producer) -> None:
    counts: list[int] = []
    sent = await feed(
        records(1_000, 1),
        {"bootstrap_servers": "b:9092"},
        names={"live.orders": "shop.orders"},
        idempotent=True,
        progress=counts.append,
    )
    assert sent == 1_000
    assert counts[-1] == 1_000
    assert [(topic, partition, ts) for _, topic, partition, ts in producer.sent] == [
        ("shop.orders", number % 2, number) for number in range(1_000)
    ]
    assert producer.arguments["enable_idempotence"] is True
    assert producer.arguments["bootstrap_servers"] == "b:9092"
    assert producer.flushed
    assert producer.stopped


@pytest.mark.parametrize(
    ("rate", "speed", "step_s"), [("live", 1.0, 0.01), ("live", 4.0, 0.0025), (50.0, 1.0, 0.02), (None, 1.0, 0.0)]
)
async def test_records_go_out_at_their_time(
    producer: Producer, monkeypatch: pytest.MonkeyPatch, rate: Rate, speed: float, step_s: float
) -> None:
    clock = Clock()
    producer.clock = clock
    monkeypatch.setattr("deploy.simulator.feed.time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr("deploy.simulator.feed.asyncio", SimpleNamespace(sleep=clock.sleep))
    await feed(records(21, 10), {}, rate=rate, speed=speed)
    began = producer.sent[0][0]
    assert [at - began for at, *_ in producer.sent] == pytest.approx([number * step_s for number in range(21)])


@pytest.mark.parametrize("after", [0, 5])
async def test_a_record_that_is_not_taken_ends_the_feed(producer: Producer, after: int) -> None:
    refused = CaptureRecord("live.orders", 0, 0, 0, None, b"too large")
    with pytest.raises(KafkaError):
        await feed([refused, *records(after, 1)], {})
    assert producer.stopped


async def test_a_sale_arrives_at_a_broker_as_it_was_made(embedded: EmbeddedBroker) -> None:
    sale = list(simulate(SaleConfig(duration=timedelta(minutes=1), products=100)))
    client: Mapping[str, Any] = {"bootstrap_servers": embedded.bootstrap}
    names = {topic: f"t.{topic}" for topic in {record.topic for record in sale}}
    admin = AIOKafkaAdminClient(**client)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=4, replication_factor=1) for name in names.values()])
    await admin.close()
    assert await feed(sale, client, names=names) == len(sale)

    expected: defaultdict[tuple[str, int], list[tuple[int, bytes | None, bytes]]] = defaultdict(list)
    for record in sale:
        expected[names[record.topic], record.partition].append((record.ts, record.key, record.value))
    found: defaultdict[tuple[str, int], list[tuple[int, bytes | None, bytes]]] = defaultdict(list)
    consumer = AIOKafkaConsumer(**client, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(*source) for source in expected])
    count = 0
    while count < len(sale):
        for batch in (await consumer.getmany(timeout_ms=1_000)).values():
            count += len(batch)
            for each in batch:
                found[each.topic, each.partition].append((each.timestamp, each.key, each.value))
    await consumer.stop()
    assert found == expected
