"""Sending captures to a cluster: as fast as possible, or each record when its time has come.

The records go to the partitions that the capture names, and must get the offsets that it names.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from deploy.simulator.capture import CaptureRecord
from schemas.topics import TopicNames
from tests.kafka.cluster import Cluster, TooLateError

_CONTRACT: Final = TopicNames()

_GAP_S: Final = 0.03
"""Records of one product that lie in different partitions are sent at least this far apart when they are sent live. The
broker answers a consumer partition after partition, and in one answer a later record may be there and an earlier one not."""

Send = Callable[[CaptureRecord], Awaitable[Awaitable[Any]]]
"""Queue a record; what it returns is awaited for the acknowledgement."""


async def send_all(cluster: Cluster, records: Iterable[CaptureRecord], *, idempotent: bool = True) -> None:
    """Send as fast as possible; return when all are acknowledged. The embedded broker has no idempotent producers."""
    async with _sender(cluster, idempotent=idempotent) as send:
        pending = [(record, await send(record)) for record in records]
        for record, acknowledged in pending:
            _check_offset(record, (await acknowledged).offset)


async def send_live(
    cluster: Cluster, records: Sequence[CaptureRecord], lead: timedelta, *, idempotent: bool = True
) -> None:
    """Send each record `lead` before its time has come, each acknowledged before the next is sent.

    Ticks follow the wall clock: a record that is sent long after its time is late for the live system, but not for replay.
    Raises TooLateError when that happened, because nothing can be compared then.
    """
    behind_s = 0.0
    sent: dict[str, tuple[float, tuple[str, int]]] = {}
    async with _sender(cluster, idempotent=idempotent) as send:
        for record in records:
            products, source = _products(record), (record.topic, record.partition)
            planned_s = record.ts / 1000 - lead.total_seconds()
            elsewhere = [sent[each][0] for each in products if each in sent and sent[each][1] != source]
            # A new rule set concerns every product.
            latest_s = time.time() if record.topic == _CONTRACT.rules else max(elsewhere, default=0.0)
            await asyncio.sleep(max(0.0, planned_s - time.time(), latest_s + _GAP_S - time.time()))
            _check_offset(record, (await (await send(record))).offset)
            sent.update(dict.fromkeys(products, (time.time(), source)))
            behind_s = max(behind_s, time.time() - planned_s)
    if behind_s > lead.total_seconds():
        raise TooLateError(f"a record was sent {behind_s:.1f} s late: this machine is too slow to send this capture live")


@asynccontextmanager
async def _sender(cluster: Cluster, *, idempotent: bool) -> AsyncIterator[Send]:
    names = dict(zip(_CONTRACT.inputs, cluster.names.inputs, strict=True))
    producer = AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap,
        acks="all",
        enable_idempotence=idempotent,
        max_request_size=16 * 1_048_576,
        # A broker may be away for a while in the middle of a test.
        request_timeout_ms=60_000,
    )

    async def send(record: CaptureRecord) -> Awaitable[Any]:
        acknowledged: Awaitable[Any] = await producer.send(
            names[record.topic], record.value, key=record.key, partition=record.partition, timestamp_ms=record.ts
        )
        return acknowledged

    await producer.start()
    try:
        yield send
    finally:
        await producer.stop()


def _products(record: CaptureRecord) -> set[str]:
    value = orjson.loads(record.value)
    return {str(line["product_id"]) for line in value.get("lines", [value]) if "product_id" in line}


def _check_offset(record: CaptureRecord, offset: int) -> None:
    assert offset == record.offset, f"{record.topic}[{record.partition}]: sent to offset {offset}, not {record.offset}"
