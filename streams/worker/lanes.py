"""All lanes of a worker: opened for the partitions that it is given, fed with frames, closed, opened again.

    assigned ──▶ opening ──▶ open ──▶ closed       given to another worker
                    ▲          │
                    └── pause ─┴── flush failed    fenced: 3 s, so that a worker that has stood still first learns of its group
                                                   broker away or outcome unknown: 1 s; the state says what was written

Frames that come while a lane is not open are dropped, not kept: the partition is paused, and read again from the right place when
the lane is open. So one lane never waits for another. After a rebalance, lanes of partitions that stayed here go on: if
somebody else has had the partition meanwhile, the next flush is fenced and the lane opens again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

from schemas.errors import BrokerUnavailable, FencedError, LogError
from streams.worker.lane import Acknowledge, Lane
from streams.worker.metrics import WorkerCounts

log = logging.getLogger(__name__)

_OPENING_AT_ONCE: Final = 4
_FENCED_PAUSE_S: Final = 3.0
_RETRY_PAUSE_S: Final = 1.0
_SEEK_PAUSE_S: Final = 1.0
_SEEKS_BEFORE_DOUBT: Final = 3
_FAR: Final = 1_000
_DRAIN_S: Final = 2.0


class Feed(Protocol):
    """Where frames come from. Partitions are numbers of the signals topic."""

    def end(self, number: int) -> int | None:
        """Return the offset behind the last frame that is known of; None if nothing is known yet."""

    def pause(self, number: int) -> None:
        """Deliver nothing of the partition until :meth:`resume`."""

    def resume(self, number: int) -> None:
        """Deliver again."""

    async def log_start(self, number: int) -> int:
        """Return the offset of the oldest frame that there is. Raises BrokerUnavailable."""

    async def seek(self, number: int, offset: int) -> None:
        """Go on with the frame at ``offset``. Frames that are already on their way may come first."""


Open = Callable[[int, Callable[[Lane, Exception], None]], Awaitable[Lane]]
FirstAt = Callable[[int, int], Awaitable[int | None]]


class Lanes:
    """The lanes. ``end`` is called with what this process cannot go on after.

    ``keep`` tells whether lanes may outlive a rebalance: only where the broker fences.
    """

    def __init__(
        self,
        feed: Feed,
        open_lane: Open,
        first_at: FirstAt,
        end: Callable[[Exception], None],
        counts: WorkerCounts,
        *,
        keep: bool,
    ) -> None:
        self.open: dict[int, Lane] = {}
        self.counts = counts
        self._feed = feed
        self._open_lane = open_lane
        self._first_at = first_at
        self._end = end
        self._keep = keep
        self._assigned: set[int] = set()
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._missed: dict[int, int] = {}
        self._paused: set[int] = set()
        self._seeks: dict[int, tuple[int, int, float]] = {}
        self._seats = asyncio.Semaphore(_OPENING_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    @property
    def assigned(self) -> frozenset[int]:
        """Return the partitions that this worker has been given."""
        return frozenset(self._assigned)

    def take(self, number: int, offset: int, value: bytes | None, acknowledge: Acknowledge) -> None:
        """Give the frame to its lane, if it is the next one there; else see to it that the next one comes."""
        if self._draining or number not in self._assigned:
            return
        lane = self.open.get(number)
        if lane is None or lane.stalled:
            self._miss(number, offset)
            return
        end = self._feed.end(number)
        try:
            taken = lane.take(offset, value, acknowledge, behind=end is not None and offset + 1 < end)
        except LogError as error:
            # It is not acknowledged, and what may be half applied is not written.
            del self.open[number]
            self._spawn(self._end_lane(lane, error))
            return
        if not taken or offset < lane.next - _FAR:
            self._bring(lane)

    async def on_revoked(self) -> None:
        """Flush before others take over: all partitions are revoked at every rebalance, and some come back."""
        await self._flush_all()
        if not self._keep:
            for number in list(self.open):
                self._spawn(self.open.pop(number).close())

    def on_assigned(self, numbers: Iterable[int]) -> None:
        """Close the lanes of partitions that are others' now and open those that are new here."""
        self._assigned = set(numbers)
        self._missed = {number: offset for number, offset in self._missed.items() if number in self._assigned}
        # Faust resumes all partitions at the end of a rebalance.
        self._paused.clear()
        for number in list(self.open):
            if number not in self._assigned:
                lane = self.open.pop(number)
                log.info("lane.closed partition=%d position=%d", number, lane.saved)
                self._spawn(lane.close())
        for number, task in self._opening.items():
            if number not in self._assigned:
                task.cancel()
        for number in sorted(self._assigned):
            self._start(number, 0.0)

    async def drain(self) -> None:
        """Take no more frames, flush, acknowledge and close all lanes."""
        self._draining = True
        for task in self._opening.values():
            task.cancel()
        await self._flush_all()
        await asyncio.gather(*(lane.close() for lane in self.open.values()))
        self.open.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_DRAIN_S)

    def behind(self) -> dict[int, int | None]:
        """Return how many frames each partition is behind its end; None where the lane is not open."""
        found: dict[int, int | None] = {}
        for number in sorted(self._assigned):
            lane, end = self.open.get(number), self._feed.end(number)
            found[number] = None if lane is None else max(0, (lane.next if end is None else end) - lane.next)
        return found

    async def _flush_all(self) -> None:
        flushes = [asyncio.create_task(lane.flush()) for lane in self.open.values()]
        if flushes:
            await asyncio.wait(flushes, timeout=_DRAIN_S)

    async def _end_lane(self, lane: Lane, error: Exception) -> None:
        await lane.close()
        self._end(error)

    def _miss(self, number: int, offset: int) -> None:
        self._missed[number] = min(offset, self._missed.get(number, offset))
        if number not in self._paused:
            self._paused.add(number)
            self._feed.pause(number)
            if number in self.open:
                self._spawn(self._go_on(number))
        self._start(number, 0.0)

    async def _go_on(self, number: int) -> None:
        """Wait for a flush that hangs. If it fails the lane is opened again, and that brings the frames."""
        while (lane := self.open.get(number)) is not None:
            if not lane.stalled:
                await self._resume(lane)
                return
            await asyncio.sleep(_RETRY_PAUSE_S)

    def _start(self, number: int, pause_s: float) -> None:
        if number in self.open or self._draining:
            return
        task = self._opening.get(number)
        if task is None or task.cancelling():
            self._opening[number] = self._spawn(self._opened(number, pause_s))

    async def _opened(self, number: int, pause_s: float) -> None:
        try:
            while number in self._assigned:
                await asyncio.sleep(pause_s)
                async with self._seats:
                    try:
                        lane = await self._open_lane(number, self._failed)
                    except (BrokerUnavailable, FencedError) as error:
                        log.warning("lane.not_opened partition=%d: %s Trying again.", number, error)
                        pause_s = _RETRY_PAUSE_S
                        continue
                self.open[number] = lane
                self.counts.opened += 1
                await self._resume(lane)
                return
        except Exception as error:  # noqa: BLE001 (the process ends with it)
            self._end(error)
        finally:
            if self._opening.get(number) is asyncio.current_task():
                del self._opening[number]

    async def _resume(self, lane: Lane) -> None:
        number = lane.number
        missed = self._missed.pop(number, None)
        if missed is not None:
            await self._seek(number, min(missed, lane.next))
        if number in self._paused:
            self._paused.discard(number)
            self._feed.resume(number)

    def _failed(self, lane: Lane, error: Exception) -> None:
        if self.open.get(lane.number) is lane:
            del self.open[lane.number]
        if isinstance(error, FencedError):
            self.counts.fenced += 1
            pause_s = _FENCED_PAUSE_S
            log.warning("lane.fenced partition=%d position=%d: %s", lane.number, lane.saved, error)
        elif isinstance(error, BrokerUnavailable):
            self.counts.reopened += 1
            pause_s = _RETRY_PAUSE_S
            log.warning(
                "lane.flush_failed partition=%d position=%d: %s The lane opens again; its state says what was written.",
                lane.number,
                lane.saved,
                error,
            )
        else:
            self._end(error)
            return
        self._missed[lane.number] = lane.saved + 1
        if lane.number in self._assigned:
            self._start(lane.number, pause_s)

    def _bring(self, lane: Lane) -> None:
        """Ask for the next frame of a lane, at most once a second."""
        number = lane.number
        offset, times, at = self._seeks.get(number, (-1, 0, 0.0))
        now = time.monotonic()
        if now - at < _SEEK_PAUSE_S:
            return
        times = times + 1 if offset == lane.next else 1
        self._seeks[number] = (lane.next, times, now)
        self._spawn(self._brought(lane, times))

    async def _brought(self, lane: Lane, times: int) -> None:
        number, wanted = lane.number, lane.next
        try:
            start = await self._feed.log_start(number)
            if start <= wanted and times > _SEEKS_BEFORE_DOUBT:
                start = await self._first_at(number, wanted) or start
        except BrokerUnavailable as error:
            log.warning("lane.waiting partition=%d next=%d: %s", number, wanted, error)
            return
        if start > wanted and lane.next == wanted:
            self.counts.gap_frames += start - wanted
            log.error(
                "lane.gap partition=%d: the frames %d to %d are gone (deleted by retention?). Their signals are missing; going on "
                "with %d.",
                number,
                wanted,
                start - 1,
                start,
            )
            lane.skip_to(start)
        log.info("lane.seek partition=%d next=%d", number, lane.next)
        await self._seek(number, lane.next)

    async def _seek(self, number: int, offset: int) -> None:
        _, times, _ = self._seeks.get(number, (-1, 0, 0.0))
        self._seeks[number] = (offset, times, time.monotonic())
        self.counts.seeks += 1
        await self._feed.seek(number, offset)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(error if isinstance(error, Exception) else RuntimeError(repr(error)))
