"""Fuse events made by hand, and the times at which Kafka got them."""

from typing import Any

from deploy.report.incident import Known
from deploy.report.report import Period, Report, report
from schemas.times import to_ms
from tests.alerts.pager.examples import CLOSED, NO_FUSE, event

NOON: int = to_ms("2026-11-11T12:00:00.000Z")
MINUTE = 60_000
HOUR = 60 * MINUTE

OPEN: dict[str, Any] = {"from": "open", "to": "open", "type": "fuse.acknowledged"}
PROBATION: dict[str, Any] = {"type": "fuse.probation", "from": "open", "to": "probation", "cause": {}}


def at(ms: int, sequence: int, *changes: dict[str, Any], late_ms: int = 300, **more: Any) -> Known:
    """Return an event so many ms after noon, which came to Kafka `late_ms` after that."""
    return Known(event(*changes, sequence=sequence, occurred_at=NOON + ms, **more), NOON + ms + late_ms)


def opened(ms: int, sequence: int = 1, **more: Any) -> Known:
    """Open the fuse."""
    return at(ms, sequence, **more)


def acknowledged(ms: int, sequence: int, who: str = "mei", **more: Any) -> Known:
    """Acknowledge it."""
    cause = {"command_id": f"k{sequence}", "action": "acknowledge"}
    return at(ms, sequence, OPEN, actor=f"operator:{who}", reason="I look at it", cause=cause, **more)


def resumed(ms: int, sequence: int, who: str = "jun", **more: Any) -> Known:
    """Take it to probation."""
    cause = {"command_id": f"k{sequence}", "action": "resume"}
    return at(ms, sequence, PROBATION, actor=f"operator:{who}", reason="batch recalled", cause=cause, **more)


def closed(ms: int, sequence: int, **more: Any) -> Known:
    """Close it after its probation."""
    return at(ms, sequence, CLOSED, **{"from": "probation", "actor": "timer", **more})


def said(ms: int, sequence: int, action: str, **more: Any) -> Known:
    """Have an operator say something that is about no fuse."""
    kinds = {"release": "override.cleared", "acknowledge": "command.rejected"}
    cause = {"command_id": f"k{sequence}", "action": action} | more.pop("cause", {})
    return at(
        ms,
        sequence,
        NO_FUSE,
        **{
            "type": kinds.get(action, "override.set"),
            "actor": "operator:mei",
            "reason": "price",
            "cause": cause,
            **more,
        },
    )


def of(*events: Known, begin: int = NOON, end: int = NOON + HOUR, **period: Any) -> Report:
    """Make the report of the hour after noon."""
    return report(Period(begin, end, **period), events)
