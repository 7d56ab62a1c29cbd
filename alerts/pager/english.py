"""Notices in English."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from alerts.pager.facts import Facts, number, percent, units_of

SEVERITIES: Final = {"critical": "critical", "warning": "warning", "info": "info"}
MORE: Final = "{count} more not shown here: see the console."
CUT: Final = "Too long, cut here: see the console."
TITLE: Final = "livefuse: {count} notices ({severities})"
CONSOLE: Final = "Open the console"

_UNITS: Final = {"d": "d", "h": "h", "m": "min", "s": "s"}
_REJECTIONS: Final = {
    "conflict": "something has happened to the product meanwhile; look at it again",
    "expired": "it had expired before it was read",
    "expiry_missing": "an allow needs an end",
    "expiry_too_far": "an allow lasts 24 hours at most",
    "nothing_to_release": "there is no override to release",
    "nothing_open": "no open fuse matches",
    "already_acknowledged": "somebody has acknowledged it already",
}
_SALES: Final = {"paused": "still paused", "some_paused": "some SKUs still paused", "on_sale": "on sale"}
_CAUSES: Final = {
    "oversell": "almost sold out",
    "return_spike": "many more returns than usual",
    "complaint_surge": "many complaints",
}


def duration(time: timedelta) -> str:
    """Write a duration."""
    return " ".join(f"{count} {_UNITS[unit]}" for count, unit in units_of(time))


def summary(facts: Facts) -> str:
    """Say in one line what happened, to what, and how bad it is."""
    sku = f" SKU {facts.sku}" if facts.sku else ""
    room = f" (room {facts.room})" if facts.room else ""
    drill = "[DRILL] " if facts.notice.drill else ""
    return f"{drill}[{SEVERITIES[facts.severity]}] Product {facts.product}{sku}{room}: {_headline(facts)}"


def _headline(facts: Facts) -> str:
    match facts.kind:
        case "opened":
            return f"{_effect(facts)}, {_why(facts)}"
        case "unacknowledged":
            waited = f" for {duration(facts.notice.waited)}" if facts.notice.waited is not None else ""
            return f"fuse not acknowledged{waited}, {_why(facts)}"
        case "acknowledged":
            return f"fuse acknowledged by {facts.operator}"
        case "probation":
            return f"fuse on probation, {_SALES[facts.sale]}"
        case "closed":
            return f"fuse closed, {_SALES[facts.sale]}"
        case "override_set":
            return "paused by an operator" if facts.cause.action == "pause" else "allowed by an operator"
        case "override_cleared":
            return f"override ended, {_SALES[facts.sale]}"
        case "rejected":
            return f"command {_action(facts)} changed nothing"


def _effect(facts: Facts) -> str:
    if facts.event.shadow:
        return "a rule in shadow tripped (nothing is paused)"
    if facts.sale == "on_sale":
        return "fuse opened (not paused: an operator allows the sale)"
    return "SKU paused" if facts.sku and facts.sale == "some_paused" else "paused"


def _why(facts: Facts) -> str:
    left = facts.cause.measured
    if facts.rule_kind == "oversell" and left is not None and left <= 0:
        return "over-sold" if left < 0 else "sold out"
    return _CAUSES[facts.rule_kind] if facts.rule_kind else f"rule {facts.rule}"


def sentences(facts: Facts) -> Iterator[str]:
    """Say the rest, the most important first."""
    if facts.notice.drill:
        yield "This is an exercise."
    match facts.kind:
        case "opened" | "unacknowledged":
            yield from _opening(facts)
            return
        case "acknowledged":
            yield f"{facts.operator} has acknowledged it."
        case "probation":
            begin = f"{facts.operator} has resumed it" if facts.by == "operator" else "Its cool-down is over"
            yield f"{begin}. On probation its limit is tighter; the next trip opens the fuse at once."
        case "closed":
            yield _closing(facts)
        case "override_set" | "override_cleared":
            yield _override(facts)
        case "rejected":
            why = _REJECTIONS.get(facts.cause.rejected or "", facts.cause.rejected or "for an unknown reason")
            yield f"The command {_action(facts)} of {facts.operator} changed nothing: {why}."
    if facts.reason:
        yield f"Reason: {facts.reason}"
    if facts.lasted is not None and facts.kind in ("acknowledged", "probation", "closed"):
        yield f"{duration(facts.lasted)} after the opening."
    yield _state(facts)
    rule = f", rule {facts.rule}" if facts.rule else ""
    yield f"Time: {facts.moment(facts.event.occurred_at)}{rule}."


def _opening(facts: Facts) -> Iterator[str]:
    yield from _measured(facts)
    # What held when the fuse opened may not hold any more when nobody has acknowledged it.
    if facts.kind == "opened":
        if facts.event.shadow:
            yield "The rule is in shadow and pauses nothing."
        elif facts.sale == "on_sale":
            yield "An operator allows the sale, so this fuse does not pause it."
        yield _state(facts)
    yield f"What to do: {_advice(facts)}"
    times = f", opening {facts.event.epoch}" if facts.event.epoch is not None else ""
    yield f"Since {facts.moment(facts.event.occurred_at)}, rule {facts.rule}{times}."
    if facts.evidence:
        newest = f" (the newest {len(facts.evidence)})" if facts.more_evidence else ""
        yield f"Evidence: {', '.join(facts.evidence)}{newest}"


def _measured(facts: Facts) -> Iterator[str]:
    cause = facts.cause
    if cause.measured is None or cause.limit is None:
        return
    window = duration(timedelta(seconds=cause.window_s or 0))
    match facts.rule_kind:
        case "oversell":
            rate = f"; selling {number(cause.rate)} a second" if cause.rate else ""
            left = f", sold out in about {facts.seconds_left:,} s" if facts.seconds_left is not None else ""
            yield f"{number(cause.measured)} left to sell, the limit is {number(cause.limit)}{rate}{left}."
            if cause.on_hand is not None and cause.as_of is not None:
                yield f"From the stock level of {facts.moment(cause.as_of)}: {number(cause.on_hand)} on hand."
        case "return_spike":
            sold = f"{number(cause.N)} " if cause.N is not None else ""
            returns = f" in {number(cause.k)} returns" if cause.k is not None else ""
            before = f"; the worst before was {percent(cause.b)}" if cause.b is not None else ""
            yield (
                f"{number(cause.R or 0)} units came back{returns} within {window}, {percent(cause.measured)} of the "
                f"{sold}units sold in the best such period{before}; the limit is {percent(cause.limit)}."
            )
        case "complaint_surge":
            yield f"{number(cause.measured)} different complaints within {window}, the limit is {number(cause.limit)}."
        case None:
            yield f"Measured {number(cause.measured)}, the limit is {number(cause.limit)}."


def _state(facts: Facts) -> str:
    if facts.sale == "paused":
        return "For the host: the product is paused; please go on with another one."
    if facts.sale == "some_paused":
        more = f" and {facts.more_paused_skus} more" if facts.more_paused_skus else ""
        skus = ", ".join(facts.paused_skus)
        return f"For the host: SKU {skus}{more} paused, please do not offer it; the rest is on sale."
    return "For the host: the product is on sale, go on."


def _advice(facts: Facts) -> str:
    if facts.kind == "unacknowledged":
        return "acknowledge it in the console now, and see that somebody is on it."
    if facts.event.shadow:
        return "nothing; it shows whether the rule suits you."
    match facts.rule_kind:
        case "oversell":
            return "check the stock and send a new level; with enough it resumes by itself, unless the rule says no."
        case "return_spike":
            return "find out why it comes back; resume when it is sure to be fine. Probation follows."
        case "complaint_surge":
            urgent = "at once" if facts.severity == "critical" else "soon"
            return f"look at the complaints {urgent}; resume when the product is sure to be fine. Probation follows."
        case None:
            return "acknowledge it in the console, find the cause, then resume."


def _closing(facts: Facts) -> str:
    match facts.by:
        case "rule" if facts.cause.measured is not None and facts.cause.limit is not None:
            left, enough = number(facts.cause.measured), number(facts.cause.limit)
            return f"{left} left to sell, more than the {enough} it takes: the fuse closed by itself."
        case "timer":
            return "All was quiet on probation: the fuse closed by itself."
        case "rules":
            return (
                f"By version {facts.event.rule_version} of the rules this one does not hold any more: the fuse closed."
            )
        case "operator":
            return f"{facts.operator} has resumed it: the fuse closed."
        case _:
            return "The fuse closed."


def _override(facts: Facts) -> str:
    if facts.kind == "override_cleared":
        return f"{facts.operator} has ended the override." if facts.by == "operator" else "The override has expired."
    end = f"until {facts.moment(facts.cause.expires_at)}" if facts.cause.expires_at is not None else "until released"
    if facts.cause.action == "pause":
        return f"{facts.operator} has paused the product {end}."
    return f"{facts.operator} allows the sale {end}; no fuse pauses it meanwhile."


def _action(facts: Facts) -> str:
    return f"“{facts.cause.action or 'unknown'}”"
