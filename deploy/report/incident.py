"""One opening of a fuse, from beginning to end, as its events tell it.

Two clocks meet here, as in the pager: an event's `occurred_at` is the time of the shop's facts, `known_ms` the
timestamp of its Kafka record, when everybody could know. What people wait for is measured by the second one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from alerts.pager.drill import is_drill
from schemas.events import FuseEvent


class Known(NamedTuple):
    """A fuse event and the timestamp of its Kafka record (ms)."""

    event: FuseEvent
    known_ms: int


class Span(NamedTuple):
    """A time between two events in ms: by the shop's facts, and by Kafka's timestamps."""

    event_ms: int
    known_ms: int


class FuseKey(NamedTuple):
    """Which opening of which fuse."""

    product_id: str
    rule: str
    sku_id: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Incident:
    """One opening. `own` are its events, `around` those of the product's overrides and commands meanwhile.

    `opening` is None where Kafka has deleted it. `end` is what ended it, None while it is open; `closed` is the end of
    its probation, or the same as `end`.
    """

    key: FuseKey
    own: tuple[Known, ...]
    around: tuple[Known, ...] = ()

    @property
    def opening(self) -> Known | None:
        """The opening itself."""
        return self._first("fuse.opened")

    @property
    def acknowledged(self) -> Known | None:
        """The first acknowledgement."""
        return self._first("fuse.acknowledged")

    @property
    def end(self) -> Known | None:
        """What took the fuse out of the state open."""
        return self._first("fuse.probation", "fuse.closed")

    @property
    def closed(self) -> Known | None:
        """What closed the fuse."""
        return self._first("fuse.closed")

    @property
    def first(self) -> FuseEvent:
        """The first event that is known: the opening, unless it is gone."""
        return self.own[0].event

    @property
    def is_drill(self) -> bool:
        """Whether it was an exercise."""
        return is_drill(self.key.product_id)

    @property
    def is_shadow(self) -> bool:
        """Whether nothing was paused, because the rule is on trial."""
        return self.first.shadow

    @property
    def detected_ms(self) -> int | None:
        """How long after the fact that tripped it the fuse event stood in Kafka."""
        return None if self.opening is None else self.opening.known_ms - self.opening.event.occurred_at

    @property
    def until_acknowledged(self) -> Span | None:
        """From the opening to the first acknowledgement."""
        return self._until(self.acknowledged)

    @property
    def until_end(self) -> Span | None:
        """From the opening to its end."""
        return self._until(self.end)

    @property
    def timeline(self) -> list[Known]:
        """All that happened to the product meanwhile, in order."""
        return sorted((*self.own, *self.around), key=lambda each: each.event.sequence)

    def was_open_within(self, begin_ms: int, end_ms: int) -> bool:
        """Tell whether it was open at some time of a period."""
        if self.opening is not None and self.opening.event.occurred_at >= end_ms:
            return False
        return self.end is None or self.end.event.occurred_at >= begin_ms

    def _first(self, *kinds: str) -> Known | None:
        return next((each for each in self.own if each.event.type in kinds), None)

    def _until(self, later: Known | None) -> Span | None:
        if self.opening is None or later is None:
            return None
        return Span(later.event.occurred_at - self.opening.event.occurred_at, later.known_ms - self.opening.known_ms)


def incidents_of(events: Sequence[Known]) -> list[Incident]:
    """Return the openings that the events of one product tell of, in order. The events: each once, by sequence."""
    own: dict[FuseKey, list[Known]] = {}
    for each in events:
        if (key := _key(each.event)) is not None:
            own.setdefault(key, []).append(each)
    found = [Incident(key, tuple(told), tuple(_around(events, told))) for key, told in own.items()]
    # Of an opening that is gone together with its end nothing is left to tell.
    return [each for each in found if each.opening is not None or any(told.event.from_ == "open" for told in each.own)]


def _key(event: FuseEvent) -> FuseKey | None:
    if event.rule is None or event.epoch is None:
        return None
    return FuseKey(event.product_id, event.rule, event.sku_id, event.epoch)


def _around(events: Sequence[Known], own: Sequence[Known]) -> Iterable[Known]:
    first, last = own[0].event, own[-1].event
    for each in events:
        begun = each.event.sequence > first.sequence
        over = last.type == "fuse.closed" and each.event.sequence > last.sequence
        if begun and not over and each.event.epoch is None:
            yield each
