import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.commands import Command
from schemas.parse import describe, parse_order
from schemas.records import Complaint, Order, OrderLine, Return, StockLevel
from tests.corpus.malformed import GOOD, TS

MODELS: dict[str, type[BaseModel]] = {
    "orders": Order,
    "returns": Return,
    "complaints": Complaint,
    "stock-levels": StockLevel,
    "commands": Command,
}


def read(topic: str, **fields: Any) -> Any:
    return MODELS[topic].model_validate_json(json.dumps({**GOOD[topic], **fields}))


def test_an_order() -> None:
    assert read("orders") == Order(
        order_id="o1",
        occurred_at=TS,
        lines=(OrderLine(product_id="p1", quantity=1), OrderLine(product_id="p2", quantity=2, sku_id="red")),
    )


@pytest.mark.parametrize("topic", MODELS)
def test_records_are_frozen_and_ignore_unknown_fields(topic: str) -> None:
    record = read(topic, surprise={"a": [1, 2]})
    assert record == read(topic)
    with pytest.raises(ValidationError, match="frozen"):
        record.product_id = "p2"


@pytest.mark.parametrize("topic", MODELS)
def test_null_in_an_optional_field_is_as_good_as_nothing(topic: str) -> None:
    optional = [name for name, field in MODELS[topic].model_fields.items() if not field.is_required()]
    assert optional
    assert read(topic, **dict.fromkeys(optional)) == read(topic)


@pytest.mark.parametrize("topic", MODELS)
def test_null_in_a_required_field_is_invalid(topic: str) -> None:
    required = [name for name, field in MODELS[topic].model_fields.items() if field.is_required()]
    assert sorted(required) == sorted(GOOD[topic])
    for name in required:
        with pytest.raises(ValidationError, match=name):
            read(topic, **{name: None})


def test_defaults() -> None:
    assert read("orders").status == "placed"
    assert read("complaints").category == "other"
    assert read("stock-levels").reserved == 0


@pytest.mark.parametrize(
    ("given", "read_as"), [(42, "42"), (-7, "-7"), (0, "0"), (10**127, "1" + "0" * 127), ("42", "42"), (" ", " ")]
)
def test_ids_are_text_or_integers(given: object, read_as: str) -> None:
    assert read("returns", return_id=given).return_id == read_as


@pytest.mark.parametrize("code", [*range(32), *range(127, 160)])
def test_ids_hold_no_control_character(code: int) -> None:
    for text in (f"a{chr(code)}b", chr(code), f"a{chr(code)}"):
        with pytest.raises(ValidationError, match="control characters"):
            read("returns", return_id=text)


@pytest.mark.parametrize("code", [32, 126, 160, 0xAD, 0x2028, 0xFFFF, 0x10FFFF])
def test_ids_may_hold_all_else(code: int) -> None:
    assert read("returns", return_id=chr(code) * 128).return_id == chr(code) * 128


def test_what_people_wrote_is_in_no_representation() -> None:
    private = "Erika Mustermann, 030 123456"
    for record in (
        read("complaints", text=private),
        read("returns", reason=private),
        read("commands", reason=private),
    ):
        assert private in record.model_dump_json()
        assert private not in repr(record)
        assert private not in str(record)


@pytest.mark.parametrize("topic", MODELS)
def test_no_message_holds_what_the_record_held(topic: str) -> None:
    private = "Erika-Mustermann-030-123456"
    for name in MODELS[topic].model_fields:
        for value in (f"{private}\n", {"name": private}, [private], [[private]], {"x": {private: private}}):
            record = json.dumps({**GOOD[topic], name: value}).encode()
            refusal = describe(MODELS[topic], record)
            assert private not in str(refusal)
            if refusal is not None:
                with pytest.raises(ValidationError) as caught:
                    MODELS[topic].model_validate_json(record)
                assert private not in str(caught.value)
    for broken in (f'{{"text": "{private}', f'{{"{private}": }}', f'{{"a": {private}}}'):
        refusal = describe(MODELS[topic], broken.encode())
        assert refusal is not None
        assert refusal.reason == "not_json"
        assert private not in refusal.message


def test_the_fast_parser_does_not_tell_either() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_order(json.dumps({**GOOD["orders"], "order_id": "Erika\n"}).encode())
    assert "Erika" not in str(caught.value)
