"""Records that cannot be used, each with the reason under which it must end as a dead letter.

`field` is the path that the message of an `invalid` record must name. `ts` is the Kafka timestamp of the record in
milliseconds; it matters only for `future_timestamp`. All else about these records is in order.
"""

import json
from typing import Any, Final, NamedTuple

TS: Final = 1_794_398_400_000
"""2026-11-11T12:00:00Z, the Kafka timestamp of every record here, and the time of most."""

FIVE_MINUTES_MS: Final = 300_000

_DROP: Final = object()


class Malformed(NamedTuple):
    """One record that cannot be used. `topic` is the kind of input: orders, returns, ... as the contract calls them."""

    name: str
    topic: str
    value: bytes | None
    reason: str
    field: str | None = None
    ts: int = TS


GOOD: Final[dict[str, dict[str, Any]]] = {
    "orders": {
        "order_id": "o1",
        "occurred_at": "2026-11-11T12:00:00Z",
        "lines": [{"product_id": "p1", "quantity": 1}, {"product_id": "p2", "quantity": 2, "sku_id": "red"}],
    },
    "returns": {"return_id": "r1", "product_id": "p1", "quantity": 1, "occurred_at": "2026-11-11T12:00:00Z"},
    "complaints": {"complaint_id": "c1", "product_id": "p1", "occurred_at": "2026-11-11T12:00:00Z"},
    "stock-levels": {"product_id": "p1", "on_hand": 10, "occurred_at": "2026-11-11T12:00:00Z"},
    "commands": {
        "command_id": "k1",
        "product_id": "p1",
        "action": "pause",
        "actor": "ann",
        "reason": "label is wrong",
        "issued_at": "2026-11-11T12:00:00Z",
    },
    "rules": {
        "version": 1,
        "issued_at": "2026-11-11T12:00:00Z",
        "actor": "ann",
        "rules": [{"id": "surge", "kind": "complaint_surge"}],
    },
}
"""A record of each kind with nothing wrong. What is malformed differs from these in one thing."""


def _with(topic: str, path: str, value: object) -> dict[str, Any]:
    """Return the good record with one field, `lines[0].quantity`, changed or dropped."""
    record: dict[str, Any] = json.loads(json.dumps(GOOD[topic]))
    *above, last = path.replace("]", "").replace("[", ".").split(".")
    place: Any = record
    for step in above:
        place = place[int(step) if step.isdecimal() else step]
    if value is _DROP:
        del place[last]
    else:
        place[int(last) if last.isdecimal() else last] = value
    return record


def _invalid(name: str, topic: str, path: str, value: object) -> Malformed:
    return Malformed(f"{topic}: {name}", topic, json.dumps(_with(topic, path, value)).encode(), "invalid", path)


def _raw(name: str, value: bytes | None, reason: str, field: str | None = None, topic: str = "orders") -> Malformed:
    return Malformed(f"{topic}: {name}", topic, value, reason, field)


def _replaced(old: bytes, new: bytes, topic: str = "orders") -> bytes:
    value = json.dumps(GOOD[topic]).encode()
    assert old in value
    return value.replace(old, new, 1)


def _ahead(topic: str, field: str, occurred_at: str | int) -> Malformed:
    record = _with(topic, field, occurred_at)
    return Malformed(f"{topic}: {field} {occurred_at}", topic, json.dumps(record).encode(), "future_timestamp")


_EMPTY = (
    _raw("no value", None, "empty"),
    _raw("no bytes", b"", "empty"),
    _raw("one space", b" ", "empty"),
    _raw("white space", b" \t\r\n ", "empty"),
    _raw("no value", None, "empty", topic="commands"),
)

