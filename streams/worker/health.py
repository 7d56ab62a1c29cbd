"""Whether a worker makes progress.

A worker can be alive and not consume, so an answer alone means nothing. It is not well when a partition has frames and
none has been applied for ``PATIENCE_S``, when its lane is not open for so long, or when the broker has told nothing of
it for so long: it answers some ten times a second, also when there is nothing new.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

PATIENCE_S: Final = 30.0

Behind = Mapping[int, int | None]
"""Frames that each partition is behind; None where the lane is not open."""


class _Seen(NamedTuple):
    good_s: float
    place: int | None
    silent: bool


class Health:
    """Remembers when each partition was last well. Times are seconds of a clock that never jumps."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def observe(
        self, now_s: float, behind: Behind, applied: Mapping[int, int], silent: Collection[int] = frozenset()
    ) -> None:
        """Look at how far partitions are behind, and at the next frame of each open lane.

        ``silent`` are those of which the broker has told nothing for some seconds.
        """
        before, self._seen = self._seen, {}
        for number, frames in behind.items():
            place = applied.get(number)
            was = before.get(number, _Seen(now_s, None, silent=False))
            caught_up = frames == 0 and number not in silent
            progressed = number not in before or caught_up or (place is not None and place != was.place)
            self._seen[number] = _Seen(now_s if progressed else was.good_s, place, frames == 0)

    def problems(self, now_s: float) -> list[str]:
        """Return what is wrong, one sentence for each partition; nothing when all is well."""
        found = []
        for number, seen in sorted(self._seen.items()):
            lost_s = now_s - seen.good_s
            if lost_s > PATIENCE_S:
                if seen.place is None:
                    what = "its lane is not open"
                elif seen.silent:
                    what = "the broker tells nothing of it"
                else:
                    what = f"frame {seen.place} is there and is not applied"
                found.append(f"partition {number}: {what}, for {lost_s:.0f} s")
        return found
