"""What a worker counts, and the snapshot of it that ``livefuse up``, ``/stats`` and the health check look at."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class WorkerCounts:
    """Counted since the process began, except ``lanes``, which are those that are open now.

    ``signals`` are those given to the engine, repeats included. ``flush_seconds`` is the time from the beginning of
    each flush to its commit. ``gap_frames`` are frames that retention deleted before they were applied; they are
    missing for good. ``frames_read`` are those that Faust did not deliver.
    """

    lanes: int = 0
    frames: int = 0
    signals: int = 0
    events: int = 0
    replenishments: int = 0
    flushes: int = 0
    flush_seconds: float = 0.0
    opened: int = 0
    fenced: int = 0
    reopened: int = 0
    gap_frames: int = 0
    frames_read: int = 0

    def snapshot(self) -> dict[str, Any]:
        """Return the counts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
