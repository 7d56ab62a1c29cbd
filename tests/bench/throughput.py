"""Throughput: records a CPU second on the whole path, from the four input topics to committed fuse events.

A backlog waits in Kafka; one intake and one worker start, and their CPU time counts from the start of the interpreter
until everything is applied and committed, nothing subtracted. The events must be those of `livefuse replay`, byte for
byte.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from deploy.simulator.capture import CaptureRecord, line
from deploy.simulator.config import SaleConfig
from deploy.simulator.sale import simulate
from tests.bench.backlog import PARTITIONS, backlog, end_ms, sentinels
from tests.bench.pipeline import Cpu, Pipeline
from tests.bench.report import Figure, Result, tell
from tests.kafka.cluster import LIVEFUSE, Cluster

_ORDERS_PER_SECOND: Final = 60.0


async def measure(
    bootstrap: str, directory: Path, size: int, *, sale: bool, program: Sequence[str] = LIVEFUSE
) -> Result:
    """Measure with a backlog of `size` records: the usual one, or with `sale` that of the simulator.

    `program` runs the intake and the worker; the replay is that of the project as it lies here.
    """
    idle = await _start_up(bootstrap, directory, program)
    capture = directory / "capture.jsonl"
    async with Pipeline.opened(bootstrap, directory, "throughput", program) as pipeline:
        tell(f"writing {size:,} records to the input topics")
        with capture.open("wb") as file:
            loaded = await pipeline.load(copied(_records(size, sale=sale), file))
        tell("one intake and one worker start")
        began_s = pipeline.start()
        took_s = await pipeline.applied(1) - began_s
        await pipeline.settle()
        busy = pipeline.cpu()
        pipeline.drain()
        tell(f"all applied after {took_s:.1f} s with {busy.total:.1f} s of CPU; now the same by replay")
        replayed = await asyncio.to_thread(replay, pipeline.cluster, capture)
        different = differences(pipeline.listener.values, replayed)
        events = pipeline.listener.count
    figures = (
        Figure("records per CPU second", loaded / busy.total),
        Figure("records per CPU second, start-up apart", loaded / (busy.total - idle.total)),
        Figure("records per CPU second, intake alone", loaded / busy.intake),
        Figure("records per CPU second, worker alone", loaded / busy.worker),
        Figure("records", loaded),
        Figure("CPU, intake", busy.intake, "s"),
        Figure("CPU, worker", busy.worker, "s"),
        Figure("CPU of the start-up, intake", idle.intake, "s"),
        Figure("CPU of the start-up, worker", idle.worker, "s"),
        Figure("from the start to the last event", took_s, "s"),
        Figure("fuse events", events),
        Figure("products with events that are not those of replay", len(different)),
    )
    failed = f"the events of {', '.join(sorted(different)[:5])} are not those of replay" if different else None
    return Result("throughput, simulated sale" if sale else "throughput", figures, failed)


async def _start_up(bootstrap: str, directory: Path, program: Sequence[str]) -> Cpu:
    """Return what the processes use when nothing waits for them but the sentinels."""
    tell("one intake and one worker start with nothing to do, for comparison")
    async with Pipeline.opened(bootstrap, directory, "start-up", program) as pipeline:
        await pipeline.load(sentinels(_now_ms()))
        pipeline.start()
        await pipeline.applied(1)
        await pipeline.settle()
        idle = pipeline.cpu()
        pipeline.drain()
    return idle


def _records(size: int, *, sale: bool) -> Iterator[CaptureRecord]:
    # Kafka does not take records from the future, so the sale ended an hour ago.
    start_ms = _now_ms() - end_ms(size, 0) - 3_600_000
    end = end_ms(size, start_ms)
    if sale:
        start = datetime.fromtimestamp(start_ms // 1000, UTC)
        config = SaleConfig(
            start=start, duration=None, records=size, products=3_000, orders_per_second=_ORDERS_PER_SECOND,
            partitions=PARTITIONS,
        )  # fmt: skip
        records = simulate(config)
        end = _now_ms()
    else:
        records = backlog(size, start_ms)
    yield from records
    yield from sentinels(end)


def copied(records: Iterable[CaptureRecord], file: BinaryIO) -> Iterator[CaptureRecord]:
    """Yield the records, and write them as a capture."""
    for record in records:
        file.write(line(record))
        yield record
    # Who replays the file may do so before it is closed.
    file.flush()


def replay(cluster: Cluster, capture: Path) -> dict[str, list[bytes]]:
    """Return the events of `livefuse replay`, by product, in their order."""
    done = cluster.run("replay", str(capture), within=timedelta(minutes=30))
    if done.returncode != 0:
        raise RuntimeError(f"livefuse replay failed: {done.stderr}")
    events: dict[str, list[bytes]] = defaultdict(list)
    for text in done.stdout.splitlines():
        events[_product(text)].append(text.encode())
    return events


def _product(event: str) -> str:
    product_id: Any = event.split('"product_id":"', 1)[1].split('"', 1)[0]
    return str(product_id)


def differences(found: dict[str, list[bytes]], expected: dict[str, list[bytes]]) -> set[str]:
    """Return the products whose events differ."""
    return {key for key in found.keys() | expected.keys() if found.get(key, []) != expected.get(key, [])}


def _now_ms() -> int:
    return int(time.time() * 1000)
