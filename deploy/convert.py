"""Converts the Online Retail data set (Chen et al., 2012, doi:10.1057/dbm.2012.17) to a capture at its own times.

What its rows become. Product rows are those whose StockCode is five digits and perhaps letters; upper-cased it is the
product_id. Letters tell variants apart (85123A, 85123B), but not which codes are variants of one thing, so each code is
a product without SKUs. All other rows (postage, fees, vouchers) are left out and counted.
  - An invoice is an order with all its lines; the same product twice stays two lines. More than 200 lines, or lines of
    another minute, go into further orders: 573585, 573585#2, 573585#3.
  - A row of an invoice that begins with C is a return of its own, `<invoice>-<row of the file>`. The data does not
    tell a cancelled order from goods that came back.
  - A row of price 0 is a stock movement (damaged, written off, found) and appears in the stock trace only; with a
    customer it is goods given away, which leave the stock.

The stock trace is derived, not data: the file says what moved, never what was there. It pretends that everything was
bought before the first day: a product opens with the smallest stock with which no movement of the year takes it under
`reserve` units. So each product is at `reserve` at some time, and at no time below; how many over-sell fuses open says
as much about `reserve` as about the shop. Levels are reported for all products at the first minute of the data, at the
first minute of each trading day for those that moved on the day before, and whenever something but a sale moves.

Times have the minute's resolution and no zone: they are read as UTC.
"""

import csv
import lzma
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final, Literal, NamedTuple, TextIO
from zlib import crc32

import orjson

from deploy.simulator import capture
from deploy.simulator.capture import CaptureRecord
from schemas.errors import LivefuseError
from schemas.topics import TopicNames

RESERVE: Final = 500
PARTITIONS: Final = 4

_TOPICS: Final = TopicNames()
_COLUMNS: Final = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
_PRODUCT: Final = re.compile(r"[0-9]{5}[A-Za-z]*")
_MOST_LINES: Final = 200
_MOST_UNITS: Final = 1_000_000

Kind = Literal["sale", "return", "movement"]
LeftOut = Literal["no product", "unreadable", "adjustment", "sign contradicts invoice", "quantity out of range"]


class ConversionError(LivefuseError):
    """Cause: the file is not there, damaged, or not the Online Retail data set; its rows are not in order of time.

    Effect: the capture ends where the message says. Action: get the file again, or sort it by InvoiceDate.
    """

    exit_code = 2
    next_step = "Get the file again, or sort it by InvoiceDate."


@dataclass(slots=True)
class ConversionSummary:
    """What became of the rows; filled while the capture is read, right when it is exhausted.

    `rows` = order_lines + returns + movements + the sum of `left_out`, which counts rows by the reason.
    """

    rows: int = 0
    products: int = 0
    orders: int = 0
    order_lines: int = 0
    units_ordered: int = 0
    returns: int = 0
    units_returned: int = 0
    movements: int = 0
    stock_levels: int = 0
    left_out: Counter[LeftOut] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        """The records of the capture."""
        return self.orders + self.returns + self.stock_levels


class _Row(NamedTuple):
    """A product row. `units` is what it adds to the stock; `number` counts the rows of the file from 1."""

    number: int
    kind: Kind
    invoice: str
    product_id: str
    units: int
    at_ms: int


def convert_online_retail(
    path: Path, summary: ConversionSummary | None = None, *, reserve: int = RESERVE
) -> Iterator[bytes]:
    """Yield the lines of the capture, in order of time. `path` is the CSV file, plain or .xz; it is read twice.

    Raises ConversionError.
    """
    return map(capture.line, online_retail_records(path, summary, reserve=reserve))


def online_retail_records(
    path: Path, summary: ConversionSummary | None = None, *, reserve: int = RESERVE, partitions: int = PARTITIONS
) -> Iterator[CaptureRecord]:
    """Yield the records of the capture, in order of time. Their timestamp is their event time.

    Raises ConversionError.
    """
    summary = summary or ConversionSummary()
    stock = _opening_stock(path, reserve)
    summary.products = len(stock)
    offsets: Counter[tuple[str, int]] = Counter()
    for at_ms, topic, key, value in _Conversion(stock, summary).messages(_rows(path, summary)):
        partition = crc32(key) % partitions
        yield CaptureRecord(topic, partition, offsets[topic, partition], at_ms, key, value)
        offsets[topic, partition] += 1


def _opening_stock(path: Path, reserve: int) -> dict[str, int]:
    """Return for each product the smallest opening stock with which it never has less than `reserve` units."""
    moved: defaultdict[str, int] = defaultdict(int)
    lowest: defaultdict[str, int] = defaultdict(int)
    for _, minute in groupby(_rows(path, ConversionSummary()), attrgetter("at_ms")):
        touched = set()
        for row in minute:
            moved[row.product_id] += row.units
            touched.add(row.product_id)
        for product_id in touched:
            lowest[product_id] = min(lowest[product_id], moved[product_id])
    return {product_id: reserve - lowest[product_id] for product_id in moved}


