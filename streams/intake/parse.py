"""From the bytes of an input record to signals, or to the reason why it cannot be used.

A record is used whole or not at all: one bad line refuses the whole order. Nothing here repeats what a record held: a
refusal names fields.

This runs once for each record of a sale, so it does little: ``streams.intake.shapes`` takes apart what shops send all
day. What is unusual the validators of ``schemas.parse`` read, in Rust, and only what they refuse is looked at closely.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson
from pydantic import BaseModel

from schemas.commands import Command
from schemas.parse import (
    Refusal,
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
from schemas.topics import LARGEST_FRAME_BYTES, LARGEST_RECORD_BYTES, TopicNames
from streams.engine.signals import (
    CANCELLATION,
    COMMAND,
    COMPLAINT,
    LINES_PER_OFFSET,
    ORDER,
    RETURN,
    RULES,
    STOCK,
    Signal,
)
from streams.intake import shapes
from streams.intake.record import Record

FURTHEST_AHEAD_MS: Final = 300_000
"""A record that is further ahead of its Kafka timestamp is refused: it would poison every window."""

LARGEST_RULES_BYTES: Final = LARGEST_FRAME_BYTES // 2
"""A rule set grows when its defaults are written out, and it must fit into a frame."""

Convert = Callable[[bytes, int, int], list[Signal]]
"""(value, index of the source, offset) to the record's signals; ValueError when the record cannot be used."""


class Reader(NamedTuple):
    """How the records of one topic are read: the common shape, if the topic has one, else every shape.

    ``model`` is what records are held against to say what is wrong with one.
    """

    common: Callable[[bytes, int, int], list[Signal] | None] | None
    convert: Convert
    model: type[BaseModel]


def read(
    reader: Reader, value: bytes | None, timestamp: int | None, source: int, offset: int
) -> list[Signal] | Refusal:
    """Return the signals of a record, in their order and all of one time, or why there are none.

    ``timestamp`` is the record's Kafka timestamp (ms); with None or a negative one there is no look at the future.
    """
    if not value:
        return Refusal("empty", "the record has no value")
    if len(value) > LARGEST_RECORD_BYTES:
        return _refusal(reader.model, value)
    try:
        signals = None if reader.common is None else reader.common(value, source, offset)
        if signals is None:
            signals = reader.convert(value, source, offset)
    except ValueError:
        return _refusal(reader.model, value)
    if timestamp is not None and 0 <= timestamp < signals[0][3] - FURTHEST_AHEAD_MS:
        # Rounded up: what is refused is never said to be as far ahead as is allowed.
        ahead_s, allowed_s = -((timestamp - signals[0][3]) // 1000), FURTHEST_AHEAD_MS // 1000
        words = f"its time is {ahead_s:,} s ahead of the record's Kafka timestamp, more than the {allowed_s} s allowed"
        return Refusal("future_timestamp", words)
    return signals


def read_all(
    reader: Reader, records: Iterable[Record], source: int
) -> tuple[list[Signal], list[tuple[Record, Refusal]]]:
    """Return the signals of records of one source, in their order, and those of them that cannot be used."""
    signals: list[Signal] = []
    refused: list[tuple[Record, Refusal]] = []
    for record in records:
        found = read(reader, record.value, record.timestamp, source, record.offset)
        if isinstance(found, list):
            signals += found
        else:
            refused.append((record, found))
    return signals, refused


def readers(names: TopicNames) -> Mapping[str, Reader]:
    """Return the readers of all input topics by their names."""
    return MappingProxyType(
        {
            names.stock_levels: Reader(shapes.stock_level, _stock_level, StockLevel),
            names.orders: Reader(shapes.order, _order, Order),
            names.returns: Reader(shapes.goods_return, _return, Return),
            names.complaints: Reader(shapes.complaint, _complaint, Complaint),
            names.commands: Reader(None, _command, Command),
            names.rules: Reader(None, _rules, RuleSet),
        }
    )


def _refusal(model: type[BaseModel], value: bytes) -> Refusal:
    return describe(model, value) or Refusal("invalid", f"the record is too large as a {model.__name__}")


def _order(value: bytes, source: int, offset: int) -> list[Signal]:
    order = parse_order(value)
    kind = CANCELLATION if order.get("status") == "cancelled" else ORDER
    time_ms = to_ms(order["occurred_at"])
    order_id, event_id, room_id = order["order_id"], order.get("event_id"), order.get("room_id")
    position = offset * LINES_PER_OFFSET
    lines: list[dict[str, Any]] = order["lines"]
    return [
        [
            kind,
            source,
            position + number,
            time_ms,
            line["product_id"],
            number,
            order_id,
            event_id,
            line["quantity"],
            line.get("sku_id"),
            room_id,
            line.get("product_category"),
        ]
        for number, line in enumerate(lines, 1)
    ]


def _head(kind: int, record: dict[str, Any], source: int, offset: int) -> Signal:
    return [kind, source, offset * LINES_PER_OFFSET, to_ms(record["occurred_at"]), record["product_id"]]


def _return(value: bytes, source: int, offset: int) -> list[Signal]:
    record = parse_return(value)
    get = record.get
    tail = [record["return_id"], record["quantity"], get("sku_id"), get("room_id"), get("product_category")]
    return [_head(RETURN, record, source, offset) + tail]


def _complaint(value: bytes, source: int, offset: int) -> list[Signal]:
    record = parse_complaint(value)
    tail = [record["complaint_id"], record.get("category") or "other", record.get("room_id")]
    return [_head(COMPLAINT, record, source, offset) + tail]


def _stock_level(value: bytes, source: int, offset: int) -> list[Signal]:
    record = parse_stock_level(value)
    get = record.get
    quantities = [record["on_hand"], get("reserved") or 0, get("safety_stock")]
    tail = [get("sku_id"), *quantities, get("room_id"), get("snapshot_id")]
    return [_head(STOCK, record, source, offset) + tail]


def _command(value: bytes, source: int, offset: int) -> list[Signal]:
    record = parse_command(value)
    get = record.get
    issued_at, expires_at = to_ms(record["issued_at"]), get("expires_at")
    command = {
        "command_id": record["command_id"],
        "action": record["action"],
        "actor": record["actor"],
        "reason": record["reason"],
        "issued_at": issued_at,
        "rule": get("rule"),
        "sku_id": get("sku_id"),
        "expires_at": None if expires_at is None else to_ms(expires_at),
        "expected_sequence": get("expected_sequence"),
    }
    return [[COMMAND, source, offset * LINES_PER_OFFSET, issued_at, record["product_id"], command]]


def _rules(value: bytes, source: int, offset: int) -> list[Signal]:
    rules = parse_rules(value)
    data = rules.model_dump(mode="json")
    if len(orjson.dumps(data)) > LARGEST_RULES_BYTES:
        raise ValueError
    return [[RULES, source, offset * LINES_PER_OFFSET, rules.issued_at, "", data]]
