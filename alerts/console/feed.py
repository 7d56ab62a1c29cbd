"""The fuse events of the last hour, in the order in which they were read.

Bounded by time and by number: what is older is still in Kafka, and is asked for there (`history`).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from schemas.events import FuseEvent

KEPT_MS: Final = 60 * 60_000
MOST_EVENTS: Final = 50_000


class Line(NamedTuple):
    """One event. `number` counts the lines from 1, `known_ms` is the time of its record, `json` its text."""

    number: int
    known_ms: int
    product_id: str
    room_id: str | None
    rule: str | None
    type: str
    text: str
    json: bytes


class Feed:
    """The lines, oldest first."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._lines: deque[Line] = deque(maxlen=most)
        self._number = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, event: FuseEvent, known_ms: int) -> Line:
        """Append an event."""
        self._number += 1
        words = (event.product_id, event.sku_id, event.room_id, event.rule, event.actor, event.reason)
        line = Line(
            self._number,
            known_ms,
            event.product_id,
            event.room_id,
            event.rule,
            event.type,
            "\n".join(each for each in words if each).casefold(),
            event.model_dump_json().encode(),
        )
        self._lines.append(line)
        return line

    def forget(self, now_ms: int) -> None:
        """Let go of what is older than an hour."""
        while self._lines and self._lines[0].known_ms < now_ms - KEPT_MS:
            self._lines.popleft()

    def newest(self, count: int) -> Iterable[Line]:
        """Return so many of the newest, oldest first."""
        return islice(self._lines, max(0, len(self._lines) - count), None)

    def backwards(self, before: int | None = None) -> Iterator[Line]:
        """Yield the lines, newest first; only those of numbers below `before`."""
        for line in reversed(self._lines):
            if before is None or line.number < before:
                yield line