class _Conversion:
    """Makes records from rows, minute by minute. A minute's records stand as intake orders them."""

    def __init__(self, stock: dict[str, int], summary: ConversionSummary) -> None:
        self._stock = stock
        self._summary = summary
        self._parts: Counter[str] = Counter()

    def messages(self, rows: Iterable[_Row]) -> Iterator[tuple[int, str, bytes, bytes]]:
        """Yield time (ms), topic, key and value of each record."""
        today = ""
        moved_today = set(self._stock)
        for at_ms, minute in groupby(rows, attrgetter("at_ms")):
            time = _text(at_ms)
            opening: set[str] = set()
            if time[:10] != today:
                today, opening, moved_today = time[:10], moved_today, set()
            by_kind: dict[Kind, list[_Row]] = {"sale": [], "return": [], "movement": []}
            for row in minute:
                by_kind[row.kind].append(row)
                moved_today.add(row.product_id)
            for topic, key, value in self._minute(time, opening, by_kind):
                yield at_ms, topic, key.encode(), orjson.dumps(value)

    def _minute(
        self, time: str, opening: set[str], rows: dict[Kind, list[_Row]]
    ) -> Iterator[tuple[str, str, dict[str, object]]]:
        yield from self._stock_levels(time, opening, rows["return"] + rows["movement"])
        for invoice, lines in _by_invoice(rows["sale"]).items():
            for first in range(0, len(lines), _MOST_LINES):
                yield self._order(time, invoice, lines[first : first + _MOST_LINES])
        for row in rows["return"]:
            yield self._return(time, row)
        self._summary.movements += len(rows["movement"])

    def _stock_levels(
        self, time: str, opening: set[str], moved: list[_Row]
    ) -> Iterator[tuple[str, str, dict[str, object]]]:
        """Yield the levels as of this minute: after what moved in it, before what sells in it.

        The rule takes off itself what is ordered at or after the second of a level.
        """
        for row in moved:
            self._stock[row.product_id] += row.units
        for product_id in sorted(opening.union(row.product_id for row in moved)):
            self._summary.stock_levels += 1
            value = {
                "product_id": product_id,
                "on_hand": self._stock[product_id],
                "occurred_at": time,
                "snapshot_id": f"{'opening' if product_id in opening else 'movement'}-{time[:16]}",
            }
            yield _TOPICS.stock_levels, product_id, value

    def _order(self, time: str, invoice: str, rows: list[_Row]) -> tuple[str, str, dict[str, object]]:
        self._parts[invoice] += 1
        order_id = invoice if self._parts[invoice] == 1 else f"{invoice}#{self._parts[invoice]}"
        lines: list[dict[str, object]] = [{"product_id": row.product_id, "quantity": -row.units} for row in rows]
        for row in rows:
            self._stock[row.product_id] += row.units
            self._summary.units_ordered -= row.units
        self._summary.orders += 1
        self._summary.order_lines += len(lines)
        return _TOPICS.orders, order_id, {"order_id": order_id, "occurred_at": time, "lines": lines}

    def _return(self, time: str, row: _Row) -> tuple[str, str, dict[str, object]]:
        self._summary.returns += 1
        self._summary.units_returned += row.units
        value: dict[str, object] = {
            "return_id": f"{row.invoice}-{row.number}",
            "product_id": row.product_id,
            "quantity": row.units,
            "occurred_at": time,
            "reason": "cancelled invoice",
        }
        return _TOPICS.returns, row.product_id, value


def _by_invoice(rows: list[_Row]) -> dict[str, list[_Row]]:
    invoices: dict[str, list[_Row]] = {}
    for row in rows:
        invoices.setdefault(row.invoice, []).append(row)
    return invoices


def _rows(path: Path, summary: ConversionSummary) -> Iterator[_Row]:
    """Yield the product rows of the file; count all of them, and those that are left out by the reason."""
    last_ms = 0
    with _open(path) as file:
        reader = csv.DictReader(file)
        if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
            raise ConversionError(f"{path} is not the Online Retail data set: it has no column {', '.join(missing)}")
        for number, fields in enumerate(reader, 1):
            summary.rows += 1
            row = _read(number, fields)
            if not isinstance(row, _Row):
                summary.left_out[row] += 1
                continue
            if row.at_ms < last_ms:
                raise ConversionError(f"{path}, row {number} is older than the row before it: sort it by InvoiceDate")
            last_ms = row.at_ms
            yield row


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    """Open the file; what goes wrong while it is read is raised as ConversionError."""
    try:
        opener = lzma.open if path.suffix == ".xz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, csv.Error) as error:
        # The text of an OSError names the path once more.
        reason = error.strerror if isinstance(error, OSError) else None
        raise ConversionError(f"{path} cannot be read: {reason or error}.") from error


def _read(number: int, fields: dict[str, str]) -> _Row | LeftOut:
    """Return the row, or why it is left out."""
    code, invoice = fields["StockCode"] or "", fields["InvoiceNo"] or ""
    if not _PRODUCT.fullmatch(code):
        return "no product"
    try:
        quantity, price = float(fields["Quantity"]), float(fields["UnitPrice"])
        at_ms = _time_ms(fields["InvoiceDate"])
    except (ValueError, TypeError):
        return "unreadable"
    if not invoice or not quantity.is_integer():
        return "unreadable"
    if not 1 <= abs(quantity) <= _MOST_UNITS:
        return "quantity out of range"
    units = int(quantity)
    if price == 0:
        return _Row(number, "movement", invoice, code.upper(), -abs(units) if fields["CustomerID"] else units, at_ms)
    if invoice[0] not in "C0123456789":
        return "adjustment"
    if (invoice[0] == "C") != (units < 0):
        return "sign contradicts invoice"
    return _Row(number, "return" if units < 0 else "sale", invoice, code.upper(), -units, at_ms)


@lru_cache(maxsize=64)
def _time_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@lru_cache(maxsize=64)
def _text(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%dT%H:%M:%S}Z"
