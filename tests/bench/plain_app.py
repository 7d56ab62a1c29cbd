"""What Python can do with this Kafka client at best: a loop around aiokafka, with the state in dicts.

One merged topic, nothing validated, re-keyed or deduplicated, simplified rules, and nothing survives a crash. It runs
by `python -m tests.bench.plain_app` until it is ended; the environment names broker and application.
"""

import asyncio
import os
from collections import defaultdict
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.bench.backlog import PARTITIONS
from tests.bench.simple_rules import SimpleRules

_APPLICATION: Final = os.environ.get("BENCH_APPLICATION", "bench-plain")
_BROKER: Final = os.environ.get("BENCH_BROKER", "localhost:9092")


async def run() -> None:
    """Send an event for each record that trips a product."""
    rules = SimpleRules(defaultdict(int), defaultdict(int), defaultdict(int), {}, {})
    consumer = AIOKafkaConsumer(bootstrap_servers=_BROKER, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=_BROKER)
    async with consumer, producer:
        consumer.assign([TopicPartition(f"{_APPLICATION}-input", number) for number in range(PARTITIONS)])
        while True:
            for fetched in (await consumer.getmany(timeout_ms=1000)).values():
                for each in fetched:
                    record = orjson.loads(each.value)
                    rule = rules.apply(record)
                    if rule is not None:
                        event = {"product_id": record["product_id"], "rule": rule}
                        await producer.send(f"{_APPLICATION}-events", orjson.dumps(event), each.key)


if __name__ == "__main__":
    asyncio.run(run())
