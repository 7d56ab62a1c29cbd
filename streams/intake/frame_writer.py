"""Writing frames: one writer for each partition of the signals topic, one frame in flight in each.

    quiet    signal ▶ frame of 1 ▶ acknowledged                              no wait
    busy     frame in flight ─────▶ acknowledged ▶ next frame, of all that came meanwhile

So frames grow with the load. What a frame costs a worker hardly depends on what is in it, so a partition also keeps a
pace: its frames begin at least ``partitions / FRAMES_PER_SECOND`` apart, or are full, while the intake is behind. A
frame after a pause does not wait.

A frame that cannot be sent for good ends its writer with SendFailed, and nothing behind it is written or counted as
acknowledged.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streams.engine.signals import TICK, Signal
from streams.frames import Frame, encode
from streams.intake.counts import IntakeCounts
from streams.intake.routes import Routes
from streams.intake.sources import Progress, SourceTable

FRAMES_PER_SECOND: Final = 500
"""Frames of one intake, in all partitions together. A Faust agent takes some 3,000 a second, whatever is in them."""

BEHIND_SPACING_S: Final = 0.1
"""While the intake is behind nobody waits for a single signal: a partition's frames are full, or this far apart."""

LARGEST_VALUE_BYTES: Final = 1_000_000
"""A frame of more is cut in two. A rule set may be larger; the topic takes four times as much."""

STALE_S: Final = 0.5
"""A frame does not say that its intake was caught up longer ago than this: the process may have stood still."""

_SMALLEST_CUT: Final = 2
"""A late signal and its place."""

MOST_QUEUED: Final = 40_000
WARN_AFTER_S: Final = 5.0

Send = Callable[[int, bytes], Awaitable[None]]
"""Write a value to a partition of the signals topic and wait until it is acknowledged. Raises SendFailed."""

log = logging.getLogger(__name__)


class PartitionWriter:
    """The frames of one partition. ``queued`` and ``acknowledged`` count signals since the start.

    ``signals`` wait for a frame, ``sent`` are in the one in flight. ``places`` counts the ticks among ``signals``, each
    in front of a late one.
    """

    def __init__(self, number: int, writer: "FrameWriter") -> None:
        self.number = number
        # The same list for ever: the routes of signals lead to it.
        self.signals: list[Signal] = []
        self.sent: list[Signal] = []
        self.places = 0
        self.queued = 0
        self.acknowledged = 0
        self.wake = asyncio.Event()
        self.began_s = 0.0
        self.in_flight = False
        self.tick_due = False
        self._writer = writer

    async def run(self) -> None:
        """Write frames until cancelled. Raises SendFailed."""
        writer = self._writer
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.signals or self.tick_due:
                wait_s = self.began_s + writer.spacing_s(len(self.signals)) - time.monotonic()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                value, count, places = self._pack()
                if value:
                    self.in_flight = True
                    await writer.send(self.number, value)
                    self.in_flight = False
                    self.sent = []
                    self.acknowledged += count
                    writer.note(len(value), count - places)

    def drop(self) -> None:
        """Forget the signals that are not in a frame yet."""
        self.queued -= len(self.signals)
        self.signals.clear()
        self.sent = []
        self.places = 0
        self.tick_due = False

    def _pack(self) -> tuple[bytes, int, int]:
        writer = self._writer
        self.began_s = time.monotonic()
        self.tick_due = False
        count = min(len(self.signals), writer.frame_signals)
        while True:
            if count and self.signals[count - 1][0] == TICK:
                # A late signal's place stands in front of it: the two are never parted.
                count += 1
            signals = self.signals[:count]
            value = writer.frame(signals, self.signals[count : count + 1])
            if len(value) <= LARGEST_VALUE_BYTES or count <= _SMALLEST_CUT:
                break
            count //= 2
        del self.signals[:count]
        self.sent = signals
        places = sum(signal[0] == TICK for signal in signals) if self.places else 0
        self.places -= places
        return value, count, places


