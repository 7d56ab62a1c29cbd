"""When to speak of what: a queue of names with times, in which a later word on a name replaces the earlier one."""

from collections.abc import Hashable
from heapq import heappop, heappush
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Schedule(Generic[Name]):
    """Names by the time at which they are due; what is put at the same time comes in the order of putting."""

    def __init__(self) -> None:
        self._due: dict[Name, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Name]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def put(self, name: Name, due: float) -> None:
        """Set when a name is due."""
        self._count += 1
        self._due[name] = (due, self._count)
        heappush(self._heap, (due, self._count, name))

    def drop(self, name: Name) -> None:
        """Forget a name."""
        self._due.pop(name, None)

    def next(self) -> float | None:
        """Return when the first name is due; None when there is none."""
        self._discard()
        return self._heap[0][0] if self._heap else None

    def take(self, now: float, most: int) -> list[Name]:
        """Take out, and return, what is due, the longest due first."""
        taken: list[Name] = []
        while len(taken) < most:
            due = self.next()
            if due is None or due > now:
                break
            _, _, name = heappop(self._heap)
            del self._due[name]
            taken.append(name)
        return taken

    def _discard(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][:2]:
            heappop(self._heap)
