"""What belongs to a period: the openings of fuses, apart those in shadow and those of exercises, and the overrides."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, Self

from alerts.pager.drill import is_drill
from deploy.report.incident import Incident, Known, incidents_of
from schemas.events import FuseEvent


class Override(NamedTuple):
    """An operator's word for a product. `end`: what took it back, replaced it, or its expiry; None while it holds."""

    begin: Known
    end: Known | None


class Times(NamedTuple):
    """How long something took: in how many cases, the median and the longest time in ms; None where there is none."""

    number: int
    median_ms: float | None
    worst_ms: int | None

    @classmethod
    def of(cls, times: Iterable[int | None]) -> Self:
        """Look at all times that are known."""
        known = [each for each in times if each is not None]
        return cls(len(known), median(known) if known else None, max(known, default=None))


class Row(NamedTuple):
    """The summary of one rule's incidents; `rule` None: of all."""

    rule: str | None
    number: int
    open: int
    detected: Times
    acknowledged: Times
    ended: Times


@dataclass(frozen=True, slots=True)
class Period:
    """What was asked for: from `begin_ms` to before `end_ms`, by event time. None: all products, all rooms."""

    begin_ms: int
    end_ms: int
    product_id: str | None = None
    room_id: str | None = None

    def holds(self, time_ms: int) -> bool:
        """Tell whether a time lies within."""
        return self.begin_ms <= time_ms < self.end_ms

    def wants(self, product_id: str, room_id: str | None) -> bool:
        """Tell whether a product in this room was asked for."""
        return self.product_id in {None, product_id} and self.room_id in {None, room_id}


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `actions` are what operators did within the period, in order of time, exercises left out."""

    period: Period
    incidents: tuple[Incident, ...]
    shadows: tuple[Incident, ...]
    drills: tuple[Incident, ...]
    overrides: tuple[Override, ...]
    actions: tuple[Known, ...]

    @property
    def rows(self) -> list[Row]:
        """The summary, by rule; of all at the end where there are several."""
        rules = sorted({each.key.rule for each in self.incidents})
        rows = [_row(rule, [each for each in self.incidents if each.key.rule == rule]) for rule in rules]
        return rows if len(rules) < 2 else [*rows, _row(None, self.incidents)]  # noqa: PLR2004 (several)


def report(period: Period, events: Iterable[Known]) -> Report:
    """Make the report of a period. An incident that was open within it is told from its beginning to its end.

    Events of one product come in order; those that come twice count once.
    """
    by_product: dict[str, dict[int, Known]] = defaultdict(dict)
    for each in events:
        by_product[each.event.product_id].setdefault(each.event.sequence, each)
    incidents: list[Incident] = []
    overrides: list[Override] = []
    actions: list[Known] = []
    for product_id, known in by_product.items():
        told = [known[sequence] for sequence in sorted(known)]
        incidents += (
            each
            for each in incidents_of(told)
            if each.was_open_within(period.begin_ms, period.end_ms) and period.wants(product_id, each.first.room_id)
        )
        if not is_drill(product_id):
            overrides += (each for each in _overrides(told) if _is_wanted(each, period))
            actions += (each for each in told if _is_action(each) and _is_within(each.event, period))
    incidents.sort(key=lambda each: (each.first.occurred_at, each.key.product_id, each.first.sequence))
    return Report(
        period,
        tuple(each for each in incidents if not each.is_shadow and not each.is_drill),
        tuple(each for each in incidents if each.is_shadow and not each.is_drill),
        tuple(each for each in incidents if each.is_drill),
        tuple(sorted(overrides, key=lambda each: each.begin.event.occurred_at)),
        tuple(sorted(actions, key=lambda each: each.event.occurred_at)),
    )


def _row(rule: str | None, incidents: Sequence[Incident]) -> Row:
    acknowledged = [each.until_acknowledged for each in incidents]
    ended = [each.until_end for each in incidents]
    return Row(
        rule,
        len(incidents),
        sum(each.end is None for each in incidents),
        Times.of(each.detected_ms for each in incidents),
        Times.of(each and each.known_ms for each in acknowledged),
        Times.of(each and each.known_ms for each in ended),
    )


def _overrides(events: Sequence[Known]) -> Iterable[Override]:
    own = [each for each in events if each.event.type in {"override.set", "override.cleared"}]
    for at, each in enumerate(own):
        if each.event.type == "override.set":
            yield Override(each, own[at + 1] if at + 1 < len(own) else None)


def _is_wanted(override: Override, period: Period) -> bool:
    event, end = override.begin.event, override.end
    held = event.occurred_at < period.end_ms and (end is None or end.event.occurred_at >= period.begin_ms)
    return held and period.wants(event.product_id, event.room_id)


def _is_within(event: FuseEvent, period: Period) -> bool:
    return period.holds(event.occurred_at) and period.wants(event.product_id, event.room_id)


def _is_action(known: Known) -> bool:
    return known.event.actor.startswith("operator:")
