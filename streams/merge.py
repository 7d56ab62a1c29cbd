"""The merge: several sources, each in an order of its own, become one order by event time.

Used where order is made: in the intake (source partitions), in ``replay`` (the partitions of a capture) and in a
lane (sources that are read by different intakes).

Each source stays in its own order, late items and all; the next item is the one with the smallest time among the
heads of all sources, ties by rank. That is the same as sorting by (largest time so far in the source, rank,
position), which is how it is done here: sources keep lists sorted by that key, and :meth:`Merge.take` sorts what may
go in one piece.

An item may go when no source can still bring an earlier one. What a source can still bring is its *horizon*: the key
of the last item that it brought, or later if somebody said so (:meth:`Merge.advance`), or never if it is caught up.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

from streams.engine.signals import Signal

NEVER: Final = 1 << 62
"""A horizon later than every time: the source holds nobody up."""

Entry = tuple[int, int, int, Any]
"""(key in ms, rank of the source, position in the source, item)"""


class _Source:
    __slots__ = ("caught_up", "entries", "horizon", "key", "rank", "taken")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.entries: list[Entry] = []
        self.key = 0
        self.taken = 0
        self.horizon = 0
        self.caught_up = False


class Merge:
    """Sources by name. Not thread safe; does no I/O."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def __len__(self) -> int:
        return sum(len(source.entries) for source in self._sources.values())

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def add(self, name: str, rank: int) -> None:
        """Add a source. ``rank`` decides between items of the same key: the smaller goes first."""
        self._sources.setdefault(name, _Source(rank))

    def begin(self, name: str, key: int) -> None:
        """Begin a source in the middle, before anything is taken of it.

        ``key`` is the largest time (ms) of what it has brought elsewhere.
        """
        source = self._sources[name]
        source.key, source.taken = max(source.key, key), key
        source.entries = [(max(entry[0], key), *entry[1:]) for entry in source.entries]

    def taken(self, name: str) -> int:
        """Return the largest time (ms) of what has been taken of a source, 0 when that is nothing."""
        return self._sources[name].taken

    def remove(self, name: str) -> None:
        """Forget a source and what is queued of it."""
        self._sources.pop(name, None)

    def queued(self, name: str) -> int:
        """Count the items of a source that have not been taken."""
        return len(self._sources[name].entries)

    def head(self, name: str) -> Entry | None:
        """Return the first item of a source that has not been taken; None when all have been."""
        entries = self._sources[name].entries
        return entries[0] if entries else None

    def reached(self, name: str) -> int:
        """Return the largest time (ms) that a source has brought, 0 when it has brought nothing."""
        return self._sources[name].key

    def latest(self) -> int:
        """Return the largest time (ms) that any source has brought, 0 when none has brought anything."""
        return max((source.key for source in self._sources.values()), default=0)

    def push(self, name: str, items: Iterable[tuple[int, int, Any]]) -> None:
        """Append items (time in ms, position, item) in the source's own order."""
        source = self._sources[name]
        key, rank, entries = source.key, source.rank, source.entries
        for time, position, item in items:
            key = max(key, time)
            entries.append((key, rank, position, item))
        source.key = key

    def push_signals(self, name: str, signals: Iterable[Signal]) -> None:
        """Append signals by their own times and positions: :meth:`push` for the busiest loop of the intake."""
        source = self._sources[name]
        entries = source.entries
        # Any: compiled, numbers stay the objects that they are already.
        key: Any = source.key
        rank: Any = source.rank
        for signal in signals:
            time: Any = signal[3]
            if time > key:  # noqa: PLR1730 (a call of max for each signal costs as much as the rest of the loop)
                key = time
            entries.append((key, rank, signal[2], signal))
        source.key = key

    def advance(self, name: str, horizon: int) -> None:
        """Tell that whatever the source still brings bears a time of ``horizon`` or later, late items excepted."""
        source = self._sources[name]
        source.horizon = max(source.horizon, horizon)

    def mark_caught_up(self, name: str, *, caught_up: bool) -> None:
        """Tell whether a source has nothing more to bring now: then it holds nobody up."""
        self._sources[name].caught_up = caught_up

    def take(self) -> list[Entry]:
        """Return, in order, all items that no source can still precede."""
        limit = min(
            ((_horizon(source), source.rank) for source in self._sources.values()),
            default=(NEVER, 0),
        )
        taken: list[Entry] = []
        runs = 0
        for source in sorted(self._sources.values(), key=_rank):
            entries = source.entries
            if not entries:
                continue
            cut = bisect_right(entries, limit, key=_order)
            if cut:
                source.taken = entries[cut - 1][0]
                taken += entries[:cut]
                del entries[:cut]
                runs += 1
        if runs > 1:
            # By key alone: what has the same key stays in the order of ranks, and of positions within a source.
            taken.sort(key=_key)
        return taken

    def waiting_for(self) -> Iterator[str]:
        """Name the sources that hold others up: not caught up and with nothing queued."""
        return (name for name, source in self._sources.items() if not source.caught_up and not source.entries)

    def bound(self) -> int:
        """Return the earliest time (ms) that may still come, queued items included, late ones excepted."""
        return min(
            (source.entries[0][0] if source.entries else _horizon(source) for source in self._sources.values()),
            default=NEVER,
        )


def _horizon(source: _Source) -> int:
    return NEVER if source.caught_up else max(source.key, source.horizon)


_key: Final = itemgetter(0)


def _rank(source: _Source) -> int:
    return source.rank


def _order(entry: Entry) -> tuple[int, int]:
    return entry[:2]
