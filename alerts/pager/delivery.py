"""The queue of one channel: what waits goes out in order, merged, within the service's limits, or expires.

    put ──▶ waiting ──▶ one message of up to `largest_batch` notices ──▶ sent
              ▲  │                        │
              │  └─ deadline: expired     ├─ Unavailable: back to waiting, later again
              └───────────────────────────┼─ Rejected, several in it: back, each alone
                                          └─ Rejected: rejected     any other error: failed

Guarantees: `put` never waits, so that no channel holds up another. The most severe notices go first; those of one
severity go in their order. A notice is counted once, when it is dealt with. At most `per_minute` messages go out in
any 60 seconds: a quarter of them at once if need be, the rest evenly spaced, so that a grave notice behind many others
waits for seconds and not for the end of the minute. Cancelling `run` leaves what was not dealt with in `waiting`.
"""

import asyncio
import logging
import random
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal, NamedTuple

from alerts.pager.channel import Channel, Rejected, Unavailable
from alerts.pager.notice import Notice
from alerts.pager.wording import RANKS

log = logging.getLogger(__name__)

Outcome = Literal["sent", "rejected", "failed", "expired", "suppressed"]

DEADLINE_S: Final = 600.0
CAPACITY: Final = 10_000
FAILURES: Final = 3
"""So many failures in a row make a channel failing."""

PATIENCE_S: Final = 60.0
"""A channel that has not come back after so long is interrupted; each has a shorter limit of its own."""

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0


class Dealt(NamedTuple):
    """A notice has been dealt with. `seconds`: since it was read, on the delivery's clock."""

    notice: Notice
    outcome: Outcome
    seconds: float


@dataclass(slots=True)
class _Waiting:
    notice: Notice
    read_at: float
    due: float
    alone: bool = False


