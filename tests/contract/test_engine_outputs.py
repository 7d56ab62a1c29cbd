"""What the engine writes is what the schemas describe, byte for byte."""

from datetime import datetime
from typing import get_args

from schemas.events import EventType, FuseEvent, FuseState, ReplenishmentRequest, Watchlist
from streams.engine.events import FUSE_EVENTS
from tests.streams.driver import Driver, rules

SURGE = {
    "id": "surge",
    "kind": "complaint_surge",
    "more_than": 2,
    "recovery": "auto",
    "cooldown": "1m",
    "probation": "1m",
}
SPIKE = {"id": "spike", "kind": "return_spike", "min_returns": 1, "min_units": 1, "prior_units": 1, "z": 0}


def told() -> Driver:
    """Drive one product through every type of event, one watch list and a replenishment request."""
    driver = Driver(rules({"id": "oversell", "kind": "oversell"}, SURGE, SPIKE))
    driver.stock("12:00:00", on_hand=700, safety=500, sku="red")
    driver.order("12:00:01", 230, sku="red", room="r1")
    driver.command("12:00:01.500", "resume")
    driver.order("12:00:02", 460, sku="red")
    driver.stock("12:00:03", on_hand=100_000, sku="red")
    for second in range(3):
        driver.complain(f"12:00:1{second}")
    driver.command("12:00:20", "acknowledge", rule="surge")
    driver.command("12:00:30", "pause")
    driver.command("12:00:31", "release")
    driver.tick("12:10:00")
    driver.returned("12:20:00", 900)
    return driver


def test_every_type_of_event_is_written_and_is_a_fuse_event() -> None:
    driver = told()
    for output in driver.outputs:
        model = FuseEvent if output.topic == FUSE_EVENTS else ReplenishmentRequest
        assert model.model_validate_json(output.value).model_dump_json().encode() == output.value
    assert {event["type"] for event in driver.events} == set(get_args(EventType))
    assert driver.requests


def test_causes_name_only_what_the_schema_knows() -> None:
    for output in told().outputs:
        if output.topic == FUSE_EVENTS:
            assert FuseEvent.model_validate_json(output.value).cause.model_extra == {}


def test_states_and_watch_lists() -> None:
    driver = told()
    states = dict(driver.partition.take_fuse_states())
    value = states["p1"]
    assert value is not None
    assert FuseState.model_validate_json(value).model_dump_json().encode() == value
    driver.complain("12:21:00")
    driver.partition.take_dirty()
    watchlist = driver.partition.watchlist()
    assert watchlist is not None
    read = Watchlist.model_validate_json(watchlist)
    assert read.model_dump_json(exclude_unset=True).encode() == watchlist
    assert {entry.rule for entry in read.products} >= {"surge"}


def test_ids_and_times_are_as_the_contract_writes_them() -> None:
    events = told().events
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        assert event["occurred_at"].endswith("Z")
        assert len(event["occurred_at"]) == len("2026-11-11T12:00:00.123Z")
        assert datetime.fromisoformat(event["occurred_at"]).year == 2026
