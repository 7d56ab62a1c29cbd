"""Failover: how long a partition goes without a decision when a worker or an intake goes, comes, or is replaced.

Four workers, as many as signals partitions, and two intakes. Orders come all the time, of products of every partition,
so a lane writes five times a second. A wait is the longest time between two decisions of a lane that a `read_committed`
reader saw around what happened: from the last one before it to the first one after. Partitions
that changed their worker are told apart from those that stayed with it.
"""

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaProducer

from tests.bench.report import Figure, Result, tell
from tests.kafka.cluster import INPUT_PARTITIONS, SIGNALS_PARTITIONS, Cluster, Service, TooLateError, until
from tests.kafka.takeovers import Decisions, lanes_of, percentile, watched

_PRODUCTS: Final = 200
_BETWEEN_S: Final = 0.01
_PATIENCE: Final = timedelta(seconds=120)
_LOOK_BACK_S: Final = 3.0
_DECIDES_S: Final = 1.0
"""A partition decides as usual when it never went longer without a decision than this for `_LOOK_BACK_S`."""


async def measure(bootstrap: str, directory: Path, rounds: int, session: timedelta) -> Result:
    """Let each of them happen so often, with this session timeout."""
    prefix = f"failover-{uuid4().hex[:6]}"
    settings = {"LIVEFUSE_SESSION_TIMEOUT": f"{session.total_seconds():g}s"}
    with Cluster(bootstrap, prefix, directory / prefix, **settings) as cluster:
        cluster.apply_topics()
        cluster.start(intakes=2, workers=SIGNALS_PARTITIONS)
        async with _ordered(cluster), watched(bootstrap, cluster.names.state) as decisions:
            run = _Run(cluster, decisions)
            await run.steady()
            for number in range(1, rounds + 1):
                for happen in run.events:
                    tell(f"round {number} of {rounds}: {happen.__name__.strip('_').replace('_', ' ')}")
                    await happen()
    figures = [Figure("session timeout", session.total_seconds(), "s")]
    for name, waits in sorted(run.waits.items()):
        figures += [Figure(f"{name}, p{share}", percentile(waits, share / 100), "s") for share in (50, 90)]
        figures += [Figure(f"{name}, longest of {len(waits)}", max(waits), "s")]
    return Result("failover", tuple(figures))


class _Run:
    """What happens, and how long partitions waited then, by name."""

    def __init__(self, cluster: Cluster, decisions: Decisions) -> None:
        self.waits: defaultdict[str, list[float]] = defaultdict(list)
        self.events = (
            self._worker_killed,
            self._worker_killed_and_started_at_once,
            self._worker_told_to_end,
            self._intake_killed,
            self._intake_killed_and_started_at_once,
            self._intake_told_to_end,
        )
        self._cluster = cluster
        self._decisions = decisions
        self._turn = itertools.count()

    async def steady(self) -> None:
        """Return when every partition has one owner and all decide as usual."""
        # What has just happened must be seen before it can be over.
        await asyncio.sleep(_LOOK_BACK_S)

        def waits() -> list[float]:
            now_s = time.time()
            return [
                self._decisions.longest_wait(number, now_s - _LOOK_BACK_S, now_s)
                for number in range(SIGNALS_PARTITIONS)
            ]

        async def is_steady() -> bool:
            return len(self._owners()) == SIGNALS_PARTITIONS and max(waits()) < _DECIDES_S

        def state() -> str:
            return f"they belong to {self._owners()}, and waited {waits()} s"

        await until(is_steady, "all partitions decide", within=_PATIENCE, state=state)

    def _alive(self, command: str) -> list[Service]:
        return [each for each in self._cluster.services if each.command == command and each.alive]

    def _owners(self) -> dict[int, str]:
        return {number: each.name for each in self._alive("worker") for number in lanes_of(each)}

    def _next(self, command: str) -> Service:
        found = [each for each in self._alive(command) if command != "worker" or lanes_of(each)]
        return found[next(self._turn) % len(found)]

    async def _waited(self, name: str, happen: Callable[[], object], *, moved: frozenset[int] | None = None) -> None:
        """Let something happen, wait until all is as usual again, and note the longest wait of each partition."""
        before, began_s = self._owners(), time.time() - _BETWEEN_S
        await asyncio.to_thread(happen)
        await self.steady()
        after = self._owners()
        for number in range(SIGNALS_PARTITIONS):
            goes = before[number] != after[number] if moved is None else number in moved
            # The last decision before it counts, so the look goes back a little further.
            waited = self._decisions.longest_wait(number, began_s - _DECIDES_S, time.time())
            self.waits[f"{name}, {'moved' if goes else 'stayed'}"].append(waited)

    async def _back(self, service: Service) -> None:
        """Start it and wait until it has its part of the work: that is what happens when there is one more."""

        def joined() -> None:
            service.start()
            deadline = time.monotonic() + _PATIENCE.total_seconds()
            while not _has_work(service):
                if time.monotonic() > deadline:
                    raise TooLateError(f"{service.name} gets no work")
                time.sleep(_BETWEEN_S)

        await self._waited(f"{service.command} joins", joined)

    async def _worker_killed(self) -> None:
        worker = self._next("worker")
        await self._waited("worker killed", worker.kill)
        await self._back(worker)

    async def _worker_killed_and_started_at_once(self) -> None:
        worker = self._next("worker")

        def replace() -> None:
            worker.kill()
            worker.start()

        # It may get back what it had: that has moved all the same.
        await self._waited("worker killed and started at once", replace, moved=lanes_of(worker))

    async def _worker_told_to_end(self) -> None:
        worker = self._next("worker")
        await self._waited("worker told to end", worker.drain)
        await self._back(worker)

    async def _intake_killed(self) -> None:
        intake = self._next("intake")
        await self._waited("intake killed", intake.kill, moved=frozenset())
        await self._back(intake)

    async def _intake_killed_and_started_at_once(self) -> None:
        intake = self._next("intake")

        def replace() -> None:
            intake.kill()
            intake.start()

        await self._waited("intake killed and started at once", replace, moved=frozenset())

    async def _intake_told_to_end(self) -> None:
        intake = self._next("intake")
        await self._waited("intake told to end", intake.drain, moved=frozenset())
        await self._back(intake)


def _has_work(service: Service) -> bool:
    return bool(lanes_of(service)) if service.command == "worker" else "intake.assigned" in service.said


@contextlib.asynccontextmanager
async def _ordered(cluster: Cluster) -> AsyncIterator[None]:
    """Let orders come for as long as it is entered."""
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all")
    await producer.start()
    ordering = asyncio.create_task(_order_on(cluster, producer))
    try:
        yield
        if ordering.done():
            ordering.result()
    finally:
        ordering.cancel()
        await asyncio.gather(ordering, return_exceptions=True)
        await producer.stop()


async def _order_on(cluster: Cluster, producer: AIOKafkaProducer) -> None:
    for number in itertools.count():
        product = f"p{number % _PRODUCTS}"
        value = {
            "order_id": f"o{number}",
            "occurred_at": int(time.time() * 1000),
            "lines": [{"product_id": product, "quantity": 1}],
        }
        partition = number % INPUT_PARTITIONS
        await producer.send(cluster.names.orders, orjson.dumps(value), key=product.encode(), partition=partition)
        await asyncio.sleep(_BETWEEN_S)
