"""The merge: several sources, each in an order of its own, become one order by event time.

Used where order is made: in the intake (source partitions), in ``replay`` (the partitions of a capture) and in a
lane (sources that are read by different intakes).

Each source stays in its own order, late items and all; the next item is the one with the smallest time among the
heads of all sources, ties by rank. That is the same as sorting by (largest time so far in the source, rank,
position), which is how it is done here: sources keep lists sorted by that key, and :meth:`Merge.take` sorts what may
go in one piece. Most signals are on time, so that key is their own time: then they are sorted as they are.

An item may go when no source can still bring an earlier one. What a source can still bring is its *horizon*: the key
of the last item that it brought, or later if somebody said so (:meth:`Merge.advance`), or never if it is caught up.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from streams.engine.signals import Signal, tick_before

NEVER: Final = 1 << 62
"""A horizon later than every time: the source holds nobody up."""

Entry = tuple[int, Any]
"""(key in ms, item)"""


class _Source:
    """``keys`` are those of the ``items`` that wait. Behind the first ``odd`` of them each signal is on time."""

    __slots__ = ("caught_up", "horizon", "items", "key", "keys", "odd", "rank", "taken")

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.keys: list[Any] = []
        self.items: list[Any] = []
        self.odd = 0
        self.key = 0
        self.taken = 0
        self.horizon = 0
        self.caught_up = False


class Merge:
    """Sources by name. Not thread safe; does no I/O."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def __len__(self) -> int:
        return sum(len(source.items) for source in self._sources.values())

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
        source.keys = [max(each, key) for each in source.keys]
        source.odd = len(source.keys)

    def taken(self, name: str) -> int:
        """Return the largest time (ms) of what has been taken of a source, 0 when that is nothing."""
        return self._sources[name].taken

    def remove(self, name: str) -> None:
        """Forget a source and what is queued of it."""
        self._sources.pop(name, None)

    def queued(self, name: str) -> int:
        """Count the items of a source that have not been taken."""
        return len(self._sources[name].items)

    def head(self, name: str) -> Any:
        """Return the first item of a source that has not been taken; None when all have been."""
        items = self._sources[name].items
        return items[0] if items else None

    def reached(self, name: str) -> int:
        """Return the largest time (ms) that a source has brought, 0 when it has brought nothing."""
        return self._sources[name].key

    def latest(self) -> int:
        """Return the largest time (ms) that any source has brought, 0 when none has brought anything."""
        return max((source.key for source in self._sources.values()), default=0)

    def push(self, name: str, items: Iterable[tuple[int, Any]]) -> None:
        """Append items as (time in ms, item), in the source's own order."""
        source = self._sources[name]
        for time, item in items:
            source.key = max(source.key, time)
            source.keys.append(source.key)
            source.items.append(item)

    def push_signals(self, name: str, signals: Sequence[Signal]) -> None:
        """Append signals by their own times: :meth:`push` for the busiest loop of the intake."""
        source = self._sources[name]
        keys = source.keys
        # Any: compiled, numbers stay the objects that they are already.
        key: Any = source.key
        for signal in signals:
            time: Any = signal[3]
            if time < key:
                source.odd = len(keys) + 1
            else:
                key = time
            keys.append(key)
        source.key = key
        source.items += signals

    def advance(self, name: str, horizon: int) -> None:
        """Tell that whatever the source still brings bears a time of ``horizon`` or later, late items excepted."""
        source = self._sources[name]
        source.horizon = max(source.horizon, horizon)

    def mark_caught_up(self, name: str, *, caught_up: bool) -> None:
        """Tell whether a source has nothing more to bring now: then it holds nobody up."""
        self._sources[name].caught_up = caught_up

    def take(self) -> list[Entry]:
        """Return, in order, all items that no source can still precede."""
        keys, items, _ = self._cut()
        return [(keys[place], items[place]) for place in _order(keys)]

    def take_signals(self) -> list[Signal]:
        """Return what :meth:`take` does where all items are signals, each late one behind the tick of its place."""
        keys, signals, odd = self._cut()
        if not odd:
            # As the keys are; what has the same time stays in the order of ranks, and of positions within a source.
            signals.sort(key=_time)
            return signals
        found: list[Signal] = []
        for place in _order(keys):
            signal = signals[place]
            if signal[3] < keys[place]:
                found.append(tick_before(keys[place]))
            found.append(signal)
        return found

    def _cut(self) -> tuple[list[Any], list[Any], bool]:
        """Cut off what may go; return its keys and items, source by source, and whether some may be late."""
        limit, limit_rank = min(
            ((_horizon(source), source.rank) for source in self._sources.values()),
            default=(NEVER, 0),
        )
        keys: list[Any] = []
        items: list[Any] = []
        odd = False
        for source in sorted(self._sources.values(), key=_rank):
            cut = bisect_right(source.keys, limit if source.rank <= limit_rank else limit - 1)
            if cut:
                source.taken = source.keys[cut - 1]
                keys += source.keys[:cut]
                items += source.items[:cut]
                del source.keys[:cut]
                del source.items[:cut]
                odd = odd or source.odd > 0
                source.odd = max(0, source.odd - cut)
        return keys, items, odd

    def waiting_for(self) -> Iterator[str]:
        """Name the sources that hold others up: not caught up and with nothing queued."""
        return (name for name, source in self._sources.items() if not source.caught_up and not source.items)

    def bound(self) -> int:
        """Return the earliest time (ms) that may still come, queued items included, late ones excepted."""
        return min(
            (source.keys[0] if source.keys else _horizon(source) for source in self._sources.values()),
            default=NEVER,
        )


def _horizon(source: _Source) -> int:
    return NEVER if source.caught_up else max(source.key, source.horizon)


_time: Final = itemgetter(3)


def _rank(source: _Source) -> int:
    return source.rank


def _order(keys: list[Any]) -> list[int]:
    """Return the places of the keys in their order; of equal ones the first stays the first."""
    return sorted(range(len(keys)), key=keys.__getitem__)
