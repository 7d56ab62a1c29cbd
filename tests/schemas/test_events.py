import re
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from schemas import events
from schemas.events import (
    NAMESPACE,
    FuseEvent,
    FuseState,
    ReplenishmentRequest,
    Watchlist,
    cloud_event_headers,
    event_id,
    request_id,
)

# The event of the contract, with its keys in the contract's order.
EVENT: dict[str, object] = {
    "event_id": "1fbd2bdd-6fae-59f6-87c9-a5382c6bda15",
    "sequence": 7,
    "type": "fuse.opened",
    "product_id": "p42",
    "sku_id": None,
    "room_id": "r1",
    "rule": "complaint-surge",
    "rule_version": 3,
    "from": "closed",
    "to": "open",
    "epoch": 1,
    "shadow": False,
    "severity": "warning",
    "occurred_at": "2026-11-11T12:00:00.123Z",
    "actor": "rule",
    "reason": None,
    "paused": {"product": True, "skus": []},
    "cause": {"measured": 51, "limit": 50, "window_s": 3600, "evidence": ["c17", "c18"]},
}
REJECTED: dict[str, object] = EVENT | {
    "type": "command.rejected",
    "rule": None,
    "from": None,
    "to": None,
    "epoch": None,
    "severity": None,
    "actor": "operator:ann",
    "reason": "label is wrong",
    "paused": {"product": False, "skus": ["red", "blue"]},
    "cause": {"command_id": "k1", "action": "resume", "rejected": "nothing_open"},
}
STATE: dict[str, object] = {
    "product_id": "p42",
    "sequence": 7,
    "room_id": None,
    "paused": {"product": True, "skus": []},
    "override": {
        "state": "paused",
        "until": None,
        "actor": "ann",
        "reason": "label is wrong",
        "since": "2026-11-11T12:00:00.000Z",
    },
    "fuses": [
        {
            "rule": "oversell",
            "sku_id": "red",
            "state": "open",
            "epoch": 2,
            "shadow": False,
            "severity": "critical",
            "since": "2026-11-11T12:00:00.000Z",
            "acknowledged_by": None,
            "due": "2026-11-11T12:30:00.000Z",
            "cause": {
                "measured": 3,
                "limit": 4,
                "level": 4,
                "rate": 1.3333,
                "on_hand": 10,
                "as_of": EVENT["occurred_at"],
            },
        }
    ],
}
REQUEST: dict[str, object] = {
    "request_id": "ddf30ea1-4f9b-5b1c-8353-b650e921f7c4",
    "product_id": "p42",
    "sku_id": None,
    "available": 480,
    "safety_stock": 500,
    "rate_per_second": 1.5,
    "seconds_left": None,
    "suggested_quantity": 4920,
    "occurred_at": "2026-11-11T12:00:00.123Z",
}
WATCHLIST: dict[str, object] = {
    "as_of": "2026-11-11T12:00:05.000Z",
    "partition": 3,
    "products": [
        {
            "product_id": "p1",
            "sku_id": "red",
            "rule": "oversell",
            "nearness": 0.98,
            "measured": 12,
            "limit": 9,
            "available": 12,
            "seconds_left": 4.5,
        }
    ],
}
RECORDS: list[tuple[type[BaseModel], dict[str, object]]] = [
    (FuseEvent, EVENT),
    (FuseEvent, REJECTED),
    (FuseState, STATE),
    (FuseState, STATE | {"override": None, "fuses": []}),
    (ReplenishmentRequest, REQUEST),
    (Watchlist, WATCHLIST),
    (Watchlist, WATCHLIST | {"products": []}),
]


@pytest.mark.parametrize(("model", "record"), RECORDS)
def test_records_are_written_as_they_were_read_byte_for_byte(model: type[BaseModel], record: dict[str, object]) -> None:
    value = orjson.dumps(record)
    assert model.model_validate_json(value).model_dump_json().encode() == value


@pytest.mark.parametrize(("model", "record"), RECORDS)
def test_readers_tolerate_what_a_newer_livefuse_adds(model: type[BaseModel], record: dict[str, object]) -> None:
    assert model.model_validate_json(orjson.dumps(record | {"news": [1]})) == model.model_validate(record)


@pytest.mark.parametrize(("model", "record"), RECORDS)
def test_every_field_of_a_record_is_there(model: type[BaseModel], record: dict[str, object]) -> None:
    for name in record:
        with pytest.raises(ValidationError) as caught:
            model.model_validate({key: value for key, value in record.items() if key != name})
        assert caught.value.errors()[0]["loc"] == (name,)


def test_times_are_milliseconds_in_the_model() -> None:
    assert FuseEvent.model_validate(EVENT).occurred_at == 1_794_398_400_123
    assert FuseState.model_validate(STATE).fuses[0].due == 1_794_400_200_000


def test_a_cause_may_say_more() -> None:
    event = FuseEvent.model_validate(EVENT | {"cause": {"limit": 2, "colour": "red", "measured": 1.5}})
    assert event.cause.model_dump(mode="json") == {"limit": 2, "colour": "red", "measured": 1.5}


def test_the_operator_s_words_are_in_no_representation() -> None:
    assert "label" not in repr(FuseEvent.model_validate(REJECTED))
    assert "label" not in repr(FuseState.model_validate(STATE))


def test_ids_are_those_of_the_docstring() -> None:
    vectors = re.findall(r'(event_id|request_id)\("(.+)", (\d+)\) +([0-9a-f-]{36})', str(events.__doc__))
    made = {"event_id": event_id, "request_id": request_id}
    assert len(vectors) == 3
    for function, product_id, number, expected in vectors:
        assert made[function](product_id, int(number)) == expected


def test_ids_are_uuids_of_version_5_and_differ() -> None:
    ids = [event_id("p", 1), event_id("p", 11), event_id("p1", 1), event_id("p\u00e9", 1), request_id("p", 1)]
    assert len(set(ids)) == len(ids)
    assert {UUID(each).version for each in ids} == {5}
    assert NAMESPACE.version == 4


def test_headers_of_a_fuse_event() -> None:
    assert cloud_event_headers(EVENT, source="livefuse-eu") == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1fbd2bdd-6fae-59f6-87c9-a5382c6bda15"),
        ("ce_source", b"livefuse-eu"),
        ("ce_type", b"fuse.opened"),
        ("ce_time", b"2026-11-11T12:00:00.123Z"),
        ("ce_subject", b"p42"),
        ("content-type", b"application/json"),
    ]


def test_headers_of_a_replenishment_request() -> None:
    headers = dict(cloud_event_headers(REQUEST | {"product_id": "caf\u00e9"}))
    assert headers["ce_id"] == b"ddf30ea1-4f9b-5b1c-8353-b650e921f7c4"
    assert headers["ce_type"] == b"replenishment.requested"
    assert headers["ce_subject"].decode() == "caf\u00e9"
