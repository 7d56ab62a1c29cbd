"""What a channel is told, and when: by severity, room and rule; after a while without an answer; not at night.

An opening in quiet hours, or with `after`, is told later, if it still holds then. Critical fuses ignore quiet hours,
and so do acknowledgements and ends: they make no phone ring. What belongs to no fuse (an operator's override) counts as
`info`, and in quiet hours is not told at all. A rejected command is told to nobody: the operator has the answer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from alerts.pager.wording import RANKS
from schemas.events import FuseEvent
from schemas.rules import Severity

ANSWERS: Final = frozenset({"fuse.acknowledged", "fuse.probation", "fuse.closed"})
"""What may come after an opening. Whoever waits for an answer has it with any of them."""


class QuietHours(NamedTuple):
    """A time of the day, by the clocks of a place. `begin` after `end` reaches over midnight."""

    begin: time
    end: time
    zone: ZoneInfo

    def until(self, at: datetime) -> datetime:
        """Return when the quiet that holds at this time is over; the time itself when it is not quiet."""
        local = at.astimezone(self.zone)
        clock = local.time()
        if self.begin <= self.end:
            if not self.begin <= clock < self.end:
                return at
            day = local.date()
        else:
            if self.end <= clock < self.begin:
                return at
            day = local.date() + timedelta(days=clock >= self.begin)
        return datetime.combine(day, self.end, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Route:
    """Which events are for a channel. Empty `rooms` or `rules` stand for all of them.

    `after`: only what nobody has acknowledged for so long. `resolved`: acknowledgements and ends are told, too.
    """

    min_severity: Severity = "info"
    rooms: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    after: timedelta = timedelta(0)
    quiet_hours: QuietHours | None = None
    resolved: bool = True

    def wants(self, event: FuseEvent, room_id: str | None) -> bool:
        """Tell whether an event is for this channel at all. `room_id`: where the fuse opened."""
        if event.shadow or event.type == "command.rejected":
            return False
        if event.epoch is None and self.after:
            return False
        if event.type in ANSWERS and not self.resolved:
            return False
        if RANKS[event.severity or "info"] > RANKS[self.min_severity]:
            return False
        if self.rules and event.rule not in self.rules:
            return False
        return not self.rooms or room_id in self.rooms

    def due(self, event: FuseEvent, known: datetime) -> datetime | None:
        """Return when an event that came to be known at this time is to be told; None: never."""
        if event.type in ANSWERS:
            return known
        due = known + self.after
        if self.quiet_hours is None or event.severity == "critical":
            return due
        after_quiet = self.quiet_hours.until(due)
        return None if event.epoch is None and after_quiet > due else after_quiet
