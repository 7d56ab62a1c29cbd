"""What is read by hand is read as the validators read it."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.parse import Refusal
from schemas.topics import TopicNames
from streams.engine.signals import Signal
from streams.intake.parse import read, readers
from tests.bench.backlog import backlog
from tests.corpus.malformed import GOOD, MALFORMED, TS, Malformed
from tests.corpus.well_formed import WELL_FORMED, WellFormed
from tests.schemas.test_parse import JSON, READERS, tampered
from tests.schemas.unhurried import UNHURRIED

NAMES = TopicNames()
KNOWN = readers(NAMES)
TOPICS = {
    "orders": NAMES.orders,
    "returns": NAMES.returns,
    "complaints": NAMES.complaints,
    "stock-levels": NAMES.stock_levels,
    "commands": NAMES.commands,
    "rules": NAMES.rules,
}
COMMON = [kind for kind, topic in TOPICS.items() if KNOWN[topic].common is not None]


def found(kind: str, value: bytes | None, ts: int | None = None) -> list[Signal] | Refusal:
    return read(KNOWN[TOPICS[kind]], value, ts, source=3, offset=7)


def found_by_validator(kind: str, value: bytes | None, ts: int | None = None) -> list[Signal] | Refusal:
    return read(KNOWN[TOPICS[kind]]._replace(common=None), value, ts, source=3, offset=7)


def by_hand(kind: str, value: bytes) -> list[Signal] | None:
    common = KNOWN[TOPICS[kind]].common
    assert common is not None
    return common(value, 3, 7)


def text(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def same(kind: str, value: bytes | None, ts: int | None = None) -> None:
    read_by_both, expected = found(kind, value, ts), found_by_validator(kind, value, ts)
    assert read_by_both == expected
    # 1 == True == 1.0, so that equal signals could still be written differently.
    assert repr(read_by_both) == repr(expected)


@pytest.mark.parametrize("case", [*MALFORMED, *WELL_FORMED], ids=lambda case: case.name)
def test_the_corpus_is_read_the_same(case: Malformed | WellFormed) -> None:
    same(case.topic, case.value, TS)


def test_what_shops_send_is_read_by_hand() -> None:
    topics = {topic: kind for kind, topic in TOPICS.items()}
    for number, record in enumerate(backlog(30_000, TS)):
        kind = topics[record.topic]
        assert by_hand(kind, record.value) is not None
        if number % 10 == 0:
            same(kind, record.value, record.ts)


@pytest.mark.parametrize("kind", COMMON)
def test_a_good_record_is_read_by_hand(kind: str) -> None:
    assert by_hand(kind, text(GOOD[kind])) is not None


@UNHURRIED
@given(tampered())
def test_tampered_records_are_read_the_same(case: tuple[str, bytes]) -> None:
    same(*case)


@UNHURRIED
@given(st.sampled_from(COMMON), st.data())
def test_any_value_in_any_field_is_read_the_same(kind: str, data: st.DataObject) -> None:
    record = json.loads(json.dumps(GOOD[kind]))
    places = [record, *record.get("lines", [])]
    place = data.draw(st.sampled_from(places))
    names = [*READERS[kind][0].model_fields, "sku_id", "product_category", "quantity", "x"]
    value = data.draw(JSON | st.text(max_size=3) | st.characters() | st.sampled_from([-(10**9), 10**9, 10**6, 0, -1]))
    place[data.draw(st.sampled_from(names))] = value
    same(kind, json.dumps(record, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))


@UNHURRIED
@given(st.sampled_from(COMMON), st.integers(0, 2**32), st.sampled_from(["", *'0"-{}[],:\\ue.tn\n\x7f\u00a0\u00ad']))
def test_records_with_a_character_changed_are_read_the_same(kind: str, seed: int, other: str) -> None:
    chance = Random(seed)
    value = json.dumps(GOOD[kind] | {"room_id": "rö", "x": [1.5, {"y": None}]}, ensure_ascii=False)
    place = chance.randrange(len(value))
    same(kind, (value[:place] + other + value[place + chance.randrange(2) :]).encode())


@pytest.mark.parametrize("kind", COMMON)
@pytest.mark.parametrize("depth", [198, 199, 200, 201, 202, 1_000, 1_100])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"":', "}")])
def test_deep_records_are_read_the_same(kind: str, depth: int, opening: str, closing: str) -> None:
    deep = opening * depth + ("1" if closing == "}" else "") + closing * depth
    same(kind, text(GOOD[kind])[:-1] + f',"x":{deep}}}'.encode())
    # Hidden behind a field of the same name, so that what is read does not show it.
    name = next(iter(GOOD[kind]))
    same(kind, f'{{"{name}":{deep},'.encode() + text(GOOD[kind])[1:])


@pytest.mark.parametrize("kind", COMMON)
@pytest.mark.parametrize(
    "value",
    ["NaN", "1e999", "-0", "-0.0", "1" * 4_300, "1" * 4_301, "1e-999", '"\\ud800"', '"\\u0000"', "2.0", "1e2", "true"],
)
def test_unusual_values_are_read_the_same(kind: str, value: str) -> None:
    good = json.dumps(GOOD[kind])
    same(kind, f'{good[:-1]},"x":{value}}}'.encode())
    for name in ("quantity", "on_hand", "reserved", "safety_stock", "occurred_at", "sku_id", "order_id", "room_id"):
        same(kind, f'{good[:-1]},"{name}":{value}}}'.encode())
        same(kind, f'{{"{name}":{value},{good[1:]}'.encode())


def test_orders_of_many_lines_are_read_the_same() -> None:
    line = {"product_id": "p", "quantity": 1}
    for count in (0, 1, 2, 197, 198, 199, 200, 201):
        same("orders", text(GOOD["orders"] | {"lines": [line] * count}))
    assert by_hand("orders", text(GOOD["orders"] | {"lines": [line] * 190})) is not None