class _Pace:
    """A bucket of messages. It holds a quarter of a minute's; the rest flows in over the minute, one kept as a margin.

    The margin is for the service, on whose clock messages may come closer together than they were sent.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._capacity = max(1, (per_minute or 0) // 4)
        self._per_s = None if per_minute is None else max(1, per_minute - self._capacity - 1) / 60
        self._level = float(self._capacity)
        self._at = 0.0

    def ready_at(self, now: float) -> float:
        """Return from when on a message may go."""
        if self._per_s is None:
            return now
        self._level = min(float(self._capacity), self._level + (now - self._at) * self._per_s)
        self._at = now
        return now + max(0.0, 1 - self._level) / self._per_s

    def take(self) -> None:
        """One message goes."""
        if self._per_s is not None:
            self._level -= 1


class Delivery:
    """Sends notices through one channel. `run` does it; everything else may be called at any time from its loop.

    `clock` gives seconds that never jump, `wall` seconds since 1970, `chance` a number from 0 to 1. `dealt` is called
    for each notice that is dealt with: it counts for the metrics.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        deadline_s: float = DEADLINE_S,
        per_minute: int | None = None,
        dealt: Callable[[Dealt], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.channel = channel
        self.counts: Counter[Outcome] = Counter()
        self.failures_in_a_row = 0
        self.last_success: float | None = None
        self.last_error: str | None = None
        self._deadline_s = deadline_s
        limits = [limit for limit in (per_minute, channel.per_minute) if limit is not None]
        self._pace = _Pace(min(limits, default=None))
        self._dealt = dealt
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._chance = chance
        self._queue: list[_Waiting] = []
        self._in_flight: list[_Waiting] = []
        self._not_before = 0.0
        self._failed_alone: str | None = None
        self._news = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many notices are not dealt with yet."""
        return len(self._queue) + len(self._in_flight)

    @property
    def failing(self) -> bool:
        """Whether the last `FAILURES` messages failed."""
        return self.failures_in_a_row >= FAILURES

    def put(self, notice: Notice, read_at: float | None = None) -> None:
        """Take a notice that was read at `read_at` on the clock (now). Its deadline runs from then on."""
        since = self._clock() if read_at is None else read_at
        entry = _Waiting(notice, since, since + self._deadline_s)
        if not self.channel.takes(notice):
            self._finish(entry, "suppressed")
            return
        if len(self._queue) >= CAPACITY:
            # The least severe and oldest gives way; within a severity the queue is in order of time.
            lowest = max(RANKS[each.notice.severity] for each in self._queue)
            index = next(at for at, each in enumerate(self._queue) if RANKS[each.notice.severity] == lowest)
            self._finish(self._queue.pop(index), "expired")
        self._queue.append(entry)
        self._news.set()

    def suppress(self, notice: Notice) -> None:
        """Count a notice that the routes keep from this channel."""
        now = self._clock()
        self._finish(_Waiting(notice, now, now), "suppressed")

    async def run(self) -> None:
        """Send what comes, until cancelled."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._queue:
                    await self._step()
        finally:
            self._queue[:0] = self._in_flight
            self._in_flight = []
            if self._queue:
                log.warning("channel.stopped channel=%s waiting=%d", self.channel.name, len(self._queue))

    async def _step(self) -> None:
        """Let expire what is too late, then send one message, or wait for the time at which that may be done."""
        now = self._clock()
        self._expire(now)
        if not self._queue:
            return
        ready_at = max(self._not_before, self._pace.ready_at(now))
        if ready_at > now:
            await self._sleep(min(ready_at, *(entry.due for entry in self._queue)) - now)
            return
        self._in_flight = self._take()
        self._pace.take()
        error = await self._attempt([entry.notice for entry in self._in_flight])
        batch, self._in_flight = self._in_flight, []
        self._settle(batch, error)

    def _expire(self, now: float) -> None:
        late = [entry for entry in self._queue if entry.due <= now]
        if late:
            self._queue = [entry for entry in self._queue if entry.due > now]
            log.warning("channel.expired channel=%s notices=%d", self.channel.name, len(late))
            for entry in late:
                self._finish(entry, "expired")

    def _take(self) -> list[_Waiting]:
        """Take the next message's notices out of the queue."""
        self._queue.sort(key=lambda entry: RANKS[entry.notice.severity])
        batch = [self._queue.pop(self._next())]
        if not batch[0].alone:
            while self._queue and not self._queue[0].alone and len(batch) < self.channel.largest_batch:
                batch.append(self._queue.pop(0))
        return batch

    def _next(self) -> int:
        """Return the place of the next notice in the queue: the first, but for one that has just failed alone.

        A receiver may fail over one notice only, and that must not hold up all others until its deadline. Those of
        its product stay behind it, so that no end overtakes its opening.
        """
        failed, self._failed_alone = self._failed_alone, None
        others = (at for at, entry in enumerate(self._queue) if entry.notice.event.product_id != failed)
        return 0 if failed is None else next(others, 0)

    async def _attempt(self, notices: Sequence[Notice]) -> Exception | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.channel.send(notices)
        except TimeoutError:
            return Unavailable(f"channel {self.channel.name}: it did not come back within {PATIENCE_S:g} s")
        except Exception as error:  # noqa: BLE001 (a channel that breaks must not end the delivery)
            return error
        return None

    def _settle(self, batch: list[_Waiting], error: Exception | None) -> None:
        if error is None:
            self._succeeded()
            for entry in batch:
                self._finish(entry, "sent")
            return
        self._failed(error)
        if isinstance(error, Unavailable):
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self.failures_in_a_row - 1, 10))
            pause *= 0.5 + self._chance() / 2
            self._not_before = self._clock() + max(pause, error.retry_after_s or 0.0)
            self._queue[:0] = batch
            if self.channel.largest_batch == 1:
                self._failed_alone = batch[0].notice.event.product_id
        elif isinstance(error, Rejected) and len(batch) > 1:
            # One notice that the service does not want must not take the others with it.
            for entry in batch:
                entry.alone = True
            self._queue[:0] = batch
        else:
            for entry in batch:
                self._finish(entry, "rejected" if isinstance(error, Rejected) else "failed")

    def _succeeded(self) -> None:
        if self.failing:
            log.info("channel.recovered channel=%s failures=%d", self.channel.name, self.failures_in_a_row)
        self.failures_in_a_row = 0
        self.last_error = None
        self.last_success = self._wall()

    def _failed(self, error: Exception) -> None:
        self.failures_in_a_row += 1
        if isinstance(error, Rejected | Unavailable):
            self.last_error = str(error)
            log.warning("channel.%s %s", "rejected" if isinstance(error, Rejected) else "unavailable", error)
        else:
            # Its text is not known to be free of secrets: only what it is and where it came from is told.
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} at {PurePath(place.filename).name}:{place.lineno}"
            self.last_error = f"channel {self.channel.name}: {what}"
            log.error("channel.broken channel=%s: %s", self.channel.name, what)
        if self.failures_in_a_row == FAILURES:
            log.error("channel.failing channel=%s", self.channel.name)

    def _finish(self, entry: _Waiting, outcome: Outcome) -> None:
        self.counts[outcome] += 1
        self._dealt(Dealt(entry.notice, outcome, self._clock() - entry.read_at))