_NOT_JSON = (
    _raw("text", b"hello", "not_json"),
    _raw("one brace", b"{", "not_json"),
    _raw("cut off in the middle", json.dumps(GOOD["orders"]).encode()[:40], "not_json"),
    _raw("cut off by one byte", json.dumps(GOOD["orders"]).encode()[:-1], "not_json"),
    _raw("something behind it", json.dumps(GOOD["orders"]).encode() + b" x", "not_json"),
    _raw("two records", json.dumps(GOOD["orders"]).encode() * 2, "not_json"),
    _raw("JSON lines", b'{"a":1}\n{"a":2}\n', "not_json"),
    _raw("single quotes", b"{'order_id': 'o1'}", "not_json"),
    _raw("keys without quotes", b'{order_id: "o1"}', "not_json"),
    _raw("trailing comma", b'{"order_id": "o1",}', "not_json"),
    _raw("comment", b'// order\n{"order_id": "o1"}', "not_json"),
    _raw("Python", b"{'order_id': None}", "not_json"),
    _raw("XML", b'<?xml version="1.0"?><order id="o1"/>', "not_json"),
    _raw("byte order mark", b"\xef\xbb\xbf" + json.dumps(GOOD["orders"]).encode(), "not_json"),
    _raw("UTF-16", json.dumps(GOOD["orders"]).encode("utf-16"), "not_json"),
    _raw("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV*\xc9", "not_json"),
    _raw("Avro with a schema id", b"\x00\x00\x00\x00\x07\x04o1\x02", "not_json"),
    _raw("a NUL", b"\x00", "not_json"),
    _raw("form feed", b"\x0c", "not_json"),
    _raw("random bytes", bytes(range(128, 256)), "not_json"),
    _raw("truncated UTF-8", _replaced(b'"o1"', b'"caf\xc3"'), "not_json"),
    _raw("truncated UTF-8 of four bytes", _replaced(b'"o1"', b'"\xf0\x9f\x98"'), "not_json"),
    _raw("Latin-1", _replaced(b'"o1"', "café".join('""').encode("latin-1")), "not_json"),
    _raw("overlong UTF-8", _replaced(b'"o1"', b'"\xc0\xaf"'), "not_json"),
    _raw("surrogate in UTF-8", _replaced(b'"o1"', b'"\xed\xa0\x80"'), "not_json"),
    _raw("beyond Unicode", _replaced(b'"o1"', b'"\xf5\x80\x80\x80"'), "not_json"),
    _raw("lone high surrogate", _replaced(b'"o1"', b'"\\ud83d"'), "not_json"),
    _raw("lone low surrogate", _replaced(b'"o1"', b'"\\ude00"'), "not_json"),
    _raw("high surrogate twice", _replaced(b'"o1"', b'"\\ud83d\\ud83d"'), "not_json"),
    _raw("unknown escape", _replaced(b'"o1"', b'"\\x41"'), "not_json"),
    _raw("line feed in a string", _replaced(b'"o1"', b'"o\n1"'), "not_json"),
    _raw("leading zero", _replaced(b'"quantity": 1', b'"quantity": 01'), "not_json"),
    _raw("plus sign", _replaced(b'"quantity": 1', b'"quantity": +1'), "not_json"),
    _raw("hexadecimal", _replaced(b'"quantity": 1', b'"quantity": 0x1'), "not_json"),
    _raw("no digit behind the point", _replaced(b'"quantity": 1', b'"quantity": 1.'), "not_json"),
    _raw("5,000 digits", _replaced(b'"quantity": 1', b'"quantity": ' + b"9" * 5_000), "not_json"),
    _raw("bomb of lists", b"[" * 100_000, "not_json"),
    _raw("bomb of objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not_json"),
    _raw("bomb in an unknown field", _replaced(b"{", b'{"x": ' + b"[" * 500 + b"]" * 500 + b", "), "not_json"),
    _raw("bomb in lines", _replaced(b"[", b"[" * 1_000), "not_json"),
    _raw("text", b"pause p1", "not_json", topic="commands"),
    _raw("TOML", b'[[rule]]\nid = "surge"', "not_json", topic="rules"),
)