class FrameWriter:
    """All partitions of the signals topic, for one intake."""

    def __init__(self, writer_id: str, partitions: int, frame_signals: int, send: Send, counts: IntakeCounts) -> None:
        self.send = send
        self.frame_signals = frame_signals
        self._live_spacing_s = partitions / FRAMES_PER_SECOND
        self.partitions = [PartitionWriter(number, self) for number in range(partitions)]
        self._queues = [partition.signals for partition in self.partitions]
        self._routes = Routes(self._queues)
        self._id = writer_id
        self._counts = counts
        self._sources: list[str] = []
        self._others: list[str] = []
        self._progress = Progress(0, live=False)
        self._progress_s = 0.0
        self._warned_s = 0.0
        self._room = asyncio.Event()
        self._room.set()

    def open(self, table: SourceTable) -> None:
        """Write for these sources from now on."""
        self._sources, self._others = table.names, table.others
        self._progress = Progress(0, live=False)

    def close(self) -> None:
        """Forget the sources and what is queued of them. Frames in flight go on."""
        self._sources, self._others = [], []
        for partition in self.partitions:
            partition.drop()
        self._room.set()

    def put(self, signals: Sequence[Signal], progress: Progress) -> None:
        """Queue signals in their order, as the merge has taken them.

        With them all that came up to ``progress`` has been queued.
        """
        self._progress, self._progress_s = progress, time.monotonic()
        before = list(map(len, self._queues))
        places = self._routes.put(signals)
        for partition, queue, length, ticks in zip(self.partitions, self._queues, before, places, strict=True):
            if added := len(queue) - length:
                partition.queued += added
                partition.places += ticks
                partition.wake.set()
        if sum(map(len, self._queues)) > MOST_QUEUED:
            self._room.clear()

    def spacing_s(self, queued: int) -> float:
        """Return how far apart the frames of a partition begin at least, with ``queued`` signals waiting in it."""
        if self._progress.live:
            return self._live_spacing_s
        return 0.0 if queued >= self.frame_signals else BEHIND_SPACING_S

    def tick(self, interval_s: float) -> None:
        """Let every partition that had no frame for ``interval_s`` write one."""
        if not self._sources:
            return
        now_s = time.monotonic()
        for partition in self.partitions:
            if now_s - partition.began_s >= interval_s and not partition.in_flight:
                partition.tick_due = True
                partition.wake.set()

    def warn(self) -> None:
        """Warn, every few seconds, of frames that are not acknowledged."""
        now_s = time.monotonic()
        ages_s = self._ages_s(now_s)
        waiting = [number for number, age_s in ages_s.items() if age_s > WARN_AFTER_S]
        if waiting and now_s - self._warned_s > WARN_AFTER_S:
            self._warned_s = now_s
            log.warning(
                "frame.waiting partitions %s have not acknowledged a frame for %.0f s. The broker is away or does not "
                "take records (disk full, too few replicas); nothing is lost, the intake waits.",
                waiting,
                max(ages_s.values()),
            )

    def unacknowledged_s(self) -> float:
        """Return the age of the oldest frame in flight, 0 when there is none."""
        return max(self._ages_s(time.monotonic()).values(), default=0.0)

    def waiting(self) -> Counter[int]:
        """Count, by source, the signals that are queued or in flight."""
        return Counter(
            signal[1]
            for partition in self.partitions
            for signals in (partition.signals, partition.sent)
            for signal in signals
            if signal[0] != TICK
        )

    def frame(self, signals: list[Signal], rest: list[Signal]) -> bytes:
        """Encode a frame in front of ``rest``; empty when there is nothing to say, because the sources are gone."""
        if not self._sources:
            return b""
        passed, live = self._progress
        if rest:
            passed, live = min(passed, rest[0][3] - 1), False
        live = live and time.monotonic() - self._progress_s < STALE_S
        return encode(Frame(self._id, self._sources, self._others, max(passed, 0), live, signals))

    def note(self, size: int, count: int) -> None:
        """Count an acknowledged frame."""
        counts = self._counts
        counts.frames += 1
        counts.signals += count
        if count:
            counts.frame_signals.observe(count)
            counts.frame_bytes.observe(size)
        else:
            counts.ticks += 1
        if not self._room.is_set() and sum(len(partition.signals) for partition in self.partitions) <= MOST_QUEUED // 2:
            self._room.set()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    def marks(self) -> list[int]:
        """Return how many signals each partition has been given."""
        return [partition.queued for partition in self.partitions]

    def reached(self, marks: Sequence[int]) -> bool:
        """Tell whether all that had been given at the time of ``marks`` is acknowledged."""
        return all(partition.acknowledged >= mark for partition, mark in zip(self.partitions, marks, strict=True))

    def _ages_s(self, now_s: float) -> dict[int, float]:
        return {each.number: now_s - each.began_s for each in self.partitions if each.in_flight}
