"""Sending captures to a cluster: as fast as possible, or each record when its time has come.

The records go to the partitions that the capture names, and must get the offsets that it names.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
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
"""Records of one product that lie in different partitions are sent at least this far apart when they are sent live: the
broker looks at partition after partition, so one answer may hold a later record and not yet an earlier one."""

Source = tuple[str, int]
"""Topic, by the contract's name, and partition."""

Send = Callable[[CaptureRecord], Awaitable[Awaitable[Any]]]
"""Queue a record; what it returns is awaited for the acknowledgement."""


async def send_all(cluster: Cluster, records: Iterable[CaptureRecord], *, idempotent: bool = True) -> None:
    """Send as fast as possible; return when all are acknowledged. The embedded broker has no idempotent producers."""
    async with sender(cluster, idempotent=idempotent) as send:
        await acknowledged([(record, await send(record)) for record in records])


async def acknowledged(pending: Iterable[tuple[CaptureRecord, Awaitable[Any]]]) -> None:
    """Wait until all of them are acknowledged, and see that each has the offset that its capture names."""
    for record, outcome in pending:
        _check_offset(record, (await outcome).offset)


async def send_live(
    cluster: Cluster, records: Sequence[CaptureRecord], lead: timedelta, *, idempotent: bool = True
) -> None:
    """Send each record `lead` before its time has come, acknowledged before the next one of its products is sent.

    Ticks follow the wall clock: a record that is sent long after its time is late for the live system, but not for
    replay. Raises TooLateError when that happened, because nothing can be compared then.
    """
    lead_s, behind_s = lead.total_seconds(), 0.0
    sent: dict[str, tuple[float, Source]] = {}
    async with sender(cluster, idempotent=idempotent) as send:
        rest = list(reversed(records))
        while rest:
            await _sleep_until(rest[-1].ts / 1000 - lead_s)
            wave = _wave(rest, time.time() + lead_s)
            behind_s = max(behind_s, time.time() + lead_s - wave[0].ts / 1000)
            await _sleep_until(max(_earliest(record, sent) for record in wave))
            pending = [await send(record) for record in wave]
            await acknowledged(zip(wave, pending, strict=True))
            for record in wave:
                sent.update(dict.fromkeys(_products(record), (time.time(), _source(record))))
    if behind_s > lead_s:
        raise TooLateError(f"a record was sent {behind_s:.1f} s late: this machine is too slow for this capture")


def _wave(rest: list[CaptureRecord], due_s: float) -> list[CaptureRecord]:
    """Take off the end of `rest` the records that are due and whose order among each other does not matter.

    There is more than one only when the machine has fallen behind. No product is in records of two partitions, and a
    new rule set, which concerns all products, goes alone.
    """
    wave = [rest.pop()]
    where = dict.fromkeys(_products(wave[0]), _source(wave[0]))
    while rest and rest[-1].ts / 1000 <= due_s and _CONTRACT.rules not in {wave[-1].topic, rest[-1].topic}:
        source = _source(rest[-1])
        products = _products(rest[-1])
        if any(where.get(product, source) != source for product in products):
            break
        where.update(dict.fromkeys(products, source))
        wave.append(rest.pop())
    return wave


def _earliest(record: CaptureRecord, sent: Mapping[str, tuple[float, Source]]) -> float:
    """Return when a record may follow those of its products that were sent to other partitions."""
    if record.topic == _CONTRACT.rules:
        return max((at for at, _ in sent.values()), default=0.0) + _GAP_S
    earlier = [sent[each] for each in _products(record) if each in sent]
    return max((at for at, source in earlier if source != _source(record)), default=0.0) + _GAP_S


async def _sleep_until(moment_s: float) -> None:
    await asyncio.sleep(max(0.0, moment_s - time.time()))


@asynccontextmanager
async def sender(cluster: Cluster, *, idempotent: bool = True) -> AsyncIterator[Send]:
    """Yield what sends records of a capture to the cluster; a broker may be away for a while meanwhile."""
    names = dict(zip(_CONTRACT.inputs, cluster.names.inputs, strict=True))
    producer = AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap,
        acks="all",
        enable_idempotence=idempotent,
        max_request_size=16 * 1_048_576,
        request_timeout_ms=60_000,
    )

    async def send(record: CaptureRecord) -> Awaitable[Any]:
        outcome: Awaitable[Any] = await producer.send(
            names[record.topic], record.value, key=record.key, partition=record.partition, timestamp_ms=record.ts
        )
        return outcome

    await producer.start()
    try:
        yield send
    finally:
        await producer.stop()


def _source(record: CaptureRecord) -> Source:
    return record.topic, record.partition


def _products(record: CaptureRecord) -> set[str]:
    value = orjson.loads(record.value)
    return {str(line["product_id"]) for line in value.get("lines", [value]) if "product_id" in line}


def _check_offset(record: CaptureRecord, offset: int) -> None:
    assert offset == record.offset, f"{record.topic}[{record.partition}]: sent to offset {offset}, not {record.offset}"
