"""One thing to say to people: made from a fuse event, or from the silence that followed it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, NamedTuple, Self

from schemas.events import EventType, FuseEvent
from schemas.rules import Severity

Kind = Literal[
    "opened",
    "acknowledged",
    "unacknowledged",
    "probation",
    "closed",
    "override_set",
    "override_cleared",
    "rejected",
]

_KINDS: Final[dict[EventType, Kind]] = {
    "fuse.opened": "opened",
    "fuse.acknowledged": "acknowledged",
    "fuse.probation": "probation",
    "fuse.closed": "closed",
    "override.set": "override_set",
    "override.cleared": "override_cleared",
    "command.rejected": "rejected",
}


class Opening(NamedTuple):
    """The identity of one opening of a fuse: all that is said of it belongs together."""

    product_id: str
    rule: str
    sku_id: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What to say. The texts are made from it by `alerts.pager.wording`, in the language of each channel.

    `opened_at` (ms): when the fuse opened, where the event itself does not say so (acknowledged, probation, closed).
    `waited`: of an unacknowledged fuse, how long nobody has answered; its `event` is the opening.
    `drill`: this is an exercise. Every text then says so first.
    """

    kind: Kind
    event: FuseEvent
    opened_at: int | None = None
    waited: timedelta | None = None
    console_url: str | None = None
    runbook_url: str | None = None
    drill: bool = False

    @classmethod
    def of(
        cls,
        event: FuseEvent,
        *,
        opened_at: int | None = None,
        console_url: str | None = None,
        runbook_url: str | None = None,
        drill: bool = False,
    ) -> Self:
        """Make the notice that tells of an event."""
        return cls(
            _KINDS[event.type],
            event,
            opened_at=opened_at,
            console_url=console_url,
            runbook_url=runbook_url,
            drill=drill,
        )

    @classmethod
    def unacknowledged(
        cls,
        event: FuseEvent,
        waited: timedelta,
        *,
        console_url: str | None = None,
        runbook_url: str | None = None,
        drill: bool = False,
    ) -> Self:
        """Make the notice that nobody has acknowledged the opening `event` for `waited`."""
        return cls(
            "unacknowledged",
            event,
            opened_at=event.occurred_at,
            waited=waited,
            console_url=console_url,
            runbook_url=runbook_url,
            drill=drill,
        )

    @property
    def opening(self) -> Opening | None:
        """The opening that this notice is about; None for overrides and commands."""
        event = self.event
        if event.rule is None or event.epoch is None:
            return None
        return Opening(event.product_id, event.rule, event.sku_id, event.epoch)

    @property
    def severity(self) -> Severity:
        """The fuse's severity; of what belongs to no fuse, `info`."""
        return self.event.severity or "info"

    @property
    def id(self) -> str:
        """An id that is this notice's alone: the event's, and another one for what is said of it again."""
        again = f"/unacknowledged/{round(self.waited.total_seconds())}" if self.waited is not None else ""
        return f"{self.event.event_id}{again}"
