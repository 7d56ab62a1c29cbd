"""Memory and recovery: a million products with state in one worker, and how soon it is back after a restart.

Each product gets a stock level and an order. The worker's memory is what Linux counts as resident. Recovery counts from
the start of the interpreter of the new worker until the event of a new signal has come out of each of its lanes.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import Sku
from deploy.simulator.messages import Message, order, order_line, stock_level
from tests.bench.backlog import PARTITIONS, PLENTY, sentinel_products, sentinels
from tests.bench.pipeline import Pipeline
from tests.bench.process import cpu_seconds, memory
from tests.bench.report import Figure, Result, tell

_MIB: Final = 2**20
PER_SECOND: Final = 500
_AT_ONCE: Final = 10_000


class States(NamedTuple):
    """How many products have a state, and the bytes of all their states, keys not counted."""

    products: int
    size: int


async def measure(bootstrap: str, directory: Path, products: int) -> Result:
    """Measure with so many products."""
    async with Pipeline.opened(bootstrap, directory, "memory") as pipeline:
        listener = pipeline.listener
        start_ms = int(time.time() * 1000) - 2 * 3_600_000
        tell(f"writing the stock levels and orders of {products:,} products")
        await pipeline.load(known(products, start_ms))
        await pipeline.load(sentinels(start_ms + 3_600_000))
        tell("one intake and one worker start")
        pipeline.start()
        await pipeline.applied(1)
        await pipeline.settle()
        full = memory(pipeline.worker.pid)
        intake = memory(pipeline.intake.pid)
        tell(f"all applied; the worker has {full.now / _MIB:.0f} MiB. It ends, and starts again")
        pipeline.worker.drain()
        await pipeline.load(sentinels(start_ms + 3_600_001, number=2))
        began_s = time.monotonic()
        pipeline.worker.start()
        last_s = await pipeline.applied(2)
        first_s = min(listener.arrived_s[product_id][1] for product_id in sentinel_products())
        await pipeline.settle()
        recovered = memory(pipeline.worker.pid)
        cpu_s = cpu_seconds(pipeline.worker.pid)
        pipeline.drain()
        stored = await states(bootstrap, pipeline.cluster.names.state)
    return Result(
        "memory and recovery",
        (
            Figure("products with state", stored.products),
            Figure("bytes of state a product", stored.size / max(1, stored.products), "bytes"),
            Figure("worker after applying", full.now / _MIB, "MiB"),
            Figure("worker after applying, at most", full.peak / _MIB, "MiB"),
            Figure("intake after applying, at most", intake.peak / _MIB, "MiB"),
            Figure("worker after recovery", recovered.now / _MIB, "MiB"),
            Figure("worker after recovery, at most", recovered.peak / _MIB, "MiB"),
            Figure("recovery, first lane", first_s - began_s, "s"),
            Figure("recovery, all lanes", last_s - began_s, "s"),
            Figure("CPU of the recovery", cpu_s, "s"),
        ),
    )


def known(products: int, start_ms: int) -> Iterator[CaptureRecord]:
    """Yield a stock level and an order of each product, in order of time in each topic: 500 products a second.

    Products are dealt to the partitions in turn.
    """
    for first in range(0, products, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, products))
        for number in numbers:
            yield _record(stock_level(numbered(number), start_ms + first * 1000 // PER_SECOND, PLENTY), number)
        for number in numbers:
            at_ms = start_ms + number * 1000 // PER_SECOND
            yield _record(order(f"o{number}", at_ms, "room-1", [order_line(numbered(number), 1)]), number)


def numbered(number: int) -> Sku:
    """Return the only SKU of a product of this number."""
    return Sku(f"product-{number:07d}", None, "home", "room-1")


def _record(message: Message, number: int) -> CaptureRecord:
    ts_ms, topic, key, value = message
    return CaptureRecord(topic, number % PARTITIONS, number // PARTITIONS, ts_ms, key, value)


async def states(bootstrap: str, topic: str) -> States:
    """Read what a topic of states holds."""
    sizes: dict[bytes, int] = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_committed",
        max_partition_fetch_bytes=16 * _MIB, fetch_max_bytes=64 * _MIB,
    )  # fmt: skip
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                # The lane's own record has a key that no product can have.
                sizes.update((record.key, len(record.value or b"")) for record in records if record.key[:1] != b"\0")
    finally:
        await consumer.stop()
    return States(len(sizes), sum(sizes.values()))
