from collections.abc import Iterable
from typing import Any

import pytest

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import Sku
from deploy.simulator.messages import Message, complaint, goods_return, order, order_line, stock_level
from tests.bench.backlog import NAMES, backlog, tripping
from tests.bench.compare.rules import COMPLAINT, ORDER, RETURN, STOCK, Event, decide, facts

KINDS = {NAMES.orders: ORDER, NAMES.returns: RETURN, NAMES.complaints: COMPLAINT, NAMES.stock_levels: STOCK}
AT_MS = 1_760_000_000_000
MINUTE_MS = 60_000
MUG = Sku("mug", None, "home", "room-1")


def judged(records: Iterable[CaptureRecord | Message]) -> list[Event]:
    states: dict[str, dict[str, Any]] = {}
    events = []
    for record in records:
        for fact in facts(KINDS[record.topic], record.value):
            state = states.setdefault(fact["product_id"], {})
            events += decide(fact, state.get, state.__setitem__)
    return events


def complaints(number: int, step_ms: int) -> list[Message]:
    return [complaint(f"c{each}", AT_MS + each * step_ms, MUG, "quality") for each in range(number)]


def orders(number: int, at_ms: int) -> list[Message]:
    return [order(f"o{at_ms}-{each}", at_ms + each, "room-1", [order_line(MUG, 1)]) for each in range(number)]


def returns(number: int, at_ms: int) -> list[Message]:
    return [goods_return(f"r{at_ms}-{each}", at_ms + each, MUG) for each in range(number)]


@pytest.mark.parametrize("batch", [0, 1])
def test_a_backlog_trips_what_it_was_made_to_trip_once_and_nothing_else(batch: int) -> None:
    events = judged(backlog(40_000, AT_MS, batch=batch))

    assert sorted((event["product_id"], event["rule"]) for event in events) == sorted(tripping(batch).items())


def test_two_batches_share_neither_incidents_nor_ids() -> None:
    first, second = (
        {record.value for record in backlog(28_800, AT_MS, batch=batch) if record.topic != NAMES.stock_levels}
        for batch in (0, 1)
    )

    assert not first & second
    assert not tripping(0).keys() & tripping(1).keys()


@pytest.mark.parametrize(("number", "step_ms", "trips"), [(50, 1, 0), (51, 71_999, 1), (51, 72_000, 0), (52, 1, 1)])
def test_the_51st_complaint_within_an_hour_trips(number: int, step_ms: int, trips: int) -> None:
    assert len(judged(complaints(number, step_ms))) == trips


def test_complaints_count_in_whatever_order_they_come() -> None:
    assert [event["rule"] for event in judged(reversed(complaints(51, 1_000)))] == ["complaint-surge"]


def test_returns_trip_when_their_rate_has_risen_by_ten_points() -> None:
    before, now = AT_MS, AT_MS + 60 * MINUTE_MS
    quiet = [*orders(200, before), *returns(30, before + MINUTE_MS), *orders(200, now)]

    assert judged([*quiet, *returns(49, now + MINUTE_MS)]) == []
    assert [event["rule"] for event in judged([*quiet, *returns(90, now + MINUTE_MS)])] == ["return-spike"]


def test_few_returns_are_chance() -> None:
    assert judged([*orders(30, AT_MS), *returns(8, AT_MS + MINUTE_MS)]) == []


def test_a_stock_level_less_the_orders_since_trips_when_it_would_not_last() -> None:
    stock = stock_level(MUG, AT_MS, 32)

    assert judged([*orders(100, AT_MS - MINUTE_MS), stock]) == []
    # 30 sold within this minute are a rate of 0.5 a second: two would be gone before a pause takes effect.
    assert [event["record"] for event in judged([stock, *orders(32, AT_MS)])] == [f"o{AT_MS}-29"]


def test_an_older_stock_level_and_orders_before_it_change_nothing() -> None:
    newer, older = stock_level(MUG, AT_MS, 50), stock_level(MUG, AT_MS - MINUTE_MS, 0)

    assert judged([newer, older, *orders(45, AT_MS - MINUTE_MS)]) == []
