"""Rule kind ``complaint_surge``: too many complaints within any rolling window.

Evidence: the times of the newest complaints, sorted, with their ids. No buckets, so the 51st complaint within the
hour trips to the millisecond, and a late complaint can complete a window of the past.
"""

from bisect import bisect_left, bisect_right
from typing import Any

from schemas.durations import milliseconds
from schemas.rules import ComplaintSurgeLimits, Rule
from streams.engine.evidence import Evidence
from streams.engine.fuse import BEGINNING, OPEN, PROBATION, Fuse
from streams.engine.signals import Signal
from streams.engine.verdicts import LATE, Nearness, Trip, Verdict, seconds

EVIDENCE = 100


class Limits:
    """The limits of one rule for one scope, ready to compare: milliseconds and counts."""

    def __init__(self, rule: Rule, limits: ComplaintSurgeLimits) -> None:
        self.more_than = limits.more_than
        self.probation_more_than = int(limits.more_than * rule.probation_factor)
        self.window = milliseconds(limits.window)
        self.reach = self.window + milliseconds(limits.lateness)
        self.keep = self.reach + self.window
        self.categories = frozenset(limits.categories) if limits.categories else None
        self.capacity = max(256, 4 * (limits.more_than + 1))
        self.window_s: int | float = seconds(self.window)


class ComplaintSurge(Evidence):
    """Evidence of one product for one rule."""

    __slots__ = ("ids", "limits", "times")
    limits: Limits

    def __init__(self, since: int) -> None:
        super().__init__(since)
        self.times: list[int] = []
        self.ids: list[str] = []

    def arm(self, limits: Limits, fuses: dict[str | None, Fuse]) -> None:
        """Take the limits in force and the fuses of this rule."""
        self.limits = limits
        self.fuses = fuses

    def on_complaint(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """Count a complaint; trip when it completes a set of more than the limit within the window."""
        _, _, _, time, _, complaint_id, category, _ = signal
        limits = self.limits
        if limits.categories is not None and category not in limits.categories:
            return None
        if time < clock - limits.reach:
            return LATE
        if complaint_id in self.ids:
            return None
        place = self._insert(time, complaint_id, clock)
        fuse = self.fuses.get(None)
        if fuse is None:
            mark, more_than = BEGINNING, limits.more_than
        elif fuse.state == OPEN:
            return None
        else:
            mark = fuse.mark
            more_than = limits.probation_more_than if fuse.state == PROBATION else limits.more_than
        if place < 0 or time <= mark:
            return None
        start, end = self._fullest_window(place, mark)
        if end - start <= more_than:
            return None
        cause = {
            "measured": end - start,
            "limit": more_than,
            "window_s": limits.window_s,
            "evidence": self.ids[max(start, end - EVIDENCE) : end],
        }
        return (Trip(None, cause),)

    def forget_until(self, mark: int) -> None:
        """Nothing to do: complaints are compared with the fuse's mark one by one."""

    def nearness(self, clock: int) -> Nearness | None:
        """Tell how near the rolling window is to the limit."""
        fuse = self.fuses.get(None)
        mark = fuse.mark if fuse else BEGINNING
        count = len(self.times) - bisect_right(self.times, max(clock - self.limits.window, mark))
        limit = self.limits.more_than
        return Nearness(min(1.0, count / (limit + 1)), count, limit) if count else None

    def _insert(self, time: int, complaint_id: str, clock: int) -> int:
        """Insert and cut; return where the complaint stands, negative when it was cut at once."""
        times, ids, limits = self.times, self.ids, self.limits
        place = bisect_right(times, time)
        times.insert(place, time)
        ids.insert(place, complaint_id)
        cut = max(bisect_left(times, clock - limits.keep), len(times) - limits.capacity)
        if cut > 0:
            del times[:cut]
            del ids[:cut]
            place -= cut
        return place

    def _fullest_window(self, place: int, mark: int) -> tuple[int, int]:
        """Return the slice of the fullest window with the complaint at ``place``; of equal ones the earliest."""
        times, window = self.times, self.limits.window
        first = bisect_right(times, max(times[place] - window, mark))
        if place == len(times) - 1:
            return first, place + 1
        best = (first, first)
        for start in range(first, place + 1):
            end = bisect_left(times, times[start] + window)
            if end - start > best[1] - best[0]:
                best = (start, end)
        return best

    def encode(self, clock: int) -> list[Any] | None:
        """Return ids and times, the times as ages."""
        return [self.ids, [clock - time for time in self.times]] if self.times else None

    def decode(self, data: list[Any], clock: int) -> None:
        """Take back what :meth:`encode` returned."""
        self.ids = data[0]
        self.times = [clock - age for age in data[1]]
