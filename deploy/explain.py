"""Why a product was paused, in sentences: made from nothing but what fuse events and fuse states say."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.durations import render_duration
from schemas.events import Cause, FuseEntry, FuseEvent, FuseState

_REJECTIONS = {
    "conflict": "something has happened to the product meanwhile (its sequence is another one): look at it again",
    "expired": "it had expired before it was read",
    "expiry_missing": "an allow needs an end: add --for or --until",
    "expiry_too_far": "an allow lasts 24 hours at most",
    "nothing_to_release": "there is no override to release",
    "nothing_open": "no open fuse matches",
    "already_acknowledged": "somebody has acknowledged it already",
}


class Pause(NamedTuple):
    """A time in which a fuse was open, or an operator had said `pause`. `end` is None while it lasts."""

    begin: FuseEvent
    end: FuseEvent | None


def moment(time_ms: int) -> str:
    """Return a time as a person reads it, in UTC, to the second."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def why(cause: Cause, sku_id: str | None = None) -> str:
    """Say what a rule saw. Which kind of rule it was shows in what it measured."""
    if cause.level is not None:
        return _why_oversell(cause, sku_id)
    if cause.R is not None:
        return _why_return_spike(cause)
    if cause.measured is not None:
        window = render_duration(timedelta(seconds=cause.window_s or 0))
        return f"{cause.measured} complaints within less than {window}; the fuse opens at more than {cause.limit}"
    return ""


def _why_oversell(cause: Cause, sku_id: str | None) -> str:
    of = f" of {sku_id}" if sku_id else ""
    as_of = f" (stock level of {moment(cause.as_of)}: {cause.on_hand} on hand)" if cause.as_of is not None else ""
    if cause.limit:
        threat = f"at {cause.rate:g} a second {cause.level} would be sold before a pause takes effect"
    else:
        threat = "nothing is left to sell"
    return f"{cause.measured} left{of}{as_of}, and {threat}"


def _why_return_spike(cause: Cause) -> str:
    window = render_duration(timedelta(seconds=cause.window_s or 0))
    return (
        f"{cause.R} units came back in {cause.k} returns within {window}, {_percent(cause.measured)} of the {cause.N} "
        f"units of its best such period; its worst before was {_percent(cause.b)}, and {_percent(cause.limit)} opens "
        "the fuse"
    )


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.1f} %"


def what_happened(event: FuseEvent) -> str:
    """Say in one sentence what an event tells."""
    return f"{_head(event)}{f': {tail}' if (tail := _tail(event)) else ''}"


def _head(event: FuseEvent) -> str:
    where = f"{event.rule} fuse{f' of {event.sku_id}' if event.sku_id else ''}" if event.rule else "product"
    shadow = " (in shadow: nothing is paused)" if event.shadow else ""
    heads = {
        "fuse.opened": f"the {where} opened{shadow}",
        "fuse.acknowledged": f"the open {where} was acknowledged by {_who(event)}",
        "fuse.probation": f"the {where} went to probation by {_who(event)}",
        "fuse.closed": f"the {where} closed by {_who(event)}",
        "override.set": f"{_who(event)} said {event.cause.action}",
        "override.cleared": f"the override ended by {_who(event)}",
        "command.rejected": f"a command of {_who(event)} ({event.cause.action}) changed nothing",
    }
    return heads[event.type]


def _tail(event: FuseEvent) -> str:
    if event.cause.rejected:
        return _REJECTIONS.get(event.cause.rejected, event.cause.rejected)
    if event.type == "fuse.opened":
        return why(event.cause, event.sku_id)
    if event.type == "fuse.closed" and event.cause.measured is not None:
        return f"{event.cause.measured} available again, more than {event.cause.limit}"
    until = f" (until {moment(event.cause.expires_at)})" if event.cause.expires_at is not None else ""
    return f"{event.reason or ''}{until}".strip()


def _who(event: FuseEvent) -> str:
    names = {"rule": "its rule", "timer": "its timer", "rules": f"rules version {event.rule_version}"}
    return names.get(event.actor, event.actor.removeprefix("operator:"))


def headline(product_id: str, state: FuseState | None, events: Sequence[FuseEvent]) -> str:
    """Say what holds of a product now."""
    if state is None and not events:
        return f"{product_id} is not paused: no fuse of it was ever open, and nobody ever gave a command for it."
    if state is None:
        return f"{product_id} is not paused: no fuse of it is open, and no override holds."
    if state.paused.product:
        return f"{product_id} is paused."
    if state.paused.skus:
        return f"{product_id} is on sale but for {', '.join(state.paused.skus)}."
    return f"{product_id} is not paused."


def reasons(state: FuseState) -> Iterator[str]:
    """Say, one sentence each, what holds a product back, and what would if an override did not say otherwise."""
    if override := state.override:
        until = f" until {moment(override.until)}" if override.until is not None else " until it is released"
        yield (
            f"{override.actor} has said {override.state}{until} (since {moment(override.since)}): {override.reason}."
            + (" No open fuse pauses it meanwhile." if override.state == "allowed" else "")
        )
    yield from map(_about, (fuse for fuse in state.fuses if fuse.state != "closed"))


def _about(fuse: FuseEntry) -> str:
    name = f"{fuse.rule}{f' for {fuse.sku_id}' if fuse.sku_id else ''}"
    if fuse.state == "probation":
        end = f", and closes at {moment(fuse.due)} if all stays quiet" if fuse.due is not None else ""
        return f"{name} is on probation since {moment(fuse.since)}: its limit is tighter{end}."
    by_itself = f" It goes to probation at {moment(fuse.due)}." if fuse.due is not None else ""
    seen = f" Acknowledged by {fuse.acknowledged_by}." if fuse.acknowledged_by else ""
    shadow = " It is in shadow, so nothing is paused." if fuse.shadow else ""
    since = f"{name} is open since {moment(fuse.since)} (opening {fuse.epoch})"
    return f"{since}: {why(fuse.cause, fuse.sku_id)}.{by_itself}{seen}{shadow}"


def pauses(events: Sequence[FuseEvent]) -> list[Pause]:
    """Return every opening of a fuse and every `paused` override, oldest first, each with the event that ended it."""
    found: list[Pause] = []
    for index, event in enumerate(events):
        later = events[index + 1 :]
        if event.type == "fuse.opened":
            same = (event.rule, event.sku_id)
            end = next(
                (each for each in later if (each.rule, each.sku_id) == same and each.from_ == "open" != each.to), None
            )
            found.append(Pause(event, end))
        elif event.type == "override.set" and event.cause.action == "pause":
            found.append(Pause(event, next((each for each in later if each.type.startswith("override.")), None)))
    return found
