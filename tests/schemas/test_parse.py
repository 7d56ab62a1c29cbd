import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.commands import Command
from schemas.parse import (
    describe,
    parse_command,
    parse_complaint,
    parse_order,
    parse_return,
    parse_rules,
    parse_stock_level,
)
from schemas.records import Complaint, Order, Return, StockLevel
from schemas.rules import RuleSet
from schemas.times import to_ms
from tests.corpus.malformed import FIVE_MINUTES_MS, GOOD, MALFORMED, TS, Malformed
from tests.corpus.well_formed import WELL_FORMED, WellFormed
from tests.schemas.unhurried import TEXT, UNHURRIED

READERS: dict[str, tuple[type[BaseModel], Callable[[bytes], Any]]] = {
    "orders": (Order, parse_order),
    "returns": (Return, parse_return),
    "complaints": (Complaint, parse_complaint),
    "stock-levels": (StockLevel, parse_stock_level),
    "commands": (Command, parse_command),
    "rules": (RuleSet, parse_rules),
}
TIMES = ("occurred_at", "issued_at", "expires_at")


def read_fast(topic: str, value: bytes) -> dict[str, Any]:
    """Read as the intake does: the fast parser, then the times; all that was left out filled in."""
    model, parse = READERS[topic]
    record: Any = parse(value)
    if isinstance(record, BaseModel):
        return dict(record)
    times = {name: to_ms(record[name]) for name in TIMES if record.get(name) is not None}
    defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    return {**defaults, **record, **times}


def read_by_model(topic: str, value: bytes) -> dict[str, Any]:
    record = READERS[topic][0].model_validate_json(value)
    fields = dict(record)
    if isinstance(record, Order):
        fields["lines"] = [line.model_dump(exclude_unset=True) for line in record.lines]
    return fields


def outcome(read: Callable[[str, bytes], dict[str, Any]], topic: str, value: bytes) -> dict[str, Any] | None:
    try:
        return read(topic, value)
    except ValueError:
        return None


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_malformed_records_are_refused_for_the_right_reason(case: Malformed) -> None:
    model, _ = READERS[case.topic]
    refusal = describe(model, case.value)
    if case.reason == "future_timestamp":
        assert refusal is None
        assert case.value is not None
        record = read_fast(case.topic, case.value)
        assert record.get("occurred_at", record.get("issued_at", 0)) > case.ts + FIVE_MINUTES_MS
        return
    assert refusal is not None
    assert refusal.reason == case.reason
    if case.field is not None:
        assert refusal.message.startswith(case.field)
    if case.reason in {"invalid", "not_json"}:
        assert case.value is not None
        assert outcome(read_fast, case.topic, case.value) is None


@pytest.mark.parametrize("case", WELL_FORMED, ids=lambda case: case.name)
def test_well_formed_records_are_read(case: WellFormed) -> None:
    assert describe(READERS[case.topic][0], case.value) is None
    assert read_fast(case.topic, case.value) == read_by_model(case.topic, case.value)


def test_the_corpus_is_large_and_each_case_has_a_name_of_its_own() -> None:
    assert len(MALFORMED) >= 100
    assert len({case.name for case in MALFORMED}) == len(MALFORMED)
    assert len({case.name for case in WELL_FORMED}) == len(WELL_FORMED)


@pytest.mark.parametrize("topic", [topic for topic in READERS if topic != "rules"])
def test_all_times_are_known(topic: str) -> None:
    model, parse = READERS[topic]
    times = {name for name in model.model_fields if name.endswith("_at")}
    assert times <= set(TIMES)
    assert times
    text = parse(json.dumps({**GOOD[topic], **dict.fromkeys(times, "2026-11-11T12:00:00.5Z")}).encode())
    assert {text[name] for name in times} == {"2026-11-11T12:00:00.5Z"}
    for name in times:
        assert outcome(read_fast, topic, json.dumps({**GOOD[topic], name: True}).encode()) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-2, 3)
    | st.floats()
    | TEXT
    | st.sampled_from(["placed", "other", "pause", "2026-11-11T12:00:00Z", TS, "x" * 128, "x" * 129]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def tampered(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a good record of some kind in which some fields were replaced, dropped or added."""
    topic = draw(st.sampled_from([topic for topic in READERS if topic != "rules"]))
    record = json.loads(json.dumps(GOOD[topic]))
    places = [record, *record.get("lines", [])]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places))
        names = [*READERS[topic][0].model_fields, "sku_id", "product_category", "quantity", "x"]
        name = draw(st.sampled_from(names))
        if draw(st.booleans()):
            place[name] = draw(JSON)
        else:
            place.pop(name, None)
    return topic, json.dumps(record).encode("utf-8", "surrogatepass")


@UNHURRIED
@given(tampered())
def test_the_fast_parser_admits_exactly_what_the_model_admits(case: tuple[str, bytes]) -> None:
    assert outcome(read_fast, *case) == outcome(read_by_model, *case)


@UNHURRIED
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=60) | st.lists(TEXT).map("".join).map(str.encode))
@example("orders", b"NaN")
@example("orders", b'{"order_id": NaN}')
def test_any_bytes_are_read_or_refused(topic: str, value: bytes) -> None:
    refused = describe(READERS[topic][0], value)
    assert (refused is None) == (outcome(read_fast, topic, value) is not None)


def test_a_message_names_five_fields_at_most_and_counts_the_rest() -> None:
    refusal = describe(Command, b'{"expires_at": 1, "sku_id": []}')
    assert refusal is not None
    assert refusal.message.startswith("command_id: is missing; product_id: is missing; action: is missing; actor: ")
    assert refusal.message.endswith("; reason: is missing; and 3 more")


def test_errors_are_put_into_words() -> None:
    record = {"order_id": "", "occurred_at": "now", "lines": [{"product_id": 1, "quantity": "2"}, 7], "status": "sent"}
    refusal = describe(Order, json.dumps(record).encode())
    assert refusal is not None
    assert refusal.message.split("; ") == [
        "order_id: must be text of 1 to 128 characters without control characters, or an integer",
        "occurred_at: must be RFC 3339 text with an offset, or whole milliseconds since 1970",
        "lines[0].quantity: must be a whole number",
        "lines[1]: must be an object",
        "status: must be 'placed' or 'cancelled'",
    ]
    assert str(describe(Order, b"[]")) == "Refusal(reason='invalid', message='the record must be an object')"


def test_parsers_raise_value_errors() -> None:
    assert issubclass(ValidationError, ValueError)
