"""Idle latency: from a produced record to the fuse event at a consumer, while nothing else happens.

Each probe is the first complaint about a fresh product, under a rule that trips at the first one. The time counts from
before the record is handed to the producer (acks=all) until a `read_committed` consumer hands out the event.

The timestamps that Kafka keeps tell where the time goes, to a millisecond, so the stages are means:

    record ──▶ frame   the record's way to the intake, parsing, merging
    frame ──▶ event    the frame's way to the worker, the decision, until the lane begins its transaction
    event ──▶ reader   the transaction, and the event's way to the consumer
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import fmean, quantiles
from typing import Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import Sku
from deploy.simulator.messages import complaint
from schemas.rules import DEFAULT_RULES, ComplaintSurgeLimits, Rule, RuleSet
from tests.bench.backlog import NAMES, PARTITIONS, sentinels
from tests.bench.pipeline import Pipeline
from tests.bench.process import hurried
from tests.bench.report import Figure, Result, tell
from tests.kafka.cluster import LIVEFUSE

_WARM_UP: Final = 30
_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.05, 0.25
_LONGEST: Final = timedelta(seconds=10)
_IDLE_S: Final = 10.0
_PRODUCT: Final = 4
"""The place of the product in a signal."""


class _Probe(NamedTuple):
    """When a probe was produced, on the wall clock, and how long it took to its event."""

    product_id: str
    produced_ms: float
    took_ms: float


async def measure(
    bootstrap: str, directory: Path, probes: int, program: Sequence[str] = LIVEFUSE, *, realtime: bool
) -> Result:
    """Measure with so many probes, one at a time, at random intervals.

    With `realtime` other processes of the machine do not get in the way.
    """
    async with Pipeline.opened(bootstrap, directory, "latency", program) as pipeline:
        await pipeline.load(_rules())
        await pipeline.load(sentinels(_now_ms()))
        pipeline.start()
        await pipeline.applied(1)
        await pipeline.settle()
        with hurried() if realtime else nullcontext():
            tell(f"doing nothing for {_IDLE_S:.0f} s")
            before = pipeline.cpu()
            await asyncio.sleep(_IDLE_S)
            idle = pipeline.cpu()
            tell(f"{probes} probes")
            found = await _probes(bootstrap, pipeline, probes)
        framed_ms = await _framed(bootstrap, pipeline.cluster.names.signals)
        written_ms = {each.product_id: pipeline.listener.written_ms[each.product_id][0] for each in found}
        pipeline.drain()
    took_ms = [each.took_ms for each in found]
    return Result(
        "latency, real-time priority" if realtime else "latency",
        (
            Figure("p50", _percentile(took_ms, 50), "ms"),
            Figure("p90", _percentile(took_ms, 90), "ms"),
            Figure("p99", _percentile(took_ms, 99), "ms"),
            Figure("largest", max(took_ms), "ms"),
            Figure("mean", fmean(took_ms), "ms"),
            Figure(
                "mean, record to frame", fmean(framed_ms[each.product_id] - each.produced_ms for each in found), "ms"
            ),
            Figure(
                "mean, frame to event",
                fmean(written_ms[each.product_id] - framed_ms[each.product_id] for each in found),
                "ms",
            ),
            Figure(
                "mean, event to reader",
                fmean(each.produced_ms + each.took_ms - written_ms[each.product_id] for each in found),
                "ms",
            ),
            Figure("probes", probes),
            Figure("CPU while idle, intake", 100 * (idle.intake - before.intake) / _IDLE_S, "%"),
            Figure("CPU while idle, worker", 100 * (idle.worker - before.worker) / _IDLE_S, "%"),
        ),
    )


async def _probes(bootstrap: str, pipeline: Pipeline, number: int) -> list[_Probe]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        rng = Random(1)
        return [
            await _probe(pipeline, producer, f"probe-{each}", rng.uniform(_LEAST_PAUSE_S, _MOST_PAUSE_S))
            for each in range(_WARM_UP + number)
        ][_WARM_UP:]
    finally:
        await producer.stop()


async def _probe(pipeline: Pipeline, producer: AIOKafkaProducer, product_id: str, pause_s: float) -> _Probe:
    listening = asyncio.create_task(pipeline.listener.wait_for([product_id], 1, _LONGEST))
    await asyncio.sleep(pause_s)
    sku = Sku(product_id, None, "home", "room-1")
    message = complaint(f"complaint-{product_id}", _now_ms(), sku, "quality")
    # The clocks of Kafka's timestamps are whole milliseconds, rounded down.
    produced_ms = time.time() * 1000 - 0.5
    began_s = time.monotonic()
    await producer.send(pipeline.cluster.names.complaints, message.value, message.key)
    return _Probe(product_id, produced_ms, (await listening - began_s) * 1000)


async def _framed(bootstrap: str, topic: str) -> dict[str, int]:
    """Return for each product when its first frame was handed to Kafka (ms)."""
    found: dict[str, int] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    for signal in orjson.loads(record.value)["signals"]:
                        found.setdefault(signal[_PRODUCT], record.timestamp)
    finally:
        await consumer.stop()
    return found


def _rules() -> Iterator[CaptureRecord]:
    """Yield the rules of a fresh system and one more, which trips at the first complaint."""
    probe = Rule(id="probe", kind="complaint_surge", limits=ComplaintSurgeLimits(more_than=0))
    now_ms = _now_ms()
    rules = RuleSet(version=1, issued_at=now_ms, actor="benchmark", rules=(*DEFAULT_RULES.rules, probe))
    yield CaptureRecord(NAMES.rules, 0, 0, now_ms, b"rules", rules.model_dump_json().encode())


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _now_ms() -> int:
    return int(time.time() * 1000)
