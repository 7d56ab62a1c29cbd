"""One alert: an opening of a fuse, from the fuse event that told of it to the end of what is said about it.

    opened ──────────────────▶ ended (probation, closed)     FuseOpen fires from opened to ended
       └─ escalate_after ─▶ acknowledged or ended            FuseNotAcknowledged fires in between

All times are milliseconds since 1970. Two clocks meet here: `occurred_at` of an event is when it happened, by the
shop's clocks, and may lie ahead of ours or long ago, when a backlog is worked off; `..._ms` of an event is the
timestamp of its Kafka record, when it was known. What people wait for is measured by the second one. All of it is in
the log, so another pager comes to the same alert, byte for byte.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self

from schemas.events import FuseEntry, FuseEvent, FuseState, event_id
from schemas.rules import Severity

AlertName = Literal["FuseOpen", "FuseNotAcknowledged"]

RESOLVED_FOR_MS: Final = 5 * 60_000
"""How long the end of an alert is told again and again."""


class FuseKey(NamedTuple):
    """Which fuse."""

    product_id: str
    rule: str
    sku_id: str | None


class Identity(NamedTuple):
    """What an Alertmanager knows an alert by. Two openings of one fuse may differ in severity and room."""

    product_id: str
    rule: str
    sku_id: str | None
    severity: Severity
    room_id: str | None


class Span(NamedTuple):
    """When one of the alerts of an opening fires: from `start` to `end`, or on and on (None).

    `end_known`: the Kafka time of what ended it.
    """

    start: int
    end: int | None
    end_known: int | None


@dataclass(slots=True, eq=False)
class Alert:
    """What is known of one opening of a fuse.

    `opening` is its event, or made from the fuse state where the event is gone. `opened_ms`, `acknowledged_ms` and
    `ended_ms` are Kafka timestamps, `ended_at` is the event time of the end. `live`: the pager saw it happen, it was
    not there when the pager began. `paged`: an Alertmanager has taken it.
    """

    opening: FuseEvent
    opened_ms: int
    live: bool = False
    paged: bool = False
    acknowledged_ms: int | None = None
    ended_ms: int | None = None
    ended_at: int | None = None

    @classmethod
    def from_state(cls, state: FuseState, entry: FuseEntry, known_ms: int) -> Self:
        """Make the alert of a fuse whose opening event is gone; the room is then the product's present one.

        Of a fuse that is not open any more the time of the opening is not known: it is put right before the end, and an
        Alertmanager that knows better keeps its own.
        """
        ended = entry.state != "open"
        since = min(entry.since, known_ms)
        return cls(
            _opening(state, entry, since - ended),
            since - ended,
            acknowledged_ms=None if entry.acknowledged_by is None else since - ended,
            ended_ms=known_ms if ended else None,
            ended_at=entry.since if ended else None,
        )

    @property
    def key(self) -> FuseKey:
        """The fuse."""
        return FuseKey(self.opening.product_id, self.opening.rule or "", self.opening.sku_id)

    @property
    def identity(self) -> Identity:
        """The identity, from the opening alone, so that it stays what it is."""
        event = self.opening
        return Identity(event.product_id, event.rule or "", event.sku_id, event.severity or "warning", event.room_id)

    @property
    def epoch(self) -> int:
        """Which opening of its fuse this is, from 1."""
        return self.opening.epoch or 0

    @property
    def starts_at(self) -> int:
        """When it happened; never later than it was known, or an Alertmanager would not fire yet."""
        return min(self.opening.occurred_at, self.opened_ms)

    def open_span(self) -> Span:
        """Return when FuseOpen fires."""
        if self.ended_ms is None or self.ended_at is None:
            return Span(self.starts_at, None, None)
        return Span(self.starts_at, max(self.starts_at, min(self.ended_at, self.ended_ms)), self.ended_ms)

    def escalation_ms(self, after_ms: int) -> int:
        """Return when FuseNotAcknowledged begins to fire, if nothing happens before."""
        return self.opened_ms + after_ms

    def unanswered_span(self, after_ms: int) -> Span | None:
        """Return when FuseNotAcknowledged fires; None when somebody answered, or it was over, in time."""
        start = self.escalation_ms(after_ms)
        answers = [each for each in (self.acknowledged_ms, self.ended_ms) if each is not None]
        if not answers:
            return Span(start, None, None)
        answered = min(answers)
        return Span(start, answered, answered) if answered > start else None


def _opening(state: FuseState, entry: FuseEntry, since: int) -> FuseEvent:
    return FuseEvent(
        event_id=event_id(state.product_id, max(1, state.sequence)),
        sequence=max(1, state.sequence),
        type="fuse.opened",
        product_id=state.product_id,
        sku_id=entry.sku_id,
        room_id=state.room_id,
        rule=entry.rule,
        rule_version=0,
        from_="closed",
        to="open",
        epoch=max(1, entry.epoch),
        shadow=entry.shadow,
        severity=entry.severity,
        occurred_at=since,
        actor="rule",
        reason=None,
        paused=state.paused,
        cause=entry.cause,
    )
