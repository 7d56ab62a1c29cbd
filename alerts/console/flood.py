"""Lines of the audit that somebody can cause at will: the first few are written, then one a minute with a count."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from schemas.audit import AuditEntry

FIRST: Final = 5
WITHIN_S: Final = 60.0

_MOST_KEYS: Final = 5_000

Key = tuple[str, ...]


@dataclass(slots=True)
class _Window:
    ends: float
    seen: int
    last: AuditEntry


class Flood:
    """Folds lines that bear the same key. `clock` returns seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[Key, _Window] = {}

    def admits(self, key: Key, entry: AuditEntry) -> bool:
        """Tell whether to write this line; otherwise it is counted, and `due` will tell of it."""
        if key not in self._windows and len(self._windows) >= _MOST_KEYS:
            # Whoever comes from so many places at once is one flood.
            key = ("many", entry.what, entry.outcome or "")
        window = self._windows.get(key)
        if window is None:
            self._windows[key] = _Window(self._clock() + WITHIN_S, 1, entry)
            return True
        window.seen += 1
        window.last = entry
        return window.seen <= FIRST

    def due(self, *, all_of_them: bool = False) -> list[AuditEntry]:
        """Return one line for each window that is over in which lines were folded, and begin it anew."""
        now = self._clock()
        lines = []
        for key, window in list(self._windows.items()):
            if window.ends > now and not all_of_them:
                continue
            folded = window.seen - FIRST
            if folded <= 0:
                del self._windows[key]
                continue
            lines.append(window.last.model_copy(update={"detail": f"{folded} more like this"}))
            # It goes on in a window in which none of the first is written.
            self._windows[key] = _Window(now + WITHIN_S, FIRST, window.last)
        return lines
