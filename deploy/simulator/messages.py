"""Messages: records of the four input topics as the contract has them (section 3), without partition and offset yet."""

from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import orjson

from deploy.simulator.catalogue import Sku
from schemas.times import from_ms
from schemas.topics import TopicNames

TOPICS: Final = TopicNames()

Line: TypeAlias = dict[str, str | int]

_TEXTS: Final = {
    "quality": ("Broke after one day.", "The seam came apart.", "Does not look like in the stream."),
    "counterfeit": ("The logo is wrong, this is a fake.",),
    "food_safety": ("There was mould under the lid.", "The seal was open."),
    "allergy": ("Rash on both arms after the first use.", "Contains nuts, which the label does not say."),
    "misleading": ("Half the size that the host promised.",),
    "logistics": ("Parcel came open.", "Still not here."),
    "service": ("Nobody answers in the chat.",),
    "other": ("Not happy with it.",),
}


class Message(NamedTuple):
    """One record on its way. `ts_ms` is when it arrives; the event time stands in the value."""

    ts_ms: int
    topic: str
    key: bytes
    value: bytes


def order_line(sku: Sku, quantity: int) -> Line:
    """Return a line of an order."""
    line: Line = {"product_id": sku.product_id, "quantity": quantity, "product_category": sku.category}
    if sku.sku_id is not None:
        line["sku_id"] = sku.sku_id
    return line


def order(order_id: str, at_ms: int, room_id: str, lines: list[Line], *, cancelled: bool = False) -> Message:
    """Return an order placed in a room, or the cancellation of all its lines."""
    value = {
        "order_id": order_id,
        "occurred_at": _time(at_ms),
        "status": "cancelled" if cancelled else "placed",
        "room_id": room_id,
        "lines": lines,
    }
    return Message(at_ms, TOPICS.orders, order_id.encode(), orjson.dumps(value))


def goods_return(return_id: str, at_ms: int, sku: Sku) -> Message:
    """Return the return of one unit."""
    value = {
        "return_id": return_id,
        "product_id": sku.product_id,
        "quantity": 1,
        "occurred_at": _time(at_ms),
        "room_id": sku.room_id,
        "reason": "not as expected",
        "product_category": sku.category,
    }
    if sku.sku_id is not None:
        value["sku_id"] = sku.sku_id
    return Message(at_ms, TOPICS.returns, sku.product_id.encode(), orjson.dumps(value))


def complaint(complaint_id: str, at_ms: int, sku: Sku, category: str) -> Message:
    """Return a complaint with a text that fits its category."""
    texts = _TEXTS[category]
    value = {
        "complaint_id": complaint_id,
        "product_id": sku.product_id,
        "occurred_at": _time(at_ms),
        "category": category,
        "room_id": sku.room_id,
        "text": texts[at_ms % len(texts)],
    }
    return Message(at_ms, TOPICS.complaints, sku.product_id.encode(), orjson.dumps(value))


def stock_level(sku: Sku, at_ms: int, on_hand: int) -> Message:
    """Return the stock level of a SKU as of `at_ms`, net of all orders before it."""
    value: dict[str, str | int] = {
        "product_id": sku.product_id,
        "on_hand": on_hand,
        "reserved": 0,
        "occurred_at": _time(at_ms),
        "snapshot_id": f"wms-{at_ms // 1000}",
    }
    if sku.sku_id is not None:
        value["sku_id"] = sku.sku_id
    if sku.safety_stock is not None:
        value["safety_stock"] = sku.safety_stock
    return Message(at_ms, TOPICS.stock_levels, sku.product_id.encode(), orjson.dumps(value))


def _time(at_ms: int) -> str:
    return f"{_second(at_ms // 1000)}{at_ms % 1000:03d}Z"


@lru_cache(maxsize=512)
def _second(second: int) -> str:
    return from_ms(second * 1000)[:-4]
