"""What a notice's event says, made ready for words of any language.

Everything that came from outside (ids, an operator's name and reason) is cleaned here: control characters, invisible
ones and those that turn the direction of writing become spaces.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

from alerts.pager.notice import Kind, Notice
from schemas.events import Cause, FuseEvent, Number
from schemas.rules import Severity

RuleKind = Literal["oversell", "return_spike", "complaint_surge"]
Sale = Literal["paused", "some_paused", "on_sale"]
By = Literal["rule", "timer", "rules", "operator"]
Unit = Literal["d", "h", "m", "s"]

LISTED: Final = 5
"""How many ids of evidence, or SKUs, a text lists."""

LONGEST_REASON: Final = 300
_UNITS: Final[dict[Unit, int]] = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_HUNDRED: Final = 100
_ACTORS: Final[dict[str, By]] = {"rule": "rule", "timer": "timer", "rules": "rules"}


def clean(text: str) -> str:
    """Return a text from outside as one line that shows all it holds."""
    shown = "".join(" " if unicodedata.category(character) in _HIDDEN else character for character in text)
    return " ".join(shown.split())


def shortened(text: str, longest: int) -> str:
    """Return at most `longest` characters; an ellipsis shows that something is left out."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def number(value: Number) -> str:
    """Write a number: 24,738; 83; 1.33; 0.5."""
    if isinstance(value, int) or abs(value) >= _HUNDRED:
        return f"{round(value):,}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent(share: Number) -> str:
    """Write a share as a percentage with one decimal."""
    return f"{100 * share:.1f}%"


@dataclass(frozen=True, slots=True)
class Facts:
    """A notice's facts. Times are shown in `zone`."""

    notice: Notice
    zone: tzinfo = UTC

    @property
    def event(self) -> FuseEvent:
        """The notice's event."""
        return self.notice.event

    @property
    def kind(self) -> Kind:
        """What is to be said."""
        return self.notice.kind

    @property
    def cause(self) -> Cause:
        """The event's cause."""
        return self.event.cause

    @property
    def severity(self) -> Severity:
        """The notice's severity."""
        return self.notice.severity

    @property
    def product(self) -> str:
        """The product's id."""
        return clean(self.event.product_id)

    @property
    def sku(self) -> str | None:
        """The SKU's id; None for the product's only, unnamed one."""
        sku_id = self.event.sku_id
        return None if sku_id is None or sku_id == self.event.product_id else clean(sku_id)

    @property
    def room(self) -> str | None:
        """The room's id."""
        return None if self.event.room_id is None else clean(self.event.room_id)

    @property
    def rule(self) -> str | None:
        """The rule's id."""
        return None if self.event.rule is None else clean(self.event.rule)

    @property
    def rule_kind(self) -> RuleKind | None:
        """The kind of the rule, as what it measured shows; None when the event does not tell."""
        cause = self.cause
        if cause.level is not None:
            return "oversell"
        if cause.R is not None:
            return "return_spike"
        return "complaint_surge" if cause.measured is not None and cause.window_s is not None else None

    @property
    def sale(self) -> Sale:
        """What holds for the product after the event."""
        paused = self.event.paused
        return "paused" if paused.product else "some_paused" if paused.skus else "on_sale"

    @property
    def paused_skus(self) -> Sequence[str]:
        """The SKUs that are paused, at most `LISTED` of them."""
        return [clean(sku_id) for sku_id in self.event.paused.skus[:LISTED]]

    @property
    def more_paused_skus(self) -> int:
        """How many paused SKUs are not listed."""
        return max(0, len(self.event.paused.skus) - LISTED)

    @property
    def evidence(self) -> Sequence[str]:
        """The newest ids of the evidence, the newest last."""
        return [clean(each) for each in (self.cause.evidence or ())[-LISTED:]]

    @property
    def more_evidence(self) -> bool:
        """Whether there is older evidence than is listed."""
        return len(self.cause.evidence or ()) > LISTED

    @property
    def by(self) -> By:
        """Who or what did it."""
        return _ACTORS.get(self.event.actor, "operator")

    @property
    def operator(self) -> str:
        """The operator's name."""
        return clean(self.event.actor.removeprefix("operator:"))

    @property
    def reason(self) -> str | None:
        """The operator's reason."""
        return shortened(clean(self.event.reason), LONGEST_REASON) if self.event.reason else None

    @property
    def seconds_left(self) -> int | None:
        """In how many seconds all is sold at the present rate; None where nothing sells or nothing is left."""
        left, rate = self.cause.measured, self.cause.rate
        return None if not rate or left is None or left <= 0 else max(1, round(left / rate))

    @property
    def lasted(self) -> timedelta | None:
        """How long after the opening this happened."""
        since = self.notice.opened_at
        return None if since is None else timedelta(milliseconds=max(0, self.event.occurred_at - since))

    def moment(self, time_ms: int) -> str:
        """Write a time to the second, with its offset: 2026-11-11 20:00:00 UTC+8."""
        time = datetime.fromtimestamp(time_ms / 1000, self.zone)
        minutes = (time.utcoffset() or timedelta()) // timedelta(minutes=1)
        hours, rest = divmod(abs(minutes), 60)
        offset = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}" if minutes else ""
        return f"{time:%Y-%m-%d %H:%M:%S} UTC{offset}"


def units_of(time: timedelta) -> Sequence[tuple[int, Unit]]:
    """Split a time into its two largest units, without zeros: 3,723 s is 1 h 2 m."""
    rest = round(time.total_seconds())
    parts: list[tuple[int, Unit]] = []
    for unit, length in _UNITS.items():
        count, rest = divmod(rest, length)
        if parts or count:
            parts.append((count, unit))
    return [part for part in parts[:2] if part[0]] or [(0, "s")]