_NO_OBJECT = (
    _raw("null", b"null", "invalid"),
    _raw("true", b"true", "invalid"),
    _raw("a number", b"42", "invalid"),
    _raw("a string", b'"o1"', "invalid"),
    _raw("a list", b"[]", "invalid"),
    _raw("a list of orders", json.dumps([GOOD["orders"]]).encode(), "invalid"),
    _raw("an empty object", b"{}", "invalid", "order_id"),
    _raw("JSON in a string", json.dumps(json.dumps(GOOD["orders"])).encode(), "invalid"),
    _raw("wrapped", json.dumps({"payload": GOOD["orders"]}).encode(), "invalid", "order_id"),
    _raw("a return", json.dumps(GOOD["returns"]).encode(), "invalid", "order_id"),
    _raw("an order", json.dumps(GOOD["orders"]).encode(), "invalid", "complaint_id", topic="complaints"),
)

_IDS = tuple(
    _invalid(f"order_id {name}", "orders", "order_id", value)
    for name, value in {
        "missing": _DROP,
        "null": None,
        "empty": "",
        "129 characters": "x" * 129,
        "129 digits": 10**128,
        "128 digits and a sign": -(10**127),
        "4,000 digits": 10**3_999,
        "true": True,
        "false": False,
        "fraction": 1.5,
        "fraction that is whole": 7.0,
        "list": ["o1"],
        "object": {"id": "o1"},
        "NUL": "o\x001",
        "line feed": "o1\n",
        "tab": "o\t1",
        "unit separator": "o\x1f1",
        "DEL": "o\x7f1",
        "C1": "o\x801",
        "next line": "o\x851",
        "last of C1": "o\x9f1",
    }.items()
)

_TIMES = tuple(
    _invalid(f"occurred_at {name}", "orders", "occurred_at", value)
    for name, value in {
        "missing": _DROP,
        "null": None,
        "empty": "",
        "word": "now",
        "without an offset": "2026-11-11T12:00:00",
        "without an offset, with a fraction": "2026-11-11T12:00:00.123",
        "date only": "2026-11-11",
        "time only": "12:00:00Z",
        "digits in a string": "1794398400000",
        "basic format": "20261111T120000Z",
        "without seconds": "2026-11-11T12:00Z",
        "offset without a colon": "2026-11-11T12:00:00+0100",
        "offset of hours": "2026-11-11T12:00:00+01",
        "offset of 24 hours": "2026-11-11T12:00:00+24:00",
        "offset of 60 minutes": "2026-11-11T12:00:00+01:60",
        "named zone": "2026-11-11T12:00:00 CET",
        "zone in brackets": "2026-11-11T12:00:00+01:00[Europe/Paris]",
        "comma": "2026-11-11T12:00:00,123Z",
        "point without digits": "2026-11-11T12:00:00.Z",
        "space before": " 2026-11-11T12:00:00Z",
        "line feed behind": "2026-11-11T12:00:00Z\n",
        "month 13": "2026-13-11T12:00:00Z",
        "30 February": "2026-02-30T12:00:00Z",
        "29 February of no leap year": "2027-02-29T12:00:00Z",
        "hour 24": "2026-11-11T24:00:00Z",
        "minute 60": "2026-11-11T12:60:00Z",
        "leap second at noon": "2026-11-11T12:00:60Z",
        "second 61": "2026-12-31T23:59:61Z",
        "Arabic digits": "٢٠٢٦-11-11T12:00:00Z",
        "week date": "2026-W46-3T12:00:00Z",
        "RFC 1123": "Wed, 11 Nov 2026 12:00:00 GMT",
        "year of two digits": "26-11-11T12:00:00Z",
        "year 10000": "10000-01-01T00:00:00Z",
        "before 2000": "1999-12-31T23:59:59.999Z",
        "before 2000 by its offset": "2000-01-01T00:30:00+01:00",
        "2100": "2100-01-01T00:00:00Z",
        "2100 by its offset": "2099-12-31T23:30:00-01:00",
        "year 0": "0000-01-01T00:00:00Z",
        "seconds since 1970": 1_794_398_400,
        "microseconds since 1970": 1_794_398_400_000_000,
        "0": 0,
        "negative": -1,
        "ms before 2000": 946_684_799_999,
        "ms of 2100": 4_102_444_800_000,
        "huge": 10**30,
        "fraction of a ms": 1_794_398_400_000.5,
        "fraction that is whole": 1_794_398_400_000.0,
        "true": True,
        "list": [2026, 11, 11],
        "object": {"$date": "2026-11-11T12:00:00Z"},
    }.items()
)

