"""How a worker process is, at any time from its first look at the broker to its end."""

import time
from collections.abc import Callable
from typing import Final

from streams.worker.counts import WorkerCounts
from streams.worker.health import PATIENCE_S, Health
from streams.worker.lanes import Lanes
from streams.worker.store import Progress

_UNREAD: Final = Progress()


class WorkerStatus:
    """What metrics and health of a process are made of. ``lanes`` is None until the broker has been reached.

    ``recovery`` tells of the partitions whose state is or was read here. ``clock``: seconds of one that never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.counts = WorkerCounts()
        self.health = Health()
        self.lanes: Lanes | None = None
        self.recovery: dict[int, Progress] = {}
        self._began_s = self._clock()

    def begin_again(self) -> None:
        """Forget the lanes: from now on the broker is waited for again."""
        self.lanes, self.recovery = None, {}
        self._began_s = self._clock()

    def problems(self) -> list[str]:
        """Return what keeps the worker from going on; nothing when all is well."""
        now_s = self._clock()
        if self.lanes is not None and self.lanes.joined:
            return self.health.problems(now_s)
        waiting_s = now_s - self._began_s
        return [f"{self._waits_for()}, for {waiting_s:.0f} s"] if waiting_s > PATIENCE_S else []

    def ready(self) -> str | None:
        """Return what it waits for before it does its work; None when all its lanes are open."""
        if self.lanes is None or not self.lanes.joined:
            return self._waits_for()
        if self.lanes.draining:
            return "it is stopping"
        opening = sorted(self.lanes.assigned - self.lanes.open.keys())
        return f"the lanes of the partitions {', '.join(map(str, opening))} are not open yet" if opening else None

    def progress(self, number: int) -> Progress:
        """Return how far the state of a partition has been read."""
        return self.recovery.get(number, _UNREAD)

    def _waits_for(self) -> str:
        return "it waits for the broker" if self.lanes is None else "it waits for its group to give it partitions"
