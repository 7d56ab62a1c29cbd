"""All lanes of a worker: opened for the partitions that it is given, fed with frames, closed, opened again.

    assigned ──▶ opening ──▶ open ──▶ closed       given to another worker
                    ▲          │
                    └── pause ─┴── flush failed    fenced: 3 s, time to learn that the partition is another's now
                                                   broker away or outcome unknown: 1 s; the state says what was written

From the moment at which the group takes the partitions back to the one at which it gives them out, no lane begins to
open: it would fence the one who gets the partition. A pause is over when the partition is given here anew.

Frames for a lane that is not ready wait in its inbox, so one lane never waits for another. What Faust does not deliver
(after a rebalance it may skip frames, and whatever it has skipped it does not deliver any more) the lane reads from the
broker itself: when a later frame comes, and when none comes although there are some.

After a rebalance, lanes of partitions that stayed here go on: if somebody else has had the partition meanwhile, the
next flush is fenced and the lane opens again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final

from schemas.errors import BrokerUnavailable, FencedError, LogError
from streams.worker.counts import WorkerCounts
from streams.worker.inbox import LIMIT_BYTES, Delivery, Inbox
from streams.worker.lane import Lane

log = logging.getLogger(__name__)

_OPENING_AT_ONCE: Final = 4
_FENCED_PAUSE_S: Final = 3.0
_LONGEST_GIVING_S: Final = 15.0
_RETRY_PAUSE_S: Final = 1.0
_BUSY_PAUSE_S: Final = 0.05
_WATCH_S: Final = 1.0
_SILENCE_S: Final = 10.0
_DRAIN_S: Final = 1.5
_LEFT_OVER_S: Final = 0.5

Open = Callable[[int, Callable[[Lane, Exception], None]], Awaitable[Lane]]
"""Open the lane of a partition; the second argument is called if it fails later. Raises LivefuseError."""

Frames = Callable[[int, int, int], AsyncGenerator[tuple[int, bytes | None, int], None]]
"""Yield the frames of a partition from an offset up to another, each as (offset, value, wall clock in ms when it was
written). Raises BrokerUnavailable.
"""

Acknowledge = Callable[[int, int], None]
"""Acknowledge a frame (partition, offset) that was read and not delivered."""

End = Callable[[int], int | None]
"""Return the offset behind the last frame of a partition that is known of."""


class Lanes:
    """The lanes. ``end_process`` is called with what this process cannot go on after.

    ``keep`` tells whether lanes may outlive a rebalance: only where the broker fences. ``joined``: the group has given
    this worker its partitions once, be they none. ``draining``: no more frames are taken. ``unopened``: the
    partitions whose lanes could not be opened because the broker was away.
    """

    def __init__(
        self,
        open_lane: Open,
        frames: Frames,
        acknowledge: Acknowledge,
        end: End,
        end_process: Callable[[Exception], None],
        counts: WorkerCounts,
        *,
        keep: bool,
    ) -> None:
        self.open: dict[int, Lane] = {}
        self.counts = counts
        self._open_lane = open_lane
        self._frames = frames
        self._acknowledge = acknowledge
        self._end = end
        self._end_process = end_process
        self._keep = keep
        self._inboxes: dict[int, Inbox] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._catching_up: set[int] = set()
        self._heard: dict[int, tuple[int, float]] = {}
        self._seats = asyncio.Semaphore(_OPENING_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._given = asyncio.Event()
        self._resting: set[int] = set()
        self.draining = False
        self.joined = False
        self.unopened: set[int] = set()

    @property
    def assigned(self) -> frozenset[int]:
        """Return the partitions that this worker has been given."""
        return frozenset(self._inboxes)

    def take(self, number: int, delivery: Delivery) -> None:
        """Give the frame to its lane, or keep it until the lane is ready."""
        inbox = self._inboxes.get(number)
        if self.draining or inbox is None:
            return
        lane = self.open.get(number)
        if lane is None or lane.busy or inbox or delivery.offset > lane.next:
            inbox.put(delivery)
            self._catch_up(number)
        else:
            end = self._end(number)
            self._apply(lane, delivery, behind=end is not None and delivery.offset + 1 < end)

    async def on_revoked(self) -> None:
        """Flush before others take over: all partitions are revoked at every rebalance, and some come back."""
        self._given.clear()
        await self._flush_all(quick=self._keep)
        if not self._keep:
            for number in list(self.open):
                self._spawn(self.open.pop(number).close())
            self._inboxes.clear()

    def on_assigned(self, numbers: Iterable[int]) -> None:
        """Close the lanes of partitions that are others' now and open those that are new here."""
        assigned = sorted(numbers)
        self.joined = True
        limit = LIMIT_BYTES // max(1, len(assigned))
        self._inboxes = {number: self._inboxes.get(number) or Inbox(limit) for number in assigned}
        for number in list(self.open):
            if number not in self._inboxes:
                lane = self.open.pop(number)
                log.info("lane.closed partition=%d position=%d", number, lane.saved)
                self._spawn(lane.close())
        for number, task in self._opening.items():
            if number not in self._inboxes:
                task.cancel()
        for number in assigned:
            if number in self._resting:
                self._opening[number].cancel()
            self._start(number, 0.0)
        self._given.set()

    async def watch(self) -> None:
        """Look after lanes that get no frames although there are some. Runs until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            for number, lane in self.open.items():
                end = self._end(number)
                if end is not None and lane.next >= end:
                    lane.note_caught_up()
                offset, since = self._heard.get(number, (-1, now))
                if end is None or lane.next >= end or lane.next != offset:
                    self._heard[number] = (lane.next, now)
                elif now - since > _SILENCE_S:
                    self._heard[number] = (lane.next, now)
                    self._catch_up(number, end)

    async def drain(self) -> None:
        """Take no more frames, flush, acknowledge and close all lanes."""
        self.draining = True
        for task in self._opening.values():
            task.cancel()
        await self._flush_all()
        await asyncio.gather(*(lane.close() for lane in self.open.values()))
        self.open.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LEFT_OVER_S)

    def behind(self) -> dict[int, int | None]:
        """Return how many frames each partition is behind its end; None where the lane is not open."""
        found: dict[int, int | None] = {}
        for number in self._inboxes:
            lane, end = self.open.get(number), self._end(number)
            found[number] = None if lane is None else max(0, (lane.next if end is None else end) - lane.next)
        return found

    def waiting_s(self, now_s: float) -> dict[int, float]:
        """Return how old the oldest frame is that each partition has not applied, 0 where there is none.

        ``now_s`` is the wall clock. Partitions of which nothing is known yet are left out. What lies in the queues of
        Faust cannot be seen: its frame is not older than the last one that was applied, nor than the moment at which
        the lane had last caught up.
        """
        found = {}
        for number, inbox in self._inboxes.items():
            lane, end, first = self.open.get(number), self._end(number), inbox.first
            here_s = now_s - first.written_ms / 1000 if first is not None and first.written_ms else None
            if lane is None:
                age_s = here_s
            elif end is not None and lane.next >= end:
                age_s = 0.0
            elif here_s is not None and first is not None and first.offset == lane.next:
                age_s = here_s
            else:
                bounds = [] if lane.caught_up_s is None else [time.monotonic() - lane.caught_up_s]
                bounds += [now_s - lane.written_ms / 1000] if lane.written_ms else []
                age_s = min(bounds, default=here_s)
            if age_s is not None:
                found[number] = max(0.0, age_s)
        return found

    async def _flush_all(self, *, quick: bool = False) -> None:
        flushes = [asyncio.create_task(lane.flush(quick=quick)) for lane in self.open.values()]
        if flushes:
            await asyncio.wait(flushes, timeout=_DRAIN_S)

    def _apply(self, lane: Lane, delivery: Delivery, *, behind: bool) -> None:
        try:
            lane.take(delivery, behind=behind)
        except LogError as error:
            # It is not acknowledged, and what may be half applied is not written.
            del self.open[lane.number]
            self._spawn(self._end_with(lane, error))

    async def _end_with(self, lane: Lane, error: Exception) -> None:
        await lane.close()
        self._end_process(error)

    def _catch_up(self, number: int, until: int | None = None) -> None:
        if number in self.open and number not in self._catching_up:
            self._catching_up.add(number)
            self._spawn(self._caught_up(number, until))

    async def _caught_up(self, number: int, until: int | None) -> None:
        """Apply what waits in the inbox, and what is missing in front of it or (without any) up to ``until``."""
        try:
            while (lane := self.open.get(number)) is not None and (inbox := self._inboxes.get(number)) is not None:
                if lane.busy:
                    await asyncio.sleep(_BUSY_PAUSE_S)
                    continue
                delivery = inbox.take(lane.next)
                if delivery is not None:
                    self._apply(lane, delivery, behind=True)
                    await asyncio.sleep(0)
                    continue
                missing = inbox.missing(lane.next) or until
                if missing is None or missing <= lane.next:
                    return
                await self._read(lane, missing)
        finally:
            self._catching_up.discard(number)

    async def _read(self, lane: Lane, until: int) -> None:
        """Read what Faust did not deliver, from the lane's next frame to the one before ``until``."""
        first = lane.next
        try:
            async with contextlib.aclosing(self._frames(lane.number, first, until)) as frames:
                async for offset, value, written_ms in frames:
                    if lane.closed or self.draining:
                        return
                    if offset > lane.next:
                        self._leave_behind(lane, offset)
                    while lane.busy and not lane.closed:  # noqa: ASYNC110 (as above)
                        await asyncio.sleep(_BUSY_PAUSE_S)
                    if offset == lane.next:
                        inbox = self._inboxes.get(lane.number)
                        delivered = None if inbox is None else inbox.claim(offset)
                        done = delivered or partial(self._acknowledge, lane.number, offset)
                        self._apply(lane, Delivery(offset, value, done, written_ms=written_ms), behind=True)
                        self.counts.frames_read += 1
                    await asyncio.sleep(0)
        except BrokerUnavailable as error:
            log.warning("lane.waiting partition=%d next=%d: %s Trying again.", lane.number, lane.next, error)
            await asyncio.sleep(_RETRY_PAUSE_S)
            return
        if lane.next < until and not lane.closed:
            self._leave_behind(lane, until)
        log.info("lane.read partition=%d from=%d to=%d", lane.number, first, lane.next - 1)

    def _leave_behind(self, lane: Lane, offset: int) -> None:
        self.counts.gap_frames += offset - lane.next
        log.error(
            "lane.gap partition=%d: the frames %d to %d are gone (deleted by retention?). Their signals are missing; "
            "going on with %d.",
            lane.number,
            lane.next,
            offset - 1,
            offset,
        )
        lane.skip_to(offset)

    def _start(self, number: int, pause_s: float) -> None:
        if number in self.open or self.draining:
            return
        task = self._opening.get(number)
        if task is None or task.cancelling():
            self._opening[number] = self._spawn(self._opened(number, pause_s))

    async def _opened(self, number: int, pause_s: float) -> None:
        try:
            while number in self._inboxes:
                await self._rest(number, pause_s)
                async with self._seats:
                    try:
                        lane = await self._open_lane(number, self._failed)
                    except (BrokerUnavailable, FencedError) as error:
                        log.warning("lane.not_opened partition=%d: %s Trying again.", number, error)
                        if isinstance(error, BrokerUnavailable):
                            self.unopened.add(number)
                        pause_s = _RETRY_PAUSE_S
                        continue
                self.open[number] = lane
                self.counts.opened += 1
                self.counts.lanes = len(self.open)
                self._catch_up(number)
                return
        finally:
            if self._opening.get(number) is asyncio.current_task():
                del self._opening[number]
                self.unopened.discard(number)

    async def _rest(self, number: int, pause_s: float) -> None:
        """Wait so long, and until the group has given out the partitions, but not for ever if it never says so."""
        self._resting.add(number)
        try:
            await asyncio.sleep(pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._given.wait(), _LONGEST_GIVING_S)
        finally:
            self._resting.discard(number)

    def _failed(self, lane: Lane, error: Exception) -> None:
        """Drop a lane whose flush has failed. What it has not saved waits for the next one."""
        number = lane.number
        if self.open.get(number) is lane:
            del self.open[number]
        if isinstance(error, FencedError):
            self.counts.fenced += 1
            pause_s = _FENCED_PAUSE_S
            log.warning("lane.fenced partition=%d position=%d: %s", number, lane.saved, error)
        elif isinstance(error, BrokerUnavailable):
            self.counts.failed += 1
            pause_s = _RETRY_PAUSE_S
            log.warning(
                "lane.flush_failed partition=%d position=%d: %s The lane opens again; its state says what was written.",
                number,
                lane.saved,
                error,
            )
        else:
            self.counts.failed += 1
            self._end_process(error)
            return
        inbox = self._inboxes.get(number)
        if inbox is not None:
            inbox.put_back(lane.unsaved)
            self._start(number, pause_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end_process(error if isinstance(error, Exception) else RuntimeError(repr(error)))
