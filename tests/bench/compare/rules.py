"""The job that all of them do: four topics of JSON in, three rules for each product over event time, an event a trip.

    complaint-surge   51 complaints whose times lie less than an hour apart
    return-spike      the rate of returns of an hour, 10 points above that of the hour before, at least above 10 %;
                      30 units ordered, 5 returns, and too many to be chance (Byar's lower bound at 3 sigma)
    oversell          what the newest stock level had, less the orders since, is no more than sells in 3 seconds

Hours roll in steps of five minutes on the product's own clock, its newest event time. A product trips a rule once.
That is less than livefuse does: nothing is validated, put aside, recognised as a repeat, closed again or configured.

`facts` takes a record apart, by product; `decide` applies the rules, and keeps what it must remember in whatever the
framework offers. Nothing but orjson is imported: this runs in the environment of the frameworks.
"""

from collections.abc import Callable
from datetime import datetime
from math import ceil, sqrt
from typing import Any, Final

import orjson

Fact = dict[str, Any]
"""kind, product_id, sku, at_ms, record (its id); quantity of an order or a return, on_hand of a stock level."""

Event = dict[str, str]
"""product_id, rule, and the record that tripped it."""

State = dict[str, Any]
"""What one rule remembers of one product or SKU. All of it is JSON."""

ORDER, RETURN, COMPLAINT, STOCK = "order", "return", "complaint", "stock"

SENTINEL: Final = "sentinel"
"""A product whose id begins with this word says "so far": each of its facts is answered with an event."""

_HOUR_MS: Final = 3_600_000
_STEP_MS: Final = 300_000
_STEPS: Final = _HOUR_MS // _STEP_MS
_SURGE: Final = 51
_RISE: Final = 0.10
_LEAST_RATE: Final = 0.10
_LEAST_UNITS: Final = 30
_LEAST_RETURNS: Final = 5
_SIGMAS: Final = 3
_REACTION_S: Final = 3
_MINUTE_MS: Final = 60_000
_MINUTE_S: Final = 60


def facts(kind: str, value: bytes) -> list[Fact]:
    """Return what a record says about each of its products."""
    record = orjson.loads(value)
    at_ms = round(datetime.fromisoformat(record["occurred_at"]).timestamp() * 1000)
    if kind == ORDER:
        return [_fact(kind, at_ms, line, record["order_id"], quantity=line["quantity"]) for line in record["lines"]]
    if kind == RETURN:
        return [_fact(kind, at_ms, record, record["return_id"], quantity=record["quantity"])]
    if kind == COMPLAINT:
        return [_fact(kind, at_ms, record, record["complaint_id"])]
    return [_fact(kind, at_ms, record, record["snapshot_id"], on_hand=record["on_hand"])]


def decide(fact: Fact, get: Callable[[str], State | None], put: Callable[[str, State], None]) -> list[Event]:
    """Apply a fact. `get` and `put` reach the states of its product by their names."""
    product_id, kind = fact["product_id"], fact["kind"]
    tripped = [SENTINEL] if product_id.startswith(SENTINEL) else []
    for name, rule, apply in _applied(kind, fact["sku"]):
        state = get(name) or {"open": False}
        if apply(state, fact) and not state["open"]:
            state["open"] = True
            tripped.append(rule)
        put(name, state)
    return [{"product_id": product_id, "rule": rule, "record": fact["record"]} for rule in tripped]


def surge(state: State, fact: Fact) -> bool:
    """Remember the newest 51 complaints and say whether they lie within an hour."""
    times = state.setdefault("times", [])
    times.append(fact["at_ms"])
    times.sort()
    del times[:-_SURGE]
    return len(times) == _SURGE and times[-1] - times[0] < _HOUR_MS


def spike(state: State, fact: Fact) -> bool:
    """Count orders and returns of two hours in steps and say whether the rate of the second has risen."""
    steps = state.setdefault("steps", [])
    number = fact["at_ms"] // _STEP_MS
    step = steps[-1] if steps and steps[-1][0] == number else next((each for each in steps if each[0] == number), None)
    if step is None:
        # The step, units ordered, units returned, returns.
        step = [number, 0, 0, 0]
        steps.append(step)
        steps.sort()
    if fact["kind"] == ORDER:
        step[1] += fact["quantity"]
    else:
        step[2] += fact["quantity"]
        step[3] += 1
    newest = steps[-1][0]
    while steps[0][0] <= newest - 2 * _STEPS:
        del steps[0]
    begin = newest - _STEPS
    ordered = returned = returns = ordered_before = returned_before = 0
    for at, units, units_back, number_back in steps:
        if at > begin:
            ordered += units
            returned += units_back
            returns += number_back
        else:
            ordered_before += units
            returned_before += units_back
    if ordered < _LEAST_UNITS or returns < _LEAST_RETURNS:
        return False
    before = returned_before / ordered_before if ordered_before >= _LEAST_UNITS else 0.0
    base = max(before, _LEAST_RATE)
    if returned / ordered - base < _RISE:
        return False
    least: float = returned * (1 - 1 / (9 * returned) - _SIGMAS / (3 * sqrt(returned))) ** 3
    return least > base * ordered


def oversell(state: State, fact: Fact) -> bool:
    """Subtract orders from the newest stock level and say whether the rest sells before a pause takes effect."""
    if fact["kind"] == STOCK:
        if fact["at_ms"] >= state.get("as_of", 0):
            state["as_of"] = fact["at_ms"]
            state["available"] = fact["on_hand"]
    else:
        minute = fact["at_ms"] // _MINUTE_MS
        if minute > state.get("minute", 0):
            follows = minute == state.get("minute", 0) + 1
            state["sold_before"] = state.get("sold", 0) if follows else 0
            state["minute"], state["sold"] = minute, 0
        state["sold"] = state.get("sold", 0) + fact["quantity"]
        if fact["at_ms"] >= state.get("as_of", 0) and "available" in state:
            state["available"] -= fact["quantity"]
    rate = max(state.get("sold", 0), state.get("sold_before", 0)) / _MINUTE_S
    return "available" in state and bool(state["available"] <= ceil(rate * _REACTION_S))


def _applied(kind: str, sku: str) -> list[tuple[str, str, Callable[[State, Fact], bool]]]:
    """Return the rules that a kind of fact concerns, with the name of the state that each of them keeps."""
    if kind == COMPLAINT:
        return [("complaints", "complaint-surge", surge)]
    stock = (f"stock/{sku}", "oversell", oversell)
    if kind == STOCK:
        return [stock]
    sales = ("sales", "return-spike", spike)
    return [sales, stock] if kind == ORDER else [sales]


def _fact(kind: str, at_ms: int, what: dict[str, Any], record: str, **numbers: int) -> Fact:
    product_id = str(what["product_id"])
    sku = what.get("sku_id") or product_id
    return {"kind": kind, "product_id": product_id, "sku": sku, "at_ms": at_ms, "record": record, **numbers}
