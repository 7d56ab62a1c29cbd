"""A pipeline: intakes and workers, as in production, on topics of their own; one of each if nothing else is said.

Usage: open it, `load` records and sentinels, `start`, wait until they are `applied`, look at `cpu`, `drain`.
"""

import asyncio
import compileall
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, Self
from uuid import uuid4

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.feed import feed
from tests.bench.backlog import NAMES, PARTITIONS, sentinel_products
from tests.bench.listener import Listener, listening
from tests.bench.process import cpu_seconds
from tests.bench.report import tell
from tests.kafka.cluster import LIVEFUSE, PROJECT, Cluster, Service
from tests.kafka.reading import forwarded

PACKAGES: Final = ("schemas", "streams", "alerts", "deploy")
_PATIENCE: Final = timedelta(minutes=30)
_STEP_S: Final = 1.0


class Cpu(NamedTuple):
    """CPU seconds since the start of each process, of all intakes and of all workers."""

    intake: float
    worker: float

    @property
    def total(self) -> float:
        """Of all."""
        return self.intake + self.worker


class Pipeline:
    """`cluster` runs the processes, `listener` reads their events. There are processes after `start`."""

    def __init__(self, cluster: Cluster, listener: Listener, partitions: int) -> None:
        self.cluster = cluster
        self.listener = listener
        self.partitions = partitions
        self.intakes: list[Service] = []
        self.workers: list[Service] = []

    @property
    def intake(self) -> Service:
        """The first intake."""
        return self.intakes[0]

    @property
    def worker(self) -> Service:
        """The first worker."""
        return self.workers[0]

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        bootstrap: str,
        directory: Path,
        name: str,
        program: Sequence[str] = LIVEFUSE,
        *,
        partitions: int = PARTITIONS,
        further: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[Self]:
        """Make the topics and listen; in the end everything that was started is ended. Logs go to `directory`.

        `partitions` are those of the signals topic and of each input topic, `further` more LIVEFUSE_ variables.
        """
        settings = {"LIVEFUSE_PARTITIONS": str(partitions), "LIVEFUSE_INPUT_PARTITIONS": str(partitions), **further}
        prefix = f"{name}-{uuid4().hex[:6]}"
        # An installed livefuse is never compiled to bytecode again when it starts.
        for package in PACKAGES:
            compileall.compile_dir(PROJECT / package, quiet=1)
        with Cluster(bootstrap, prefix, directory / prefix, program=program, **settings) as cluster:
            cluster.apply_topics()
            async with listening(bootstrap, cluster.names.fuse_events, partitions) as listener:
                yield cls(cluster, listener, partitions)

    async def load(self, records: Iterable[CaptureRecord]) -> int:
        """Write records to the input topics and return how many."""
        real = dict(zip(NAMES.inputs, self.cluster.names.inputs, strict=True))
        return await feed(records, {"bootstrap_servers": self.cluster.bootstrap}, names=real)

    def start(self, *, intakes: int = 1, workers: int = 1) -> float:
        """Start so many more and return when that was (`time.monotonic`)."""
        began_s = time.monotonic()
        self.intakes += [self.cluster.intake() for _ in range(intakes)]
        self.workers += [self.cluster.worker() for _ in range(workers)]
        return began_s

    async def applied(self, number: int) -> float:
        """Wait until the events of the sentinels of this number have come; return when that was (`time.monotonic`).

        Raises TooLateError when a process ends in the meantime, and TimeoutError.
        """
        products = sentinel_products(self.partitions)
        waiting = asyncio.create_task(self.listener.wait_for(products, number, _PATIENCE))
        try:
            while not (await asyncio.wait([waiting], timeout=_STEP_S))[0]:
                self.cpu()
            return await waiting
        finally:
            waiting.cancel()

    async def forwarded(self) -> float:
        """Wait until the intakes have put all into the signals topic; return when that was (`time.monotonic`)."""
        await forwarded(self.cluster, _PATIENCE)
        return time.monotonic()

    async def settle(self) -> None:
        """Let commits and acknowledgements that belong to what was applied go through."""
        await asyncio.sleep(_STEP_S)

    def worker_cpu(self) -> float:
        """Return the CPU seconds that the workers have used since their start."""
        return sum(cpu_seconds(each.pid) for each in self.workers)

    def cpu(self) -> Cpu:
        """Return the CPU seconds that the processes have used since their start. Raises TooLateError if one ended."""
        return Cpu(sum(cpu_seconds(each.pid) for each in self.intakes), self.worker_cpu())

    def drain(self) -> None:
        """End all in order."""
        for service in (*self.intakes, *self.workers):
            code = service.drain()
            if code:
                tell(f"{service.name} ended with {code}; the end of its log:\n{service.tail()}")
