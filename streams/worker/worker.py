"""A worker: a Faust app that feeds lanes, from joining the group to leaving it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from aiokafka.errors import KafkaError
from mode.threads import WorkerThread

from schemas.errors import BrokerError, BrokerRefused, BrokerUnavailable, LivefuseError, LogError
from schemas.rights import missing
from streams.client import REFUSALS
from streams.config import WorkerConfig
from streams.worker.app import WorkerApp, attach, build
from streams.worker.feed import Feed
from streams.worker.lanes import Lanes
from streams.worker.opening import Opening
from streams.worker.status import WorkerStatus
from streams.worker.waiting import warn_of_waiting

_STOP_S: Final = 2.0
_PROGRESS_S: Final = 10.0
_LOOK_S: Final = 1.0
_SILENT_S: Final = 5.0

log = logging.getLogger(__name__)


class Worker:
    """``status`` tells how it is at any time.

    ``let_go`` is False when Faust did not come to an end: its threads run on, though with nothing to do.
    """

    def __init__(self, config: WorkerConfig, status: WorkerStatus, *, transactions: bool) -> None:
        self.let_go = True
        self._status = status
        self._counts = counts = status.counts
        self._transactions = transactions
        self._stop = asyncio.Event()
        self._failure: Exception | None = None
        self._app = build(config)
        self._feed = Feed(self._app, config.topics.signals)
        opening = Opening(config, counts, transactions=transactions)
        self._lanes = Lanes(
            opening.open,
            opening.store.frames,
            self._feed.acknowledge,
            self._feed.end,
            self.end,
            counts,
            keep=transactions,
        )
        status.lanes, status.recovery = self._lanes, opening.store.progress
        attach(self._app, self._lanes, config.topics.signals, self.end)

    def end(self, error: Exception) -> None:
        """Stop, because of something that this process cannot go on after."""
        if self._failure is None:
            self._failure = error
            cause = error.__cause__ if isinstance(error, LogError) else error
            log.error("worker.failing %r", error, exc_info=None if isinstance(cause, LivefuseError) else cause)
        self._stop.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then drain. Raises LivefuseError when the worker could not go on."""
        # They live beside the app, not in it: Faust stops its own tasks before the lanes have flushed.
        beside = [
            asyncio.create_task(each)
            for each in (_watch(self._app, self.end), self._lanes.watch(), self._report(), self._look())
        ]
        try:
            await _first(self._work(), stop.wait(), self._stop.wait())
        finally:
            for task in beside:
                task.cancel()
            began = time.monotonic()
            await self._lanes.drain()
            self.let_go = await _stopped(self._app)
            log.info("worker.drained seconds=%.1f", time.monotonic() - began)
        if isinstance(self._failure, LivefuseError):
            raise self._failure
        if self._failure is not None:
            raise LivefuseError(f"an error that livefuse does not know: {self._failure!r}") from self._failure

    async def _work(self) -> None:
        began = time.monotonic()
        try:
            self._app.finalize()
            self._app.in_worker = True
            await self._app.start()
        except (KafkaError, OSError) as error:
            raise _meant(error, "while the worker started") from error
        self._feed.hasten()
        log.info(
            "worker.started group=%s transactions=%s seconds=%.1f",
            self._app.conf.id,
            "yes" if self._transactions else "no",
            time.monotonic() - began,
        )
        await asyncio.Event().wait()

    async def _look(self) -> None:
        while True:
            applied = {number: lane.next for number, lane in self._lanes.open.items()}
            self._status.health.observe(time.monotonic(), self._lanes.behind(), applied, self._silent(applied))
            try:
                self._feed.check()
            except BrokerError as error:
                self.end(error)
                return
            await asyncio.sleep(_LOOK_S)

    async def _report(self) -> None:
        counts = self._counts
        before = (0, 0, 0)
        while True:
            await asyncio.sleep(_PROGRESS_S)
            now, behind = (counts.signals, counts.events, counts.flushes), self._lanes.behind()
            log.info(
                "worker.progress signals=%d events=%d flushes=%d lanes=%d opening=%d frames_behind=%d",
                *(after - earlier for after, earlier in zip(now, before, strict=True)),
                sum(1 for each in behind.values() if each is not None),
                sum(1 for each in behind.values() if each is None),
                sum(each or 0 for each in behind.values()),
            )
            before = now
            warn_of_waiting(self._lanes, self._silent(self._lanes.assigned))

    def _silent(self, numbers: Iterable[int]) -> set[int]:
        """Return those of the partitions of which the broker has told nothing for some seconds."""
        now_s = time.time()
        return {number for number in numbers if (self._feed.silent_s(number, now_s) or 0.0) > _SILENT_S}


async def _first(*works: Coroutine[Any, Any, Any]) -> None:
    """Return when one of them is done, and cancel the others. Raises what it raised."""
    tasks = [asyncio.create_task(each) for each in works]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


async def _watch(app: WorkerApp, end: Callable[[Exception], None]) -> None:
    """Tell when the app ends by itself: Faust logs why and carries on as if nothing had happened."""
    await app.wait_until_stopped()
    end(_meant(app.crash_reason, "and Faust has stopped"))


def _meant(error: BaseException | None, when: str) -> LivefuseError:
    """Return what an error that stopped Faust means. A commit or a heartbeat that a broker cannot serve is one, too."""
    if isinstance(error, REFUSALS):
        return BrokerRefused(f"the broker refuses the worker, {when}: {missing(error, 'Read')}")
    if isinstance(error, KafkaError | OSError):
        return BrokerUnavailable(f"the broker went away or cannot serve the worker, {when}: {error!r}.")
    return LivefuseError(f"something failed, {when}: {error!r}")


async def _stopped(app: WorkerApp) -> bool:
    """Commit and leave the group. False if that takes too long.

    Whether it is over only its threads tell: Faust passes over being cancelled while it stops.
    """
    await asyncio.wait({asyncio.create_task(app.stop())}, timeout=_STOP_S)
    if any(isinstance(thread, WorkerThread) and thread.is_alive() for thread in threading.enumerate()):
        log.warning("worker.stop_slow the group or the broker does not answer; the group will find out by itself")
        return False
    return True
