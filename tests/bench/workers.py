"""More workers: the same backlog by one, two, four and eight of them, and what a signal costs each time.

One intake has put the backlog into the signals topic (8 partitions) before, so that workers wait for nobody. Their CPU
and their time count from the start of the interpreters until everything is applied and committed; "start-up apart"
takes away what as many workers use when nothing waits for them. At last as many intakes as workers read all of it
together. The events must be those of `livefuse replay` every time, byte for byte.

And what partitions cost that have nothing to do, for their number is chosen once and for the largest day to come.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from deploy.simulator.capture import CaptureRecord
from tests.bench.backlog import NAMES, backlog, end_ms, sentinels
from tests.bench.pipeline import Cpu, Pipeline
from tests.bench.report import Figure, Result, tell
from tests.bench.throughput import copied, differences, replay
from tests.kafka.cluster import LIVEFUSE

WORKERS: Final = (1, 2, 4, 8)
PARTITIONS: Final = 8
_INTAKES: Final = 2
MANY_PARTITIONS: Final = 64
_AT_REST_S: Final = 10.0

_LINE: Final = b'"product_id":'


class _Run(NamedTuple):
    """CPU of all workers and of all intakes, and the time until all was applied, in seconds."""

    workers_s: float
    intakes_s: float
    took_s: float


async def measure(bootstrap: str, directory: Path, size: int, program: Sequence[str] = LIVEFUSE) -> Result:
    """Measure with a backlog of `size` records."""
    bench = _Bench(bootstrap, directory, size, program)
    figures: list[Figure] = []
    costs: dict[int, float] = {}
    for workers in WORKERS:
        idle = await bench.idle(workers)
        run = await bench.run(workers)
        signals, cpu_s = bench.signals, run.workers_s - idle.workers_s
        costs[workers] = cpu_s / signals
        name = f"{workers} workers" if workers > 1 else "1 worker"
        figures += [
            Figure(f"{name}: records per second", size / run.took_s, "/s"),
            Figure(f"{name}: records per second, start-up apart", size / (run.took_s - idle.took_s), "/s"),
            Figure(f"{name}: records per CPU second", size / run.workers_s),
            Figure(f"{name}: records per CPU second, start-up apart", size / cpu_s),
            Figure(f"{name}: CPU per signal, start-up apart", 1e6 * costs[workers], "µs"),
            Figure(f"{name}: CPU", run.workers_s, "s"),
            Figure(f"{name}: CPU of the start-up", idle.workers_s, "s"),
        ]
    both = await bench.run(_INTAKES, intakes=_INTAKES)
    resting = await bench.at_rest(MANY_PARTITIONS)
    figures += [
        Figure(f"{MANY_PARTITIONS} partitions at rest, CPU of 1 worker", 100 * resting.worker / _AT_REST_S, "%"),
        Figure(f"{MANY_PARTITIONS} partitions at rest, CPU of 1 intake", 100 * resting.intake / _AT_REST_S, "%"),
        Figure(f"{_INTAKES} intakes, {_INTAKES} workers: records per second", size / both.took_s, "/s"),
        Figure(f"{_INTAKES} intakes, {_INTAKES} workers: CPU, intakes", both.intakes_s, "s"),
        Figure(f"{_INTAKES} intakes, {_INTAKES} workers: CPU, workers", both.workers_s, "s"),
        Figure("CPU per signal, 2 workers / 1", costs[2] / costs[1]),
        Figure("CPU per signal, 4 workers / 1", costs[4] / costs[1]),
        Figure("CPU per signal, 8 workers / 1", costs[8] / costs[1]),
        Figure("records", size),
        Figure("signals", bench.signals),
        Figure("products with events that are not those of replay", len(bench.different)),
        Figure("cores", os.cpu_count() or 0),
    ]
    failed = f"the events of {', '.join(sorted(bench.different)[:5])} are not those of replay"
    return Result("workers", tuple(figures), failed if bench.different else None)


class _Bench:
    """Runs. `signals` are those of the backlog, `different` the products whose events were wrong in any run."""

    def __init__(self, bootstrap: str, directory: Path, size: int, program: Sequence[str]) -> None:
        self.signals = 0
        self.different: set[str] = set()
        self._bootstrap = bootstrap
        self._directory = directory
        self._size = size
        self._program = program
        # Kafka does not take records from the future, so the sale ended an hour ago.
        self._start_ms = int(time.time() * 1000) - end_ms(size, 0) - 3_600_000
        self._expected: dict[str, list[bytes]] | None = None

    async def idle(self, workers: int) -> _Run:
        """Return what so many workers use when nothing waits for them but the sentinels."""
        return await self._run(f"idle-{workers}", sentinels(self._start_ms, partitions=PARTITIONS), workers)

    async def run(self, workers: int, intakes: int | None = None) -> _Run:
        """Work the backlog off. With a number of intakes they start together with the workers, else one before."""
        tell(f"the backlog by {workers}" + (f", and {intakes} intakes" if intakes else ""))
        capture = self._directory / "capture.jsonl"
        with capture.open("wb") as file:
            return await self._run(f"busy-{workers}", copied(self._records(), file), workers, capture, intakes)

    async def at_rest(self, partitions: int) -> Cpu:
        """Return what one intake and one worker use in ten seconds in which nothing comes."""
        tell(f"{partitions} partitions at rest")
        async with Pipeline.opened(
            self._bootstrap,
            self._directory,
            "rest",
            self._program,
            partitions=partitions,
            further={"LIVEFUSE_INPUT_PARTITIONS": str(PARTITIONS)},
        ) as pipeline:
            await pipeline.load(sentinels(self._start_ms, partitions=partitions))
            pipeline.start()
            await pipeline.applied(1)
            await pipeline.settle()
            before = pipeline.cpu()
            await asyncio.sleep(_AT_REST_S)
            after = pipeline.cpu()
            pipeline.drain()
        return Cpu(after.intake - before.intake, after.worker - before.worker)

    async def _run(
        self,
        name: str,
        records: Iterable[CaptureRecord],
        workers: int,
        capture: Path | None = None,
        intakes: int | None = None,
    ) -> _Run:
        async with Pipeline.opened(
            self._bootstrap, self._directory, name, self._program, partitions=PARTITIONS
        ) as pipeline:
            await pipeline.load(records)
            if intakes is None:
                pipeline.start(workers=0)
                await pipeline.forwarded()
            began_s = pipeline.start(intakes=intakes or 0, workers=workers)
            took_s = await pipeline.applied(1) - began_s
            await pipeline.settle()
            cpu = pipeline.cpu()
            pipeline.drain()
            if capture is not None:
                if self._expected is None:
                    tell("the same by replay")
                    self._expected = await asyncio.to_thread(replay, pipeline.cluster, capture)
                self.different |= differences(pipeline.listener.values, self._expected)
            tell(f"{took_s:.1f} s, {cpu.worker:.1f} s of CPU in the workers, {cpu.intake:.1f} s in the intakes")
        return _Run(cpu.worker, cpu.intake, took_s)

    def _records(self) -> Iterator[CaptureRecord]:
        self.signals = 0
        for record in backlog(self._size, self._start_ms):
            self.signals += record.value.count(_LINE) if record.topic == NAMES.orders else 1
            yield record
        yield from sentinels(end_ms(self._size, self._start_ms), partitions=PARTITIONS)
