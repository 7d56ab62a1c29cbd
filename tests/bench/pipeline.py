"""A pipeline: one intake and one worker, as in production, on topics of their own.

Usage: open it, `load` records and sentinels, `start`, wait until they are `applied`, look at `cpu`, `drain`.
"""

import asyncio
import compileall
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple, Self
from uuid import uuid4

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.feed import feed
from tests.bench.backlog import NAMES, PARTITIONS, sentinel_products
from tests.bench.listener import Listener, listening
from tests.bench.process import cpu_seconds
from tests.bench.report import tell
from tests.kafka.cluster import LIVEFUSE, PROJECT, Cluster, Service

PACKAGES: Final = ("schemas", "streams", "alerts", "deploy")
_PATIENCE: Final = timedelta(minutes=30)
_STEP_S: Final = 1.0


class Cpu(NamedTuple):
    """CPU seconds since the start of each process."""

    intake: float
    worker: float

    @property
    def total(self) -> float:
        """Of both."""
        return self.intake + self.worker


class Pipeline:
    """`cluster` runs the processes, `listener` reads their events; `intake` and `worker` are there after `start`."""

    intake: Service
    worker: Service

    def __init__(self, cluster: Cluster, listener: Listener) -> None:
        self.cluster = cluster
        self.listener = listener

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, bootstrap: str, directory: Path, name: str, program: Sequence[str] = LIVEFUSE
    ) -> AsyncIterator[Self]:
        """Make the topics and listen; in the end everything that was started is ended. Logs go to `directory`."""
        settings = {"LIVEFUSE_PARTITIONS": str(PARTITIONS), "LIVEFUSE_INPUT_PARTITIONS": str(PARTITIONS)}
        prefix = f"{name}-{uuid4().hex[:6]}"
        # An installed livefuse is never compiled to bytecode again when it starts.
        for package in PACKAGES:
            compileall.compile_dir(PROJECT / package, quiet=1)
        with Cluster(bootstrap, prefix, directory / prefix, program=program, **settings) as cluster:
            cluster.apply_topics()
            async with listening(bootstrap, cluster.names.fuse_events, PARTITIONS) as listener:
                yield cls(cluster, listener)

    async def load(self, records: Iterable[CaptureRecord]) -> int:
        """Write records to the input topics and return how many."""
        real = dict(zip(NAMES.inputs, self.cluster.names.inputs, strict=True))
        return await feed(records, {"bootstrap_servers": self.cluster.bootstrap}, names=real)

    def start(self) -> float:
        """Start one intake and one worker and return when that was (`time.monotonic`)."""
        began_s = time.monotonic()
        self.intake, self.worker = self.cluster.intake(), self.cluster.worker()
        return began_s

    async def applied(self, number: int) -> float:
        """Wait until the events of the sentinels of this number have come; return when that was (`time.monotonic`).

        Raises TooLateError when a process ends in the meantime, and TimeoutError.
        """
        waiting = asyncio.create_task(self.listener.wait_for(sentinel_products(), number, _PATIENCE))
        try:
            while not (await asyncio.wait([waiting], timeout=_STEP_S))[0]:
                _ = self.intake.pid, self.worker.pid
            return await waiting
        finally:
            waiting.cancel()

    async def settle(self) -> None:
        """Let commits and acknowledgements that belong to what was applied go through."""
        await asyncio.sleep(_STEP_S)

    def cpu(self) -> Cpu:
        """Return the CPU seconds that both processes have used since their start."""
        return Cpu(cpu_seconds(self.intake.pid), cpu_seconds(self.worker.pid))

    def drain(self) -> None:
        """End both in order."""
        for service in (self.intake, self.worker):
            code = service.drain()
            if code:
                tell(f"{service.name} ended with {code}; the end of its log:\n{service.tail()}")
