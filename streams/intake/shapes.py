"""The common shapes of input records, taken apart by hand: what shops send all day.

A function here reads a record in less than half the time that a validator takes. It returns None for whatever is
unusual in the least, an integer for an id, a letter that cannot be printed, a field of another type: then the
validators of ``schemas.parse`` decide. So nothing is admitted here that they would refuse, and nothing is refused but
for its time, by the function by which they refuse it too. ``tests/streams/intake/test_shapes.py`` holds the two against
each other.

Where orjson reads JSON and pydantic does not: arrays and objects more than 200 deep. Such a record has as many opening
brackets, and is not read here.

Products, SKUs, rooms and categories come again and again. The signals of a product share the text of its id, for what
waits for a frame by the thousand should fit into the processor's cache; and a text that is known need not be looked at.
"""

from typing import Any, Final, get_args

import orjson

from schemas.ids import MAX_ID_LENGTH
from schemas.limits import ComplaintCategory
from schemas.records import MOST_LINES, MOST_STOCK, MOST_UNITS
from schemas.times import to_ms
from streams.engine.signals import CANCELLATION, COMPLAINT, LINES_PER_OFFSET, ORDER, RETURN, STOCK, Signal

_CATEGORIES: Final = frozenset(get_args(ComplaintCategory))
_DEPTH: Final = 200
_SHALLOW_BYTES: Final = 2 * _DEPTH
"""What is shorter cannot be so deep."""

_NAMES: Final[dict[str, str]] = {}
"""Ids that were found good, each its own value. Bounded."""
_MOST_NAMES: Final = 100_000
_UNUSUAL: Final = ""
"""In place of a name that the validators have to look at. No name is empty."""


def order(value: bytes, source: int, offset: int) -> list[Signal] | None:
    """Return the signals of an order."""
    record = _load(value)
    if record is None:
        return None
    order_id = record.get("order_id")
    event_id = record.get("event_id")
    room_id = _name(record.get("room_id"))
    status = record.get("status")
    lines = record.get("lines")
    if not (_is_id(order_id) and _may_be_id(event_id) and room_id != _UNUSUAL and isinstance(lines, list)):
        return None
    if status is None or status == "placed":
        kind = ORDER
    elif status == "cancelled":
        kind = CANCELLATION
    else:
        return None
    if not 1 <= len(lines) <= MOST_LINES:
        return None
    time_ms = to_ms(record.get("occurred_at"))
    position = offset * LINES_PER_OFFSET
    signals: list[Signal] = []
    for number, line in enumerate(lines, 1):
        if not isinstance(line, dict):
            return None
        product_id = _name(line.get("product_id"))
        quantity = line.get("quantity")
        sku_id = _name(line.get("sku_id"))
        category = _name(line.get("product_category"))
        if product_id is None or _UNUSUAL in (product_id, sku_id, category) or not _is_whole(quantity, 1, MOST_UNITS):
            return None
        signals.append(
            [
                kind,
                source,
                position + number,
                time_ms,
                product_id,
                number,
                order_id,
                event_id,
                quantity,
                sku_id,
                room_id,
                category,
            ]
        )
    return signals


def goods_return(value: bytes, source: int, offset: int) -> list[Signal] | None:
    """Return the signal of a return."""
    record = _load(value)
    if record is None:
        return None
    product_id, return_id, quantity = _name(record.get("product_id")), record.get("return_id"), record.get("quantity")
    sku_id, room_id = _name(record.get("sku_id")), _name(record.get("room_id"))
    category = _name(record.get("product_category"))
    if not (
        product_id is not None
        and _UNUSUAL not in (product_id, sku_id, room_id, category)
        and _is_id(return_id)
        and _is_whole(quantity, 1, MOST_UNITS)
        and _may_be_id(record.get("order_id"))
        and _may_be_text(record.get("reason"))
    ):
        return None
    time_ms = to_ms(record.get("occurred_at"))
    position = offset * LINES_PER_OFFSET
    return [[RETURN, source, position, time_ms, product_id, return_id, quantity, sku_id, room_id, category]]


def complaint(value: bytes, source: int, offset: int) -> list[Signal] | None:
    """Return the signal of a complaint."""
    record = _load(value)
    if record is None:
        return None
    product_id, complaint_id = _name(record.get("product_id")), record.get("complaint_id")
    category, room_id = record.get("category"), _name(record.get("room_id"))
    if category is None:
        category = "other"
    if not (
        product_id is not None
        and _UNUSUAL not in (product_id, room_id)
        and _is_id(complaint_id)
        and isinstance(category, str)
        and category in _CATEGORIES
        and _may_be_id(record.get("order_id"))
        and _may_be_text(record.get("text"))
    ):
        return None
    time_ms = to_ms(record.get("occurred_at"))
    return [[COMPLAINT, source, offset * LINES_PER_OFFSET, time_ms, product_id, complaint_id, category, room_id]]


def stock_level(value: bytes, source: int, offset: int) -> list[Signal] | None:
    """Return the signal of a stock level."""
    record = _load(value)
    if record is None:
        return None
    product_id, sku_id = _name(record.get("product_id")), _name(record.get("sku_id"))
    room_id = _name(record.get("room_id"))
    on_hand, reserved, safety_stock = record.get("on_hand"), record.get("reserved"), record.get("safety_stock")
    snapshot_id = record.get("snapshot_id")
    if reserved is None:
        reserved = 0
    if not (
        product_id is not None
        and _UNUSUAL not in (product_id, sku_id, room_id)
        and _is_whole(on_hand, -MOST_STOCK, MOST_STOCK)
        and _is_whole(reserved, 0, MOST_STOCK)
        and (safety_stock is None or _is_whole(safety_stock, 0, MOST_STOCK))
        and _may_be_id(snapshot_id)
    ):
        return None
    time_ms = to_ms(record.get("occurred_at"))
    position = offset * LINES_PER_OFFSET
    return [
        [STOCK, source, position, time_ms, product_id, sku_id, on_hand, reserved, safety_stock, room_id, snapshot_id]
    ]


def _load(value: bytes) -> dict[str, Any] | None:
    if len(value) > _SHALLOW_BYTES and value.count(b"[") + value.count(b"{") > _DEPTH:
        return None
    try:
        record = orjson.loads(value)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _name(value: object) -> str | None:
    """Return the one text for an id that comes again and again; `_UNUSUAL` if the validators have to look at it."""
    if value is None:
        return None
    if not isinstance(value, str):
        return _UNUSUAL
    name = _NAMES.get(value)
    if name is not None:
        return name
    if not _is_id(value):
        return _UNUSUAL
    if len(_NAMES) >= _MOST_NAMES:
        _NAMES.clear()
    _NAMES[value] = value
    return value


def _is_id(value: object) -> bool:
    # No control character can be printed. Some others cannot either: the validators know better.
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isprintable()


def _may_be_id(value: object) -> bool:
    return value is None or _is_id(value)


def _may_be_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
