"""The console: from the time of a fuse event's record to 500 open pages, and what that costs the console.

Real: Kafka, the console's process, its streams over TCP. Events and states are written here as a worker writes them,
in transactions, so many a second; the pages are connections of other processes that look for marks in what they get.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from alerts.console.feed import MOST_EVENTS
from deploy.embedded import free_port
from deploy.tether import tethered
from schemas.events import event_id
from schemas.times import from_ms
from schemas.topics import partition_of
from tests.bench.process import cpu_seconds, hurried, memory
from tests.bench.report import Figure, Result, tell
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster

PAGES: Final = 500
PROCESSES: Final = 2
EVENTS_A_SECOND: Final = 200
SECONDS: Final = 40
_STEP_S: Final = 0.05
_MARKED: Final = 20
_WARM_UP_S: Final = 5
_SAMPLE_S: Final = 5
_GOAL_S: Final = 0.5
_FILL_MS: Final = 600_000
_MIB: Final = 2**20


class _Worker:
    """Writes openings, and acknowledgements of what is open, of so many products."""

    def __init__(self, cluster: Cluster, producer: AIOKafkaProducer, products: int) -> None:
        self._names = cluster.names
        self._producer = producer
        self._sequences = dict.fromkeys((f"product-{number}" for number in range(products)), 0)
        self._rng = Random(1)
        self._count = 0

    async def fill(self) -> None:
        """Write as many events as a console keeps, and all states, each with an open fuse: it is in the midst of it."""
        products = list(self._sequences)
        for number in range(max(MOST_EVENTS, len(products))):
            product_id = products[number % len(products)]
            self._sequences[product_id] += 1
            if number < MOST_EVENTS:
                event = _event(product_id, self._sequences[product_id], _now_ms(), marked=False)
                await self._send(self._names.fuse_events, product_id, event)
        for number, (product_id, sequence) in enumerate(self._sequences.items()):
            since_ms = _now_ms() - number % 3_600_000
            await self._send(self._names.fuse_state, product_id, _state(product_id, sequence, since_ms))

    async def step(self, events: int) -> None:
        """Write so many events and their states, in one transaction."""
        async with self._producer.transaction():
            for product_id in self._rng.sample(list(self._sequences), events):
                self._sequences[product_id] += 1
                sequence = self._sequences[product_id]
                now_ms = _now_ms()
                self._count += 1
                marked = self._count % _MARKED == 0
                await self._send(
                    self._names.fuse_events, product_id, _event(product_id, sequence, now_ms, marked=marked)
                )
                await self._send(self._names.fuse_state, product_id, _state(product_id, sequence, now_ms))

    async def _send(self, topic: str, product_id: str, value: dict[str, Any]) -> None:
        partition = partition_of(product_id, SIGNALS_PARTITIONS)
        text = json.dumps(value, separators=(",", ":")).encode()
        await self._producer.send(topic, text, key=product_id.encode(), partition=partition)


async def measure(bootstrap: str, directory: Path, open_fuses: int, *, realtime: bool) -> Result:
    """Measure with so many products that have an open fuse.

    With `realtime` other processes of the machine do not get in the way.
    """
    prefix = f"t{uuid4().hex[:10]}"
    with Cluster(bootstrap, prefix, directory / prefix) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            transactional_id=prefix,
            linger_ms=5,
            transaction_timeout_ms=_FILL_MS,
        )
        await producer.start()
        try:
            worker = _Worker(cluster, producer, open_fuses)
            async with producer.transaction():
                await worker.fill()
            with hurried() if realtime else nullcontext():
                async with _console(cluster) as (pid, port, rebuilt_s):
                    result = await _watch(worker, pid, port)
            first = (Figure("open fuses", open_fuses), Figure("rebuilt in", rebuilt_s, "s"))
            return result._replace(figures=first + result.figures)
        finally:
            await producer.stop()


async def _watch(worker: _Worker, pid: int, port: int) -> Result:
    alone = memory(pid).now
    async with _pages(port) as processes:
        tell(f"{PAGES} pages are open")
        writing = asyncio.create_task(_write(worker))
        await asyncio.sleep(_WARM_UP_S)
        samples = [memory(pid).now]
        cpu, began = cpu_seconds(pid), time.monotonic()
        for _ in range(SECONDS // _SAMPLE_S):
            await asyncio.sleep(_SAMPLE_S)
            samples.append(memory(pid).now)
        took = time.monotonic() - began
        used = cpu_seconds(pid) - cpu
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        found = [await _end(each) for each in processes]
    delays = sorted(delay / 1000 for each in found for delay in each["delays"])
    percent = quantiles(delays, n=100, method="inclusive")
    lost = sum(each["lost"] for each in found)
    return Result(
        "console",
        (
            Figure("pages", PAGES),
            Figure("events", EVENTS_A_SECOND, "/s"),
            Figure("p50", percent[49], "s"),
            Figure("p90", percent[89], "s"),
            Figure("p99", percent[98], "s"),
            Figure("largest", delays[-1], "s"),
            Figure("later than 0.5 s", sum(each > _GOAL_S for each in delays)),
            Figure("arrivals", len(delays)),
            Figure("CPU of the console", used / took, "s/s"),
            Figure("to all pages", sum(each["bytes"] for each in found) / (took + _WARM_UP_S) / _MIB, "MiB/s"),
            Figure("memory without pages", alone / _MIB, "MiB"),
            Figure("memory, first", samples[0] / _MIB, "MiB"),
            Figure("memory, last", samples[-1] / _MIB, "MiB"),
            Figure("memory, most", memory(pid).peak / _MIB, "MiB"),
        ),
        f"{lost} pages were dropped" if lost else None,
    )


async def _write(worker: _Worker) -> None:
    due = time.monotonic()
    while True:
        await worker.step(int(EVENTS_A_SECOND * _STEP_S))
        due += _STEP_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))


@asynccontextmanager
async def _console(cluster: Cluster) -> AsyncIterator[tuple[int, int, float]]:
    """Run a console; yield its process, its port, and how long it took to be ready (seconds)."""
    port = free_port()
    settings = {
        "bootstrap": cluster.bootstrap,
        "prefix": cluster.names.prefix,
        "partitions": SIGNALS_PARTITIONS,
        "port": port,
    }
    process = await _started("tests.bench.console_app", json.dumps(settings))
    try:
        assert process.stdout is not None
        words = (await process.stdout.readline()).split()
        if words[:1] != [b"ready"]:
            raise RuntimeError("the console did not start")
        yield process.pid, port, float(words[1])
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _pages(port: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    processes = [
        await _started("tests.bench.console_pages", str(port), str(PAGES // PROCESSES), str(number))
        for number in range(PROCESSES)
    ]
    try:
        for each in processes:
            assert each.stdout is not None
            if await each.stdout.readline() != b"joined\n":
                raise RuntimeError("the pages did not open")
        yield processes
    finally:
        for each in processes:
            if each.returncode is None:
                each.kill()
                await each.wait()


async def _end(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    process.terminate()
    found: dict[str, Any] = json.loads(await process.stdout.readline())
    await process.wait()
    return found


async def _started(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *tethered([sys.executable, "-m", module, *arguments]), stdout=asyncio.subprocess.PIPE, limit=2**28
    )


def _now_ms() -> int:
    return int(time.time() * 1000)


_CAUSE: Final = {"measured": 51, "limit": 50, "window_s": 3600, "evidence": [f"complaint-{n}" for n in range(10)]}


def _event(product_id: str, sequence: int, now_ms: int, *, marked: bool) -> dict[str, Any]:
    return {
        "event_id": event_id(product_id, sequence),
        "sequence": sequence,
        "type": "fuse.acknowledged",
        "product_id": product_id,
        "sku_id": None,
        "room_id": "room-1",
        "rule": "complaint-surge",
        "rule_version": 1,
        "from": "open",
        "to": "open",
        "epoch": 1,
        "shadow": False,
        "severity": "warning",
        "occurred_at": from_ms(now_ms),
        "actor": "operator:bench",
        "reason": "seen",
        "paused": {"product": True, "skus": []},
        "cause": {"command_id": f"at={now_ms}" if marked else str(uuid4()), "action": "acknowledge"},
    }


def _state(product_id: str, sequence: int, since_ms: int) -> dict[str, Any]:
    fuse = {
        "rule": "complaint-surge",
        "sku_id": None,
        "state": "open",
        "epoch": 1,
        "shadow": False,
        "severity": "warning",
        "since": from_ms(since_ms),
        "acknowledged_by": None,
        "due": None,
        "cause": _CAUSE,
    }
    return {
        "product_id": product_id,
        "sequence": sequence,
        "room_id": "room-1",
        "paused": {"product": True, "skus": []},
        "override": None,
        "fuses": [fuse],
    }
