"""Whether an intake makes progress.

It is not well when, for ``PATIENCE_S``,

    a source has records that are not read      the broker's end moves, the position does not
    the broker tells nothing of a source        it answers some ten times a second, also when there is nothing new
    a frame or dead letters are not acknowledged
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

PATIENCE_S: Final = 30.0


class Place(NamedTuple):
    """How far a source is: the offset of the next record to read, how many there are behind it, and the silence (s)."""

    name: str
    position: int
    unread: int
    silent_s: float


class Health:
    """Remembers when each source, and the dead letters, were last well. Times are of a clock that never jumps."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[float, Place]] = {}
        self._letters = (0.0, 0)
        self._letters_wait = False
        self._frame_s = 0.0

    def observe(self, now_s: float, places: Iterable[Place], frame_s: float, letters: tuple[int, int]) -> None:
        """Look at the sources, at the age of the oldest frame in flight, and at (queued, acknowledged) dead letters."""
        before, self._places = self._places, {}
        for place in places:
            since_s, was = before.get(place.name, (now_s, None))
            moved = was is None or place.position != was.position
            self._places[place.name] = (now_s if moved or not place.unread else since_s, place)
        self._frame_s = frame_s
        queued, acknowledged = letters
        self._letters_wait = queued > acknowledged
        if not self._letters_wait or acknowledged != self._letters[1]:
            self._letters = (now_s, acknowledged)

    def problems(self, now_s: float) -> list[str]:
        """Return what is wrong, a sentence each; nothing when all is well."""
        found = []
        silent_s = min((place.silent_s for _, place in self._places.values()), default=0.0)
        if silent_s > PATIENCE_S:
            found.append(f"the broker tells nothing of any source, for {silent_s:.0f} s")
        for name, (since_s, place) in sorted(self._places.items()):
            if now_s - since_s > PATIENCE_S:
                found.append(f"{name}: {place.unread} records are there and none is read, for {now_s - since_s:.0f} s")
            elif place.silent_s > PATIENCE_S >= silent_s:
                found.append(f"{name}: the broker tells nothing of it, for {place.silent_s:.0f} s")
        if self._frame_s > PATIENCE_S:
            found.append(f"a frame is not acknowledged, for {self._frame_s:.0f} s")
        letters_s = now_s - self._letters[0]
        if self._letters_wait and letters_s > PATIENCE_S:
            found.append(f"dead letters are not acknowledged, for {letters_s:.0f} s")
        return found