_QUANTITIES = (
    *(
        _invalid(f"quantity {name}", "orders", "lines[1].quantity", value)
        for name, value in {
            "missing": _DROP,
            "null": None,
            "0": 0,
            "negative": -1,
            "1,000,001": 1_000_001,
            "beyond 32 bits": 2**32 + 1,
            "beyond 64 bits": 2**64 + 1,
            "100 digits": 10**99,
            "true": True,
            "text": "2",
            "empty text": "",
            "fraction": 1.5,
            "fraction that is whole": 2.0,
            "list": [2],
            "NaN": float("nan"),
            "Infinity": float("inf"),
        }.items()
    ),
    _raw("quantity 1e400", _replaced(b'"quantity": 1', b'"quantity": 1e400'), "invalid", "lines[0].quantity"),
    _raw("quantity 1e0", _replaced(b'"quantity": 1', b'"quantity": 1e0'), "invalid", "lines[0].quantity"),
)

_LINES = (
    _invalid("lines missing", "orders", "lines", _DROP),
    _invalid("lines null", "orders", "lines", None),
    _invalid("no line", "orders", "lines", []),
    _invalid("201 lines", "orders", "lines", [{"product_id": "p1", "quantity": 1}] * 201),
    _invalid("lines an object", "orders", "lines", {"product_id": "p1", "quantity": 1}),
    _invalid("lines a string", "orders", "lines", "p1"),
    _invalid("a line null", "orders", "lines[1]", None),
    _invalid("a line a string", "orders", "lines[0]", "p1"),
    _invalid("a line a list", "orders", "lines[0]", ["p1", 1]),
    _invalid("product_id missing", "orders", "lines[1].product_id", _DROP),
    _invalid("product_id null", "orders", "lines[0].product_id", None),
    _invalid("product_id empty", "orders", "lines[0].product_id", ""),
    _invalid("product_id with a line feed", "orders", "lines[0].product_id", "p\n1"),
    _invalid("sku_id empty", "orders", "lines[0].sku_id", ""),
    _invalid("sku_id a list", "orders", "lines[0].sku_id", ["red"]),
    _invalid("product_category too long", "orders", "lines[0].product_category", "é" * 129),
)

