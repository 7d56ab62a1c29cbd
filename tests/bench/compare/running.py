"""A program of the comparison at work, on topics of its own: started, killed, started again, and what it has used."""

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

import orjson
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.simulator.capture import CaptureRecord
from deploy.tether import tethered
from tests.bench.backlog import NAMES, PARTITIONS, sentinel_products, sentinels
from tests.bench.compare.contenders import Contender
from tests.bench.compare.ending import ending
from tests.bench.listener import Listener, listening
from tests.bench.pipeline import Pipeline
from tests.bench.process import cpu_seconds, memory
from tests.kafka.cluster import PROJECT, until

_KNOWN: Final = timedelta(seconds=30)
_INPUTS: Final = {
    NAMES.orders: "orders",
    NAMES.returns: "returns",
    NAMES.complaints: "complaints",
    NAMES.stock_levels: "stock-levels",
}


class Running(Protocol):
    """What is measured of each. `topics` maps the contract's names to the real ones."""

    bootstrap: str
    listener: Listener
    topics: dict[str, str]

    @property
    def pids(self) -> Sequence[int]:
        """The processes. Raises when one has ended by itself."""

    def start(self) -> None:
        """Start all processes, for the first time or again."""

    def kill(self) -> None:
        """`kill -9` all of them."""

    def sentinels(self, batch: int, at_ms: int) -> list[CaptureRecord]:
        """Return what to write after a batch of records."""

    def done(self, batch: int) -> bool:
        """Return whether the events that have been read say that a batch has been applied."""

    def rule(self, event: bytes) -> str | None:
        """Return the rule that an event says has tripped, None for other events."""


def cpu(running: Running) -> float:
    """Return the CPU seconds of all processes."""
    return sum(cpu_seconds(pid) for pid in running.pids)


def peak_bytes(running: Running) -> int:
    """Return the sum of the most resident memory of each process."""
    return sum(memory(pid).peak for pid in running.pids)


@asynccontextmanager
async def foreign(contender: Contender, bootstrap: str, directory: Path) -> AsyncIterator["Foreign"]:
    """Prepare a program of the comparison; it is killed in the end."""
    prefix = f"{'-'.join(contender.name.lower().replace(',', '').split())}-{uuid4().hex[:6]}"
    topics = {name: f"{prefix}.{ours}" for name, ours in _INPUTS.items()}
    await _create(bootstrap, [*topics.values(), f"{prefix}.events", *(prefix + each for each in contender.topics)])
    async with listening(bootstrap, f"{prefix}.events", PARTITIONS) as listener:
        program = Foreign(contender, bootstrap, prefix, directory / prefix, listener)
        program.topics = topics
        try:
            yield program
        finally:
            program.kill()


class Foreign:
    """A program in one process."""

    topics: dict[str, str]

    def __init__(self, contender: Contender, bootstrap: str, prefix: str, directory: Path, listener: Listener) -> None:
        self.bootstrap = bootstrap
        self.listener = listener
        self._contender = contender
        self._log = directory / "program.log"
        self._data = directory / "data"
        self._data.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._sentinels: dict[int, frozenset[str]] = {}
        self._environment = {
            **os.environ,
            "COMPARE_APPLICATION": prefix,
            "COMPARE_BROKER": bootstrap,
            "COMPARE_DATA": str(self._data),
        }
        if contender.prepare:
            subprocess.run(contender.prepare(self._data), cwd=PROJECT, env=self._environment, check=True)

    @property
    def pids(self) -> Sequence[int]:
        if self._process is None or self._process.poll() is not None:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])
            raise RuntimeError(f"{self._contender.name} has ended by itself: {tail}")
        return (self._process.pid,)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self._contender.run(self._data)),
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def sentinels(self, batch: int, at_ms: int) -> list[CaptureRecord]:
        found = ending(batch, at_ms)
        self._sentinels[batch] = frozenset(found)
        return list(found.values())

    def done(self, batch: int) -> bool:
        return self._sentinels[batch] <= self.listener.values.keys()

    def rule(self, event: bytes) -> str | None:
        return str(orjson.loads(event)["rule"])


@asynccontextmanager
async def ours(program: Sequence[str], bootstrap: str, directory: Path) -> AsyncIterator["Ours"]:
    """Prepare livefuse; it is killed in the end."""
    async with Pipeline.opened(bootstrap, directory, "compare", program) as pipeline:
        yield Ours(pipeline)


class Ours:
    """livefuse: one intake and one worker."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.bootstrap = pipeline.cluster.bootstrap
        self.listener = pipeline.listener
        self.topics = dict(zip(NAMES.inputs, pipeline.cluster.names.inputs, strict=True))
        self._pipeline = pipeline
        self._started = False

    @property
    def pids(self) -> Sequence[int]:
        return self._pipeline.intake.pid, self._pipeline.worker.pid

    def start(self) -> None:
        if self._started:
            self._pipeline.intake.start()
            self._pipeline.worker.start()
        else:
            self._pipeline.start()
            self._started = True

    def kill(self) -> None:
        self._pipeline.intake.kill()
        self._pipeline.worker.kill()

    def sentinels(self, batch: int, at_ms: int) -> list[CaptureRecord]:
        return sentinels(at_ms, number=batch + 1)

    def done(self, batch: int) -> bool:
        return all(len(self.listener.values.get(each, ())) > batch for each in sentinel_products())

    def rule(self, event: bytes) -> str | None:
        value: dict[str, Any] = orjson.loads(event)
        return str(value["rule"]) if value["type"] == "fuse.opened" else None


async def _create(bootstrap: str, names: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])

        async def known() -> bool:
            return set(names) <= set(await admin.list_topics())

        # A topic that is not known yet stops some of the programs.
        await until(known, "the topics are known", within=_KNOWN)
    finally:
        await admin.close()
