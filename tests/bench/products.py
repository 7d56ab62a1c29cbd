"""More products: what a signal costs a worker that knows ten thousand products, a hundred thousand, a million.

Each product gets a stock level and an order, so that it has a state. Then the same number of records of the same mix
comes three times, each time all at once, and about other products:

    same       3,000 products are sold, the best seller a twenty-fifth of all; the others are only known
    popular    all are sold, by the same law: the more there are, the longer the tail
    uniform    each record is about any of them

What a signal costs is the CPU time of the worker, which has been running all the time, from a moment at which it has
nothing to do to the next one, and so without any start.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final
from zlib import crc32

from deploy.simulator.capture import CaptureRecord
from tests.bench.backlog import NAMES, PARTITIONS, STEP_MS, everyday, popularity, sentinels
from tests.bench.memory import PER_SECOND, known, numbered
from tests.bench.pipeline import Pipeline
from tests.bench.process import memory
from tests.bench.report import Figure, Result, tell
from tests.kafka.cluster import LIVEFUSE

KNOWN: Final = (10_000, 100_000, 1_000_000)
SOLD: Final = 3_000
SHAPES: Final = ("same", "popular", "uniform")
RECORDS: Final = 150_000

_MIB: Final = 2**20
_LINE: Final = b'"product_id":'


async def measure(bootstrap: str, directory: Path, program: Sequence[str] = LIVEFUSE) -> Result:
    """Measure all shapes with each number of products."""
    costs: dict[tuple[str, int], float] = {}
    figures: list[Figure] = []
    for products in KNOWN:
        bench = _Bench(products)
        async with Pipeline.opened(bootstrap, directory, f"products-{products}", program) as pipeline:
            await bench.begin(pipeline)
            for shape in SHAPES:
                costs[shape, products] = await bench.cost(pipeline, shape)
                tell(f"{shape}: {1e6 * costs[shape, products]:.2f} µs of CPU a signal")
            full = memory(pipeline.worker.pid)
            pipeline.drain()
        figures += [Figure(f"{products:,} products, {each}", 1e6 * costs[each, products], "µs") for each in SHAPES]
        figures.append(Figure(f"{products:,} products: memory of the worker, at most", full.peak / _MIB, "MiB"))
    least, most = KNOWN[0], KNOWN[-1]
    figures += [
        Figure(f"{products:,} / {least:,} products, {shape}", costs[shape, products] / costs[shape, least])
        for shape in SHAPES
        for products in KNOWN[1:]
    ]
    return Result("products", (*figures, Figure("records of each shape", RECORDS), Figure("products, at most", most)))


class _Bench:
    """The streams about so many products, one after the other in event time."""

    def __init__(self, products: int) -> None:
        self._products = products
        # Kafka does not take records from the future: the last stream ends an hour ago.
        length_ms = products * 1000 // PER_SECOND + len(SHAPES) * RECORDS * STEP_MS
        self._now_ms = int(time.time() * 1000) - length_ms - 3_600_000
        self._sentinels = 0

    async def begin(self, pipeline: Pipeline) -> None:
        """Make the products known to a worker."""
        tell(f"writing the stock levels and orders of {self._products:,} products")
        await pipeline.load(known(self._products, self._now_ms))
        self._now_ms += self._products * 1000 // PER_SECOND
        await self._mark(pipeline)
        pipeline.start()
        await pipeline.applied(self._sentinels)
        await pipeline.settle()

    async def cost(self, pipeline: Pipeline, shape: str) -> float:
        """Return the CPU seconds of the worker for a signal of a stream of this shape.

        The intake is not there while the stream is written, or the worker would get it in small pieces.
        """
        signals = 0

        def counted() -> Iterator[CaptureRecord]:
            nonlocal signals
            for record in self._stream(shape):
                signals += record.value.count(_LINE) if record.topic == NAMES.orders else 1
                yield record

        pipeline.intake.drain()
        await pipeline.load(counted())
        await self._mark(pipeline)
        await pipeline.settle()
        before_s = pipeline.worker_cpu()
        pipeline.intake.start()
        await pipeline.applied(self._sentinels)
        await pipeline.settle()
        return (pipeline.worker_cpu() - before_s) / signals

    async def _mark(self, pipeline: Pipeline) -> None:
        self._sentinels += 1
        await pipeline.load(sentinels(self._now_ms, number=self._sentinels))

    def _stream(self, shape: str) -> Iterator[CaptureRecord]:
        sold = SOLD if shape == "same" else self._products
        weights = [1.0] * sold if shape == "uniform" else popularity(sold)
        # Spread over all that are known, so that those that sell well are not those that were heard of last.
        skus = [(numbered(number * (self._products // sold)),) for number in range(sold)]
        number = 1_000_000_000 * (1 + SHAPES.index(shape))
        for make in islice(everyday(skus, weights, Random(1), first=number), RECORDS):
            self._now_ms += STEP_MS
            ts_ms, topic, key, value = make(self._now_ms)
            partition = crc32(key) % PARTITIONS
            yield CaptureRecord(topic, partition, 0, ts_ms, key, value)
