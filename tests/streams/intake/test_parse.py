import json
from typing import Any

import pytest

from schemas.parse import Refusal
from schemas.rules import DEFAULT_RULES, RuleSet
from schemas.topics import TopicNames
from streams.engine.signals import CANCELLATION, COMMAND, COMPLAINT, ORDER, RETURN, RULES, STOCK, Signal
from streams.intake.parse import FURTHEST_AHEAD_MS, read, readers
from tests.corpus.malformed import GOOD, MALFORMED, TS, Malformed
from tests.corpus.well_formed import WELL_FORMED, WellFormed

READERS = readers(TopicNames())
TOPICS = {
    "orders": "live.orders",
    "returns": "live.returns",
    "complaints": "live.complaints",
    "stock-levels": "live.stock-levels",
    "commands": "livefuse.commands",
    "rules": "livefuse.rules",
}


def parse(kind: str, record: dict[str, Any] | bytes | None, ts: int | None = TS) -> list[Signal] | Refusal:
    value = json.dumps(record).encode() if isinstance(record, dict) else record
    return read(READERS[TOPICS[kind]], value, ts, source=3, offset=7)


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_what_is_malformed_is_refused_with_its_reason(case: Malformed) -> None:
    found = parse(case.topic, case.value, case.ts)
    assert isinstance(found, Refusal)
    assert found.reason == case.reason
    if case.field is not None:
        assert case.field in found.message


@pytest.mark.parametrize("case", WELL_FORMED, ids=lambda case: case.name)
def test_what_is_well_formed_becomes_signals(case: WellFormed) -> None:
    assert isinstance(parse(case.topic, case.value, None), list)


def test_each_line_of_an_order_is_a_signal() -> None:
    order = GOOD["orders"] | {"event_id": 17, "room_id": "r9"}
    assert parse("orders", order) == [
        [ORDER, 3, 7 * 256 + 1, TS, "p1", 1, "o1", "17", 1, None, "r9", None],
        [ORDER, 3, 7 * 256 + 2, TS, "p2", 2, "o1", "17", 2, "red", "r9", None],
    ]


def test_an_order_of_one_line_and_a_cancellation() -> None:
    line = {"product_id": 42, "quantity": 5, "sku_id": "s", "product_category": "food"}
    order = {"order_id": "o", "occurred_at": TS, "status": "cancelled", "lines": [line]}
    assert parse("orders", order) == [[CANCELLATION, 3, 7 * 256 + 1, TS, "42", 1, "o", None, 5, "s", None, "food"]]


def test_returns_complaints_and_stock_levels() -> None:
    assert parse("returns", GOOD["returns"] | {"sku_id": "s", "reason": "too small"}) == [
        [RETURN, 3, 7 * 256, TS, "p1", "r1", 1, "s", None, None]
    ]
    assert parse("complaints", GOOD["complaints"] | {"text": "secret"}) == [
        [COMPLAINT, 3, 7 * 256, TS, "p1", "c1", "other", None]
    ]
    assert parse("stock-levels", GOOD["stock-levels"] | {"safety_stock": 4, "snapshot_id": "x"}) == [
        [STOCK, 3, 7 * 256, TS, "p1", None, 10, 0, 4, None, "x"]
    ]


def test_null_in_an_optional_field_is_as_good_as_nothing() -> None:
    nothing = dict.fromkeys(("status", "event_id", "room_id"))
    assert parse("orders", GOOD["orders"] | nothing) == parse("orders", GOOD["orders"])
    assert parse("complaints", GOOD["complaints"] | {"category": None}) == parse("complaints", GOOD["complaints"])
    assert parse("stock-levels", GOOD["stock-levels"] | {"reserved": None}) == parse(
        "stock-levels", GOOD["stock-levels"]
    )


def test_a_command_has_its_times_in_milliseconds() -> None:
    command = GOOD["commands"] | {"expires_at": "2026-11-11T13:00:00+01:00", "expected_sequence": 4}
    assert parse("commands", command) == [
        [
            COMMAND,
            3,
            7 * 256,
            TS,
            "p1",
            {
                "command_id": "k1",
                "action": "pause",
                "actor": "ann",
                "reason": "label is wrong",
                "issued_at": TS,
                "rule": None,
                "sku_id": None,
                "expires_at": TS,
                "expected_sequence": 4,
            },
        ]
    ]


def test_a_rule_set_comes_back_as_it_was() -> None:
    rules = DEFAULT_RULES.model_copy(update={"version": 3, "issued_at": TS, "actor": "ann"})
    found = parse("rules", rules.model_dump_json().encode())
    assert isinstance(found, list)
    ((kind, source, position, time, product_id, data),) = found
    assert (kind, source, position, time, product_id) == (RULES, 3, 7 * 256, TS, "")
    assert RuleSet.model_validate(data) == rules


def test_a_rule_set_that_would_not_fit_into_a_frame_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.intake.parse.LARGEST_RULES_BYTES", 100)
    found = parse("rules", GOOD["rules"])
    assert isinstance(found, Refusal)
    assert found.reason == "invalid"
    assert "too large" in found.message


def test_five_minutes_ahead_is_not_too_far() -> None:
    order = json.dumps(GOOD["orders"]).encode()
    assert isinstance(parse("orders", order, TS - FURTHEST_AHEAD_MS), list)
    found = parse("orders", order, TS - FURTHEST_AHEAD_MS - 1)
    assert isinstance(found, Refusal)
    assert found.reason == "future_timestamp"
    assert found.message.endswith("is 301 s ahead of the record's Kafka timestamp, more than the 300 s allowed")


@pytest.mark.parametrize("timestamp", [None, -1])
def test_without_a_kafka_timestamp_nothing_is_in_the_future(timestamp: int | None) -> None:
    assert isinstance(parse("orders", GOOD["orders"] | {"occurred_at": "2099-01-01T00:00:00Z"}, timestamp), list)


def test_a_refusal_does_not_repeat_what_the_record_held() -> None:
    found = parse(
        "complaints", GOOD["complaints"] | {"text": ["my address is 1 Main Street"], "category": "angry customer"}
    )
    assert isinstance(found, Refusal)
    assert "Main" not in found.message
    assert "angry" not in found.message
