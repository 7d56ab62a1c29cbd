"""The alignment: frames of several intakes become one order of signals, the same whenever they are read.

    one intake        others = []        its order stands: the signals of a frame are released at once
    several intakes   others = [...]     each merged its own sources only; their frames are merged again, by source:

    orders/0   12:00:01  12:00:04   passed 12:00:04     released: what no source can still precede, here up to 12:00:02
    returns/0  12:00:03             passed 12:00:02     held:     12:00:03 and 12:00:04, until returns/0 has passed them

A source holds the others up until a frame that names it says that it has passed. An intake that was caught up has read
all that was there when it last looked, ``LEASE_MS`` after what it says to have passed; so a source of it counts as that
much further, which is what keeps live signals from waiting for the next tick.

The guarantee: what is released after a frame is a function of the frames up to it, also across a crash. A lane saves
the position before the oldest frame with a held signal, and what :meth:`Alignment.snapshot` returns. Read again, the
frames up to the one that was last read then only fill the queues; from there on everything goes as it would have gone.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from schemas.topics import TopicNames
from streams.engine.signals import TICK, Signal, tick_before
from streams.frames import Frame
from streams.merge import Merge

LEASE_MS: Final = 1_000
"""How much later than what it says to have passed a caught-up intake has looked: the tick margin of the intake."""

HELD_LIMIT: Final = 100_000
"""Signals that are held at most. With more, all are released as they are: better out of order than out of memory."""


_RANKS_PER_TOPIC: Final = 1_000_000


def source_rank(names: TopicNames) -> Callable[[str], int]:
    """Return what tells the place of a source, ``topic/partition``, among signals of one time (contract, section 4)."""
    topics = {topic: place * _RANKS_PER_TOPIC for place, topic in enumerate(names.inputs)}

    def rank(source: str) -> int:
        topic, _, partition = source.rpartition("/")
        place = topics.get(topic)
        # An input that has been renamed since: behind all others, and never the same as another.
        return len(topics) * _RANKS_PER_TOPIC + crc32(source.encode()) if place is None else place + int(partition)

    return rank


class Release(NamedTuple):
    """What a frame sets free: signals, whose sources are indices into ``sources``, and then a tick (ms)."""

    sources: Sequence[str]
    signals: Sequence[Signal]
    tick: int


class Alignment:
    """The frames of one signals partition. Pure.

    ``rank`` gives a source's place among signals of one time. ``applied`` gives, by source, the position of the last
    signal that was released and applied; it is asked seldom.
    """

    def __init__(self, rank: Callable[[str], int], applied: Callable[[], Mapping[str, int]]) -> None:
        self.overflows = 0
        # The last frame that released what it could, and the last one read: an earlier one while the queues are
        # refilled.
        self._frontier = -1
        self._read = -1
        self._restored = -1
        self._rank = rank
        self._applied = applied
        self._merge = Merge()
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        self._horizons: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        # The position of the last signal queued of each source; None when frames went by without being queued.
        self._queued: dict[str, int] | None = None
        # [offset, signals held] of the frames from the oldest with a held signal on.
        self._held: deque[list[int]] = deque()
        # What the last frames said that went by without being queued, all with the same sources.
        self._said: tuple[list[str], int, int] | None = None

    @property
    def held(self) -> int:
        """Count the signals that wait."""
        return len(self._merge)

    @property
    def position(self) -> int:
        """Return the offset up to which every signal has been released: where a lane must begin to read again."""
        if self.refilling:
            return self._restored
        return self._held[0][0] - 1 if self._held else self._frontier

    @property
    def refilling(self) -> bool:
        """Tell whether frames are read again to fill the queues. A lane saves nothing meanwhile."""
        return self._read < self._frontier

    def add(self, offset: int, frame: Frame) -> Release:
        """Take the frame at ``offset``; the signals of the frame may be changed by that."""
        self._read = offset
        if offset <= self._frontier:
            self._queue(offset, frame)
            return Release((), (), 0)
        self._frontier = offset
        if not frame.others and not self._held:
            self._note(frame)
            return Release(frame.sources, frame.signals, frame.passed)
        self._fold()
        self._queue(offset, frame)
        self._advance(frame.sources, frame.passed, _horizon(frame))
        present = {*frame.sources, *frame.others}
        for name in self._names:
            # A source that nobody reads any more would hold up the others for ever.
            self._merge.mark_caught_up(name, caught_up=name not in present)
        signals = self._take()
        if len(self._merge) > HELD_LIMIT:
            self.overflows += 1
            for name in self._names:
                self._merge.mark_caught_up(name, caught_up=True)
            signals += self._take()
        passed = min((self._passed.get(name, 0) for name in present), default=0)
        return Release(self._names, signals, min(passed, self._merge.bound() - 1))

    def skip_to(self, offset: int) -> None:
        """Go on with the frame at ``offset``, because those before it are gone."""
        self._read = offset - 1
        self._frontier = max(self._frontier, self._read)

    def snapshot(self) -> dict[str, Any]:
        """Return what, with the frames behind ``position``, brings the alignment back. Plain JSON."""
        self._fold()
        return {
            "frontier": self._frontier,
            "sources": [
                [name, self._passed.get(name, 0), self._horizons.get(name, 0), self._keys.get(name, 0)]
                for name in self._names
            ],
        }

    @staticmethod
    def fresh(position: int) -> dict[str, Any]:
        """Return the snapshot of an alignment that has seen nothing and goes on behind ``position``."""
        return {"frontier": position, "sources": []}

    def restore(self, position: int, data: Mapping[str, Any]) -> None:
        """Take a snapshot back, and the position saved with it."""
        self._frontier = data["frontier"]
        self._read = self._restored = position
        for name, passed, horizon, key in data["sources"]:
            self._introduce(name)
            self._passed[name] = passed
            self._horizons[name] = horizon
            self._keys[name] = key
            self._merge.advance(name, max(horizon, key))

    def _introduce(self, name: str) -> None:
        if name not in self._numbers:
            self._numbers[name] = len(self._names)
            self._names.append(name)
            self._merge.add(name, self._rank(name))

    def _note(self, frame: Frame) -> None:
        self._queued = None
        said = self._said
        if said is not None and said[0] != frame.sources:
            self._fold()
            said = None
        passed, horizon = frame.passed, _horizon(frame)
        if said is not None:
            passed, horizon = max(passed, said[1]), max(horizon, said[2])
        self._said = (frame.sources, passed, horizon)

    def _fold(self) -> None:
        if self._said is not None:
            self._advance(*self._said)
            self._said = None

    def _advance(self, names: list[str], passed: int, horizon: int) -> None:
        for name in names:
            self._introduce(name)
            if passed > self._passed.get(name, 0):
                self._passed[name] = passed
            if horizon > self._horizons.get(name, 0):
                self._horizons[name] = horizon
                self._merge.advance(name, horizon)

    def _queue(self, offset: int, frame: Frame) -> None:
        for name in frame.sources:
            self._introduce(name)
        for name in frame.others:
            self._introduce(name)
        if self._queued is None:
            self._queued = dict(self._applied())
        origin = [offset, 0]
        queued = [self._queued.get(name, -1) for name in frame.sources]
        numbers = [self._numbers[name] for name in frame.sources]
        # A queue that was emptied before a crash starts from the latest time that it had reached.
        floors = [self._keys.get(name, 0) for name in frame.sources]
        runs: list[list[tuple[int, Any]]] = [[] for _ in frame.sources]
        place = 0
        for signal in frame.signals:
            if signal[0] == TICK:
                # It tells the place of the late signal behind it; as a tick it holds for one intake's sources only.
                place = signal[3] + 1
                continue
            source, position, time = signal[1:4]
            if position > queued[source]:
                queued[source] = position
                signal[1] = numbers[source]
                runs[source].append((max(time, place, floors[source]), (signal, origin)))
            place = 0
        for name, position, run in zip(frame.sources, queued, runs, strict=True):
            if run:
                self._queued[name] = position
                self._merge.push(name, run)
                origin[1] += len(run)
        if origin[1]:
            self._held.append(origin)

    def _take(self) -> list[Signal]:
        signals = []
        for key, (signal, origin) in self._merge.take():
            origin[1] -= 1
            self._keys[self._names[signal[1]]] = key
            if signal[3] < key:
                signals.append(tick_before(key))
            signals.append(signal)
        while self._held and not self._held[0][1]:
            self._held.popleft()
        return signals


def _horizon(frame: Frame) -> int:
    return frame.passed + 1 + (LEASE_MS if frame.live else 0)
