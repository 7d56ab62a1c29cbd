"""A worker process, from the first look at the broker to the last acknowledgement.

    start     wait for the broker ── check the topics ── join the group ── lanes open
    run       until SIGTERM or SIGINT, or until something that this process cannot go on after
    drain     no more frames ── flush ── acknowledge ── commit ── leave the group

``run`` logs everything that it does and writes nothing to standard output.
"""

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from schemas.errors import BrokerUnavailable, LivefuseError, LogError
from schemas.topics import topics
from streams import client
from streams.config import WorkerConfig
from streams.worker.app import WorkerApp, attach, build
from streams.worker.feed import FaustFeed
from streams.worker.lanes import Lanes
from streams.worker.metrics import WorkerCounts
from streams.worker.opening import Opening
from streams.worker.quiet import quieten

_START_S: Final = 60.0
_STOP_S: Final = 2.0
_PROGRESS_S: Final = 10.0

log = logging.getLogger(__name__)


def run(config: WorkerConfig) -> int:
    """Run a worker until it is told to stop (SIGTERM, SIGINT); return the exit code of the process."""
    # Faust logs for our app under the module in which it is defined.
    quieten(WorkerApp.__module__)
    with asyncio.Runner() as runner:
        code, stopped = runner.run(_main(config))
        if not stopped:
            # Faust's threads wait for the group (a rebalance, a broker that is away) and nothing can call them off; everything that
            # counts is written. Without this the process would stay until they have finished.
            logging.shutdown()
            os._exit(code)
    return code


async def _main(config: WorkerConfig) -> tuple[int, bool]:
    """Return the exit code, and whether nothing of Faust runs on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = None
    code = 0
    try:
        async with contextlib.AsyncExitStack() as stack:
            data_dir = config.data_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="livefuse-worker-"))
            worker = await _ready(config, stop)
            if worker is not None:
                async with worker.running(Path(data_dir), stop):
                    await stop.wait()
        log.info("worker.stopped")
    except LivefuseError as error:
        log.error("worker.ended %s", error)  # noqa: TRY400 (the message says it all, a traceback would hide it)
        code = error.exit_code
    return code, worker is None or worker.stopped


async def _ready(config: WorkerConfig, stop: asyncio.Event) -> "Worker | None":
    """Wait until the broker is there, and see that it has what a worker needs. None if told to stop before."""
    arguments = config.kafka.client
    while await client.wait_for_broker(arguments, stop):
        try:
            needed = {each.name: each.partitions for each in topics(config.topics, config.partitions) if each.name in _needed(config)}
            client.check_topics(await client.partition_counts(arguments), needed)
            transactions = config.kafka.transactions
            if transactions is None:
                transactions = await client.supports_transactions(arguments)
        except BrokerUnavailable as error:
            log.warning("broker.unavailable %s Trying again.", error)
            continue
        return Worker(config, transactions=transactions)
    return None


def _needed(config: WorkerConfig) -> set[str]:
    names = config.topics
    return {names.signals, names.state, names.fuse_events, names.fuse_state, names.replenishment, names.watchlist}


class Worker:
    """A worker in this process. ``stats`` tells how it is at any time."""

    def __init__(self, config: WorkerConfig, *, transactions: bool) -> None:
        self.counts = WorkerCounts()
        self.stopped = True
        self._config = config
        self._transactions = transactions
        self._failure: Exception | None = None
        self._lanes: Lanes | None = None

    def stats(self) -> dict[str, Any]:
        """Return counts, and for each partition the lane's offsets and how many frames it is behind (None: not open)."""
        lanes = self._lanes
        if lanes is None:
            return {**self.counts.snapshot(), "behind": {}, "lanes": {}}
        return {
            **self.counts.snapshot(),
            "behind": lanes.behind(),
            "lanes": {number: lane.snapshot() for number, lane in sorted(lanes.open.items())},
        }

    @contextlib.asynccontextmanager
    async def running(self, data_dir: Path, stop: asyncio.Event) -> AsyncIterator[None]:
        """Run, and drain at the end. ``stop`` is set when the worker cannot go on; the reason is raised then."""
        config, topic = self._config, self._config.topics.signals

        def end(error: Exception) -> None:
            if self._failure is None:
                self._failure = error
                cause = error.__cause__ if isinstance(error, LogError) else error
                log.error("worker.failing %r", error, exc_info=None if isinstance(cause, LivefuseError) else cause)
            stop.set()

        app = build(config, data_dir)
        feed = FaustFeed(app, topic)
        opening = Opening(config, self.counts, transactions=self._transactions)
        lanes = self._lanes = Lanes(
            feed, opening.open, opening.store.first_at, end, self.counts, keep=self._transactions
        )
        attach(app, lanes, topic)
        watch = asyncio.create_task(_watch(app, end))
        report = asyncio.create_task(self._report())
        began = time.monotonic()
        try:
            await _started(app, stop)
            feed.fetch_fast()
            log.info(
                "worker.started group=%s transactions=%s seconds=%.1f",
                app.conf.id,
                "yes" if self._transactions else "no",
                time.monotonic() - began,
            )
            yield
        finally:
            report.cancel()
            watch.cancel()
            began = time.monotonic()
            await lanes.drain()
            self.stopped = await _stopped(app)
            log.info("worker.drained seconds=%.1f", time.monotonic() - began)
        if self._failure is not None:
            if isinstance(self._failure, LivefuseError):
                raise self._failure
            raise LivefuseError(f"an error that livefuse does not know: {self._failure!r}") from self._failure

    async def _report(self) -> None:
        before = self.counts.snapshot()
        while True:
            await asyncio.sleep(_PROGRESS_S)
            now = self.counts.snapshot()
            behind = self._lanes.behind() if self._lanes else {}
            log.info(
                "worker.progress signals=%d events=%d flushes=%d lanes=%d opening=%d frames_behind=%d",
                now["signals"] - before["signals"],
                now["events"] - before["events"],
                now["flushes"] - before["flushes"],
                sum(1 for each in behind.values() if each is not None),
                sum(1 for each in behind.values() if each is None),
                sum(each or 0 for each in behind.values()),
            )
            before = now
            waiting = [number for number, lane in self._lanes.open.items() if lane.stalled] if self._lanes else []
            if waiting:
                log.warning(
                    "worker.waiting partitions %s: a flush is not acknowledged. The broker is away or does not take records (disk "
                    "full, too few replicas); nothing is lost, the worker waits.",
                    waiting,
                )


async def _started(app: WorkerApp, stop: asyncio.Event) -> None:
    """Start the app; return early when told to stop."""
    app.finalize()
    app.in_worker = True
    starting = asyncio.create_task(app.start())
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if starting in done:
        starting.result()
    else:
        starting.cancel()


async def _watch(app: WorkerApp, end: Any) -> None:  # noqa: ANN401
    """Tell when the app ends by itself: Faust logs why and carries on as if nothing had happened."""
    await app.wait_until_stopped()
    end(LivefuseError(f"Faust has stopped: {app.crash_reason!r}"))


async def _stopped(app: WorkerApp) -> bool:
    """Commit and leave the group. False if that takes too long."""
    try:
        async with asyncio.timeout(_STOP_S):
            await app.stop()
    except TimeoutError:
        log.warning("worker.stop_slow the group does not let this worker go; it will find out by itself that it has gone")
        return False
    return True
