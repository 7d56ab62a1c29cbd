"""The end of a backlog for programs that do not merge their topics: sentinels in every partition of every topic.

A program answers each of them with an event. Those of one partition go to all partitions by product, so when all have
been answered everything before them has been applied, in whatever order the topics were read.
"""

from itertools import count, islice
from typing import Final

from aiokafka.partitioner import murmur2

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import Sku
from deploy.simulator.messages import Message, complaint, goods_return, order, order_line, stock_level
from tests.bench.backlog import NAMES, PARTITIONS, PLENTY
from tests.bench.compare.rules import SENTINEL

_INPUTS: Final = (NAMES.orders, NAMES.returns, NAMES.complaints, NAMES.stock_levels)


def ending(batch: int, at_ms: int) -> dict[str, CaptureRecord]:
    """Return the sentinels of a batch by product, of a time later than all records before."""
    return {
        sku.product_id: _record(topic, partition, at_ms, sku)
        for topic in _INPUTS
        for partition in range(PARTITIONS)
        for sku in _skus(f"{SENTINEL}-{batch}-{topic}-{partition}")
    }


def keyed(product_id: str) -> int:
    """Return the partition of a product by the hash of Kafka's own clients."""
    return (int(murmur2(product_id.encode())) & 0x7FFFFFFF) % PARTITIONS


def _skus(prefix: str) -> list[Sku]:
    """Return a product for each partition."""
    names = (f"{prefix}-{number}" for number in count())
    found = {keyed(name): name for name in islice(names, 32)}
    if len(found) < PARTITIONS:
        raise RuntimeError(f"no product of {prefix} for some partition")
    return [Sku(name, None, "home", "room-1") for name in found.values()]


def _record(topic: str, partition: int, at_ms: int, sku: Sku) -> CaptureRecord:
    message = _message(topic, at_ms, sku)
    return CaptureRecord(topic, partition, 0, at_ms, message.key, message.value)


def _message(topic: str, at_ms: int, sku: Sku) -> Message:
    if topic == NAMES.orders:
        return order(sku.product_id, at_ms, sku.room_id, [order_line(sku, 1)])
    if topic == NAMES.returns:
        return goods_return(sku.product_id, at_ms, sku)
    if topic == NAMES.complaints:
        return complaint(sku.product_id, at_ms, sku, "other")
    return stock_level(sku, at_ms, PLENTY)
