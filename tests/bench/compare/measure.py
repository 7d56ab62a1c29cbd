"""The course that each program runs, on topics of its own and with nobody else at work.

    start-up   it starts, and only sentinels wait           CPU seconds of a start
    backlog    it starts, and a backlog waits               records per CPU second, what it finds, peak memory
    probes     one order at a time oversells a product      latency from produced (acks=all) to consumed event
    crash      anew, with a second backlog behind the first: in the middle of it `kill -9`, and started again at once:
               the time until the first event that had not come before, and until everything has been applied; what is
               missing, what came twice

Nothing is read before all of a backlog is there: a program that has caught up has passed the present, and everything
in a backlog would be late for it.

The same records, partitions and broker for all. CPU time and memory are those of all processes of the program.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from itertools import chain
from random import Random
from statistics import quantiles
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import Sku
from deploy.simulator.feed import feed
from deploy.simulator.messages import order, order_line, stock_level
from tests.bench.backlog import NAMES, PARTITIONS, backlog, end_ms, tripping
from tests.bench.compare.running import Running, cpu, peak_bytes
from tests.bench.report import Figure, Result, tell

_PATIENCE: Final = timedelta(minutes=5)
_LONGEST: Final = timedelta(seconds=20)
_SETTLE_S: Final = 1.0
_WARM_UP: Final = 20
_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.02, 0.12
_KILLED_AFTER: Final = 2
_MIB: Final = 2**20

Open = Callable[[], AbstractAsyncContextManager[Running]]
"""Prepares a program anew, on new topics."""


class Course(NamedTuple):
    """How much: records of the backlog and of the second one, and probes."""

    records: int
    second: int
    probes: int


class _Crash(NamedTuple):
    """Seconds from the second start, and the products of both backlogs and what their events said."""

    first_s: float
    applied_s: float
    found: Counter[tuple[str, str]]


async def measure(name: str, opened: Open, course: Course, code: int) -> Result:
    """Run the course. `code` is how many lines the program has."""
    tell(f"{name}: a start with nothing to do")
    async with opened() as running:
        await _load(running, running.sentinels(0, _now_ms()))
        await _run(running, 0)
        idle_s = cpu(running)
    async with opened() as running:
        ended_ms = _ended_ms()
        await _load(running, _first(course, ended_ms))
        await _load(running, running.sentinels(0, ended_ms))
        took_s = await _run(running, 0)
        busy_s, peak = cpu(running), peak_bytes(running)
        found = _found(running)
        tell(f"{name}: {busy_s:.1f} s of CPU in {took_s:.1f} s, {_hits(found, 0)} found; probes")
        delays_ms = await _probes(running, course.probes)
        peak = max(peak, peak_bytes(running))
    tell(f"{name}: p50 {_percentile(delays_ms, 50):.1f} ms, p99 {_percentile(delays_ms, 99):.1f} ms; a crash")
    async with opened() as running:
        crash = await _crash(running, course)
    return Result(
        name,
        (
            Figure("records per CPU second", course.records / busy_s),
            Figure("records per CPU second, start-up apart", course.records / (busy_s - idle_s)),
            Figure("records", course.records),
            Figure("CPU", busy_s, "s"),
            Figure("CPU of the start-up", idle_s, "s"),
            Figure("from the start to the last event", took_s, "s"),
            Figure("incidents", len(tripping(0))),
            Figure("incidents found", _hits(found, 0)),
            Figure("false alarms", _false_alarms(found)),
            Figure("latency p50", _percentile(delays_ms, 50), "ms"),
            Figure("latency p99", _percentile(delays_ms, 99), "ms"),
            Figure("latency, largest", max(delays_ms), "ms"),
            Figure("probes", len(delays_ms)),
            Figure("peak memory", peak / _MIB, "MiB"),
            Figure("second start to the first new event", crash.first_s, "s"),
            Figure("second start to all applied", crash.applied_s, "s"),
            Figure("incidents around the crash found", _hits(crash.found, 1)),
            Figure("events that came twice", sum(crash.found.values()) - len(crash.found)),
            Figure("lines of code", code),
        ),
    )


async def _run(running: Running, batch: int) -> float:
    """Start and return the seconds until a batch is applied; what belongs to it may go through after that."""
    began_s = time.monotonic()
    running.start()
    took_s = await _until(running, lambda: running.done(batch)) - began_s
    await asyncio.sleep(_SETTLE_S)
    return took_s


async def _until(running: Running, condition: Callable[[], bool]) -> float:
    """Return when the condition holds (`time.monotonic`). Raises when a process ends by itself."""
    await running.listener.until(lambda: bool(running.pids) and condition(), _PATIENCE)
    return time.monotonic()


async def _probes(running: Running, number: int) -> list[float]:
    """Return the milliseconds of each probe."""
    rng = Random(1)
    producer = AIOKafkaProducer(bootstrap_servers=running.bootstrap, acks="all")
    await producer.start()
    delays_ms = []
    try:
        for sku in _probed(number):
            await asyncio.sleep(rng.uniform(_LEAST_PAUSE_S, _MOST_PAUSE_S))
            waiting = asyncio.create_task(running.listener.wait_for([sku.product_id], 1, _LONGEST))
            message = order(f"order-{sku.product_id}", _now_ms(), sku.room_id, [order_line(sku, 10)])
            began_s = time.monotonic()
            await producer.send(running.topics[NAMES.orders], message.value, message.key)
            delays_ms.append((await waiting - began_s) * 1000)
    finally:
        await producer.stop()
    return delays_ms[_WARM_UP:]


async def _crash(running: Running, course: Course) -> _Crash:
    """Kill it in the second backlog. Raises RuntimeError when that was too late."""
    incidents, seen = tripping(1), running.listener.values
    ended_ms = _ended_ms()
    middle_ms = ended_ms - end_ms(course.second, 0)
    for batch, (size, end) in enumerate(((course.records, middle_ms), (course.second, ended_ms))):
        records = backlog(size, end - end_ms(size, 0), batch=batch)
        await _load(running, chain(records, running.sentinels(batch, end)))
    running.start()
    await _until(running, lambda: len(incidents.keys() & seen.keys()) >= _KILLED_AFTER)
    running.kill()
    if running.done(1):
        raise RuntimeError("all was applied before the kill: nothing was measured, take a larger backlog")
    before = set(seen)
    began_s = time.monotonic()
    running.start()
    first_s = await _until(running, lambda: bool(seen.keys() - before)) - began_s
    applied_s = await _until(running, lambda: running.done(1)) - began_s
    return _Crash(first_s, applied_s, _found(running))


def _found(running: Running) -> Counter[tuple[str, str]]:
    """Return how often each product was told to trip each rule."""
    told = ((product, running.rule(value)) for product, values in running.listener.values.items() for value in values)
    return Counter((product, rule) for product, rule in told if rule is not None)


def _hits(found: Iterable[tuple[str, str]], batch: int) -> int:
    return len(set(found) & set(tripping(batch).items()))


def _false_alarms(found: Iterable[tuple[str, str]]) -> int:
    return sum(not product.startswith("sentinel") for product, _ in set(found) - set(tripping(0).items()))


def _first(course: Course, end: int) -> Iterable[CaptureRecord]:
    """Yield the backlog, and plenty of time before its end the stock of what the probes will oversell."""
    for number, sku in enumerate(_probed(course.probes)):
        ts_ms, topic, key, value = stock_level(sku, end - end_ms(course.records, 0), 5)
        yield CaptureRecord(topic, number % PARTITIONS, 0, ts_ms, key, value)
    yield from backlog(course.records, end - end_ms(course.records, 0))


def _probed(number: int) -> list[Sku]:
    return [Sku(f"probe-{each}", None, "home", "room-1") for each in range(_WARM_UP + number)]


async def _load(running: Running, records: Iterable[CaptureRecord]) -> None:
    await feed(records, {"bootstrap_servers": running.bootstrap}, names=running.topics)


def _percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _ended_ms() -> int:
    """Return when a backlog ends: Kafka takes no records from the future."""
    return _now_ms() - 60_000


def _now_ms() -> int:
    return int(time.time() * 1000)
