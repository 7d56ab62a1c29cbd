"""Records that look odd and are in order: intake must apply them, not refuse them."""

import json
from typing import Any, Final, NamedTuple

from tests.corpus.malformed import FIVE_MINUTES_MS, GOOD, TS


class WellFormed(NamedTuple):
    """One record that must be applied. `topic` is the kind of input."""

    name: str
    topic: str
    value: bytes
    ts: int = TS


def _with(name: str, topic: str, **fields: Any) -> WellFormed:
    return WellFormed(f"{topic}: {name}", topic, json.dumps({**GOOD[topic], **fields}).encode())


def _line(**fields: Any) -> list[dict[str, Any]]:
    return [{"product_id": "p1", "quantity": 1, **fields}]


WELL_FORMED: Final[tuple[WellFormed, ...]] = (
    *(WellFormed(f"{topic}: plain", topic, json.dumps(record).encode()) for topic, record in GOOD.items()),
    _with("unknown fields", "orders", currency="EUR", customer={"name": "x", "tags": [1, None, 1e9]}),
    _with("everything null that may be", "orders", status=None, event_id=None, room_id=None),
    _with("nulls in a line", "orders", lines=_line(sku_id=None, product_category=None)),
    _with("integer ids", "orders", order_id=12, event_id=0, room_id=-7, lines=_line(product_id=42, sku_id=7)),
    _with("an id of 128 digits", "orders", order_id=10**127),
    _with("ids of 128 characters", "orders", order_id="é" * 128, lines=_line(product_id="☕" * 128)),
    _with("ids with spaces and signs", "orders", order_id=" ", lines=_line(product_id='a/b\\c"d', sku_id="'")),
    _with("a soft hyphen and a right-to-left mark", "orders", order_id="a\xad\u200fb"),
    _with("a pair of surrogates", "orders", order_id="\U0001f600"),
    _with("200 lines", "orders", lines=_line() * 200),
    _with("quantity 1,000,000", "orders", lines=_line(quantity=1_000_000)),
    _with("cancelled", "orders", status="cancelled"),
    _with("the first time", "orders", occurred_at=946_684_800_000),
    _with("the first time by its offset", "orders", occurred_at="1999-12-31T23:00:00-01:00"),
    _with("small letters", "orders", occurred_at="2026-11-11t12:00:00z"),
    _with("a space", "orders", occurred_at="2026-11-11 12:00:00Z"),
    _with("nine digits", "orders", occurred_at="2026-11-11T12:00:00.123456789Z"),
    _with("one digit", "orders", occurred_at="2026-11-11T12:00:00.1Z"),
    _with("an offset", "orders", occurred_at="2026-11-11T17:45:00+05:45"),
    _with("an unknown offset", "orders", occurred_at="2026-11-11T12:00:00-00:00"),
    _with("a leap second", "orders", occurred_at="2016-12-31T23:59:60Z"),
    _with("a leap second elsewhere", "orders", occurred_at="2017-01-01T05:29:60.5+05:30"),
    _with("29 February", "orders", occurred_at="2024-02-29T12:00:00Z"),
    _with("long ago", "orders", occurred_at="2000-02-29T12:00:00Z"),
    _with("five minutes ahead", "orders", occurred_at=TS + FIVE_MINUTES_MS),
    WellFormed("orders: white space around it", "orders", b"\n " + json.dumps(GOOD["orders"]).encode() + b"\r\n"),
    WellFormed("orders: escapes", "orders", json.dumps(GOOD["orders"]).replace("o1", "\\u006f1").encode()),
    WellFormed("orders: a key twice", "orders", json.dumps(GOOD["orders"]).replace("{", '{"order_id":[],', 1).encode()),
    WellFormed("orders: 1 MiB", "orders", json.dumps(GOOD["orders"]).encode().ljust(1_048_576)),
    _with("everything", "returns", order_id="o1", sku_id="red", room_id="r", reason="too\nsmall", product_category="x"),
    _with("everything null that may be", "returns", order_id=None, sku_id=None, room_id=None, reason=None),
    _with("category null", "complaints", category=None),
    _with("text empty", "complaints", text="", category="food_safety"),
    _with("text with control characters", "complaints", text="\x00\x1b[0m"),
    _with("the least on hand", "stock-levels", on_hand=-1_000_000_000),
    _with("the most on hand", "stock-levels", on_hand=1_000_000_000, reserved=1_000_000_000, safety_stock=0),
    _with("reserved null", "stock-levels", reserved=None, safety_stock=None, snapshot_id=None),
    _with("minus zero", "stock-levels", on_hand=-0),
    _with("reason empty", "commands", reason=""),
    _with("everything", "commands", rule="oversell", sku_id=7, expires_at=TS + 1, expected_sequence=0),
    _with("expired", "commands", expires_at="2001-01-01T00:00:00Z"),
    _with("no rule at all", "rules", rules=[]),
)