_OPTIONAL = (
    _invalid("status unknown", "orders", "status", "shipped"),
    _invalid("status in capitals", "orders", "status", "PLACED"),
    _invalid("status a number", "orders", "status", 1),
    _invalid("status empty", "orders", "status", ""),
    _invalid("room_id empty", "orders", "room_id", ""),
    _invalid("room_id a fraction", "orders", "room_id", 1.25),
    _invalid("event_id a list", "orders", "event_id", []),
    _invalid("return_id missing", "returns", "return_id", _DROP),
    _invalid("quantity 0", "returns", "quantity", 0),
    _invalid("quantity as text", "returns", "quantity", "1"),
    _invalid("reason a number", "returns", "reason", 7),
    _invalid("naive time", "returns", "occurred_at", "2026-11-11T12:00:00"),
    _invalid("complaint_id missing", "complaints", "complaint_id", _DROP),
    _invalid("category unknown", "complaints", "category", "rude"),
    _invalid("category in capitals", "complaints", "category", "Quality"),
    _invalid("text a number", "complaints", "text", 42),
    _invalid("text an object", "complaints", "text", {"body": "it broke"}),
    _invalid("product_id missing", "complaints", "product_id", _DROP),
    _invalid("on_hand missing", "stock-levels", "on_hand", _DROP),
    _invalid("on_hand null", "stock-levels", "on_hand", None),
    _invalid("on_hand a fraction", "stock-levels", "on_hand", 10.5),
    _invalid("on_hand as text", "stock-levels", "on_hand", "10"),
    _invalid("on_hand over a billion", "stock-levels", "on_hand", 1_000_000_001),
    _invalid("on_hand under minus a billion", "stock-levels", "on_hand", -1_000_000_001),
    _invalid("reserved negative", "stock-levels", "reserved", -1),
    _invalid("reserved as text", "stock-levels", "reserved", "0"),
    _invalid("safety_stock negative", "stock-levels", "safety_stock", -1),
    _raw("on_hand true", _replaced(b"10", b"true", "stock-levels"), "invalid", "on_hand", "stock-levels"),
    _invalid("date only", "stock-levels", "occurred_at", "2026-11-11"),
    _invalid("action unknown", "commands", "action", "stop"),
    _invalid("action missing", "commands", "action", _DROP),
    _invalid("actor missing", "commands", "actor", _DROP),
    _invalid("actor with a line feed", "commands", "actor", "ann\nrule"),
    _invalid("reason missing", "commands", "reason", _DROP),
    _invalid("reason of 2,001 characters", "commands", "reason", "x" * 2_001),
    _invalid("naive time", "commands", "issued_at", "2026-11-11T12:00:00"),
    _invalid("naive expiry", "commands", "expires_at", "2026-11-11T13:00:00"),
    _invalid("expiry in 2100", "commands", "expires_at", "2100-01-01T00:00:00Z"),
    _invalid("expected_sequence as text", "commands", "expected_sequence", "7"),
    _invalid("expected_sequence negative", "commands", "expected_sequence", -1),
    _invalid("version missing", "rules", "version", _DROP),
    _invalid("version as text", "rules", "version", "1"),
    _invalid("version negative", "rules", "version", -1),
    _invalid("rules missing", "rules", "rules", _DROP),
    _invalid("kind unknown", "rules", "rules[0].kind", "return_surge"),
    _invalid("limit unknown", "rules", "rules[0].windw", "60m"),
    _invalid("limit out of bounds", "rules", "rules[0].more_than", -1),
    _invalid("a rule twice", "rules", "rules", [{"id": "surge", "kind": "complaint_surge"}] * 2),
)

_TOO_LARGE = (
    _raw("1 MiB and a byte", json.dumps(GOOD["orders"]).encode().ljust(1_048_577), "too_large"),
    _raw("2 MiB of spaces around it", json.dumps(GOOD["orders"]).encode() + b" " * 2_097_152, "too_large"),
    _raw("2 MiB of noise", b"\xff" * 2_097_152, "too_large"),
    Malformed(
        "complaints: a text of 3 MiB",
        "complaints",
        json.dumps({**GOOD["complaints"], "text": "x" * 3_145_728}).encode(),
        "too_large",
    ),
)

_FUTURE = (
    _ahead("orders", "occurred_at", TS + FIVE_MINUTES_MS + 1),
    _ahead("orders", "occurred_at", "2026-11-11T12:05:00.001Z"),
    _ahead("orders", "occurred_at", "2099-12-31T23:59:59.999Z"),
    _ahead("returns", "occurred_at", "2026-11-11T12:30:00+00:00"),
    _ahead("complaints", "occurred_at", "2027-11-11T12:00:00Z"),
    _ahead("stock-levels", "occurred_at", "2026-11-11T12:05:01Z"),
    _ahead("commands", "issued_at", "2026-11-12T12:00:00Z"),
)

MALFORMED: Final[tuple[Malformed, ...]] = (
    *_EMPTY,
    *_NOT_JSON,
    *_NO_OBJECT,
    *_IDS,
    *_TIMES,
    *_QUANTITIES,
    *_LINES,
    *_OPTIONAL,
    *_TOO_LARGE,
    *_FUTURE,
)
