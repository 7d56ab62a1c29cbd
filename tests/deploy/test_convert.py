"""The conversion of the Online Retail data set: nothing is lost, only the stock trace is made up, all is counted."""

import csv
import lzma
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from pydantic import BaseModel

from deploy.convert import ConversionError, ConversionSummary, convert_online_retail, online_retail_records
from schemas.parse import describe
from schemas.records import Order, Return, StockLevel
from schemas.times import to_ms
from schemas.topics import TopicNames

NAMES: Final = TopicNames()
MODELS: Final[dict[str, type[BaseModel]]] = {NAMES.orders: Order, NAMES.returns: Return, NAMES.stock_levels: StockLevel}
HEAD: Final = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
REAL: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "online-retail.csv.xz"

EXAMPLE: Final = f"""{HEAD}
536365,85123A,"HEART, WHITE",6.0,2010-12-01T08:26:00,2.55,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,4.0,2010-12-01T08:26:00,3.39,17850.0,United Kingdom
536365,71053,WHITE METAL LANTERN,4.0,2010-12-01T08:26:00,3.39,17850.0,United Kingdom
536365,POST,POSTAGE,1.0,2010-12-01T08:26:00,18.0,17850.0,United Kingdom
536365,84029g,RED WOOLLY HOTTIE,6.0,2010-12-01T08:27:00,3.39,17850.0,United Kingdom
536366,84029G,RED WOOLLY HOTTIE,1.0,2010-12-01T08:27:00,3.39,17850.0,United Kingdom
C536379,85123A,"HEART, WHITE",-2.0,2010-12-01T09:41:00,2.55,17850.0,United Kingdom
536414,71053,,56.0,2010-12-01T11:52:00,0.0,,United Kingdom
536589,71053,damaged,-10.0,2010-12-01T16:50:00,0.0,,United Kingdom
536600,71053,WHITE METAL LANTERN,3.0,2010-12-02T10:00:00,0.0,17850.0,United Kingdom
536600,71053,WHITE METAL LANTERN,20.0,2010-12-02T10:00:00,3.39,17850.0,United Kingdom
536601,10002,INFLATABLE GLOBE,2000000.0,2010-12-02T10:01:00,0.85,17850.0,United Kingdom
536602,10002,INFLATABLE GLOBE,1.5,2010-12-02T10:01:00,0.85,17850.0,United Kingdom
536603,10002,INFLATABLE GLOBE,-5.0,2010-12-02T10:01:00,0.85,17850.0,United Kingdom
536604,10002,INFLATABLE GLOBE,5.0,yesterday,0.85,17850.0,United Kingdom
A536605,10002,ADJUSTMENT,1.0,2010-12-02T10:01:00,0.85,17850.0,United Kingdom
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def invoice(number: str, time: str, *rows: tuple[str, int]) -> str:
    return "".join(f"{number},{code},THING,{units}.0,{time},1.0,,United Kingdom\n" for code, units in rows)


def convert(
    path: Path, summary: ConversionSummary | None = None, reserve: int = 500
) -> list[tuple[str, dict[str, Any]]]:
    """Return topic and value of each record of the capture."""
    lines = map(orjson.loads, convert_online_retail(path, summary, reserve=reserve))
    return [(line["topic"], orjson.loads(line["payload"])) for line in lines]


def of(topic: str, told: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [value for name, value in told if name == topic]


LATER: Final = invoice("1", "2010-12-02T08:00:00", ("10002", 1))
EARLIER: Final = invoice("2", "2010-12-01T08:00:00", ("10002", 1))


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return write(tmp_path / "example.csv", EXAMPLE)


def test_an_invoice_is_an_order_with_its_lines_as_they_are(example: Path) -> None:
    first, *_ = of(NAMES.orders, convert(example))
    assert first == {
        "order_id": "536365",
        "occurred_at": "2010-12-01T08:26:00Z",
        "lines": [
            {"product_id": "85123A", "quantity": 6},
            {"product_id": "71053", "quantity": 4},
            {"product_id": "71053", "quantity": 4},
        ],
    }


def test_lines_of_another_minute_make_another_order_and_codes_are_upper_cased(example: Path) -> None:
    orders = of(NAMES.orders, convert(example))
    assert [(order["order_id"], order["lines"]) for order in orders[1:3]] == [
        ("536365#2", [{"product_id": "84029G", "quantity": 6}]),
        ("536366", [{"product_id": "84029G", "quantity": 1}]),
    ]


def test_more_than_200_lines_are_split_and_ids_stay_apart(tmp_path: Path) -> None:
    rows = [(f"{10_000 + number}", 1 + number % 3) for number in range(450)]
    path = write(tmp_path / "long.csv", f"{HEAD}\n{invoice('573585', '2011-10-31T14:41:00', *rows)}")
    orders = of(NAMES.orders, convert(path))
    assert [(order["order_id"], len(order["lines"])) for order in orders] == [
        ("573585", 200),
        ("573585#2", 200),
        ("573585#3", 50),
    ]
    lines = [(line["product_id"], line["quantity"]) for order in orders for line in order["lines"]]
    assert lines == rows


def test_a_row_of_a_c_invoice_is_a_return(example: Path) -> None:
    assert of(NAMES.returns, convert(example)) == [
        {
            "return_id": "C536379-7",
            "product_id": "85123A",
            "quantity": 2,
            "occurred_at": "2010-12-01T09:41:00Z",
            "reason": "cancelled invoice",
        }
    ]


def test_the_stock_trace_follows_the_movements_and_is_never_under_the_reserve(example: Path) -> None:
    levels = [
        (each["occurred_at"][5:16], each["on_hand"], each["snapshot_id"].split("-")[0])
        for each in of(NAMES.stock_levels, convert(example, reserve=100))
        if each["product_id"] == "71053"
    ]
    # 8 sold, 56 found, 10 damaged; then 3 given away and 20 sold within the first minute of the next day.
    assert levels == [
        ("12-01T08:26", 108, "opening"),
        ("12-01T11:52", 156, "movement"),
        ("12-01T16:50", 146, "movement"),
        ("12-02T10:00", 143, "opening"),
    ]


def test_what_is_left_out_is_counted_and_every_row_is_accounted_for(example: Path) -> None:
    summary = ConversionSummary()
    told = convert(example, summary)
    assert summary.left_out == {
        "no product": 1,
        "quantity out of range": 1,
        "unreadable": 2,
        "sign contradicts invoice": 1,
        "adjustment": 1,
    }
    assert summary.rows == 16
    assert summary.rows == summary.order_lines + summary.returns + summary.movements + summary.left_out.total()
    assert (summary.orders, summary.order_lines, summary.units_ordered) == (4, 6, 41)
    assert (summary.returns, summary.units_returned, summary.movements, summary.products) == (1, 2, 3, 3)
    assert summary.records == len(told)


def test_plain_and_compressed_give_the_same_capture_again_and_again(example: Path, tmp_path: Path) -> None:
    compressed = tmp_path / "example.csv.xz"
    compressed.write_bytes(lzma.compress(example.read_bytes()))
    once = list(convert_online_retail(example))
    assert list(convert_online_retail(compressed)) == once == list(convert_online_retail(example))


def test_records_are_valid_and_in_order_and_offsets_count_each_partition(example: Path) -> None:
    offsets: defaultdict[tuple[str, int], int] = defaultdict(int)
    last = 0
    for record in online_retail_records(example, partitions=2):
        assert describe(MODELS[record.topic], record.value) is None
        assert to_ms(orjson.loads(record.value)["occurred_at"]) == record.ts >= last
        assert record.offset == offsets[record.topic, record.partition]
        offsets[record.topic, record.partition] += 1
        last = record.ts
    assert {partition for _, partition in offsets} == {0, 1}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("other.csv", b"a,b\n1,2\n", "no column InvoiceNo, StockCode"),
        ("broken.csv.xz", b"no xz", "cannot be read"),
        ("cut.csv.xz", lzma.compress(EXAMPLE.encode())[:-20], "cannot be read"),
        ("latin.csv", f"{HEAD}\n1,10002,£,1,2010-12-01T08:26:00,1,,UK\n".encode("latin-1"), "cannot be read"),
        (
            "back.csv",
            f"{HEAD}\n{LATER}{EARLIER}".encode(),
            "row 2 is older",
        ),
    ],
)
def test_a_file_that_is_not_the_data_set_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConversionError, match=re.escape(said)):
        list(convert_online_retail(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"nothing\.csv"):
        list(convert_online_retail(tmp_path / "nothing.csv"))


@pytest.mark.skipif(not REAL.exists(), reason="the Online Retail data set is not here")
def test_the_real_data_set_is_all_there() -> None:
    ordered: defaultdict[str, int] = defaultdict(int)
    returned: defaultdict[str, int] = defaultdict(int)
    with lzma.open(REAL, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if re.fullmatch(r"\d{5}[A-Za-z]*", row["StockCode"]) and float(row["UnitPrice"]) > 0:
                units = int(float(row["Quantity"]))
                counted = ordered if units > 0 else returned
                counted[row["StockCode"].upper()] += abs(units)

    summary = ConversionSummary()
    lowest: defaultdict[str, int] = defaultdict(lambda: 1_000_000_000)
    incidents = []
    last = 0
    for record in online_retail_records(REAL, summary):
        value = orjson.loads(record.value)
        assert record.ts >= last
        last = record.ts
        if record.topic == NAMES.orders:
            for line in value["lines"]:
                ordered[line["product_id"]] -= line["quantity"]
                if line["quantity"] > 50_000:
                    incidents.append((value["occurred_at"], line["product_id"], line["quantity"]))
        elif record.topic == NAMES.returns:
            returned[value["product_id"]] -= value["quantity"]
            if value["quantity"] > 50_000:
                incidents.append((value["occurred_at"], value["product_id"], -value["quantity"]))
        else:
            lowest[value["product_id"]] = min(lowest[value["product_id"]], value["on_hand"])
    assert set(ordered.values()) == set(returned.values()) == {0}
    assert incidents == [
        ("2011-01-18T10:01:00Z", "23166", 74_215),
        ("2011-01-18T10:17:00Z", "23166", -74_215),
        ("2011-12-09T09:15:00Z", "23843", 80_995),
        ("2011-12-09T09:27:00Z", "23843", -80_995),
    ]
    assert len(lowest) == summary.products == 3_926
    assert min(lowest.values()) >= 500
    assert (summary.rows, summary.order_lines, summary.returns, summary.movements) == (541_909, 527_725, 8_704, 2_485)
    assert summary.left_out == {"no product": 2_995}
