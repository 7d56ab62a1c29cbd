"""A simulated sale: the same again for the same seed, true to the contract, as eventful as its labels say."""

import dataclasses
import io
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Final

import orjson
import pytest
from pydantic import BaseModel

from deploy.simulator import CaptureRecord, Label, Sale, SaleConfig, capture, labels, simulate
from schemas.errors import CaptureError, ConfigurationError
from schemas.parse import Refusal, describe
from schemas.records import Complaint, Order, Return, StockLevel
from schemas.rules import DEFAULT_RULES
from schemas.times import from_ms, to_ms
from schemas.topics import TopicNames
from streams.engine.partition import Partition
from streams.intake.parse import read, readers
from streams.merge import Merge

HOUR_MS: Final = 3_600_000
NAMES: Final = TopicNames()
MODELS: Final[dict[str, type[BaseModel]]] = {
    NAMES.orders: Order,
    NAMES.returns: Return,
    NAMES.complaints: Complaint,
    NAMES.stock_levels: StockLevel,
}

SHORT: Final = SaleConfig(seed=7, duration=timedelta(minutes=12), products=300)
TWO_HOURS: Final = SaleConfig(seed=11, products=100, orders_per_second=1)
DEMO: Final = SaleConfig.demo(datetime(2026, 5, 5, 10, 7, 3, 250_000, tzinfo=UTC), seed=3)


def opened_fuses(records: Iterable[CaptureRecord]) -> list[tuple[str, str | None, str, str]]:
    """Merge the records as intake does, let the engine decide under the default rules, and list the fuses opened."""
    sources: defaultdict[tuple[int, int, str], list[CaptureRecord]] = defaultdict(list)
    for record in records:
        sources[NAMES.inputs.index(record.topic), record.partition, record.topic].append(record)
    merge, reader_of = Merge(), readers(NAMES)
    names = [f"{topic}/{partition}" for _, partition, topic in sorted(sources)]
    for number, (source, name) in enumerate(zip(sorted(sources), names, strict=True)):
        merge.add(name, number)
        for record in sources[source]:
            signals = read(reader_of[record.topic], record.value, record.ts, number, record.offset)
            assert not isinstance(signals, Refusal)
            merge.push(name, [(signals[0][3], signals)])
        merge.mark_caught_up(name, caught_up=True)
    partition = Partition(0, DEFAULT_RULES)
    outputs = partition.apply(names, (signal for entry in merge.take() for signal in entry[1]))
    events = [output.event for output in outputs if output.event.get("type") == "fuse.opened"]
    return sorted(
        ((event["product_id"], event["sku_id"], event["rule"], event["occurred_at"]) for event in events), key=str
    )


def expected_fuses(told: Iterable[Label]) -> list[tuple[str, str | None, str, str]]:
    return sorted(
        (
            (label.product_id, label.sku_id, label.rule, from_ms(label.at_ms))
            for label in told
            if label.at_ms is not None
        ),
        key=str,
    )


def values(records: Iterable[CaptureRecord], topic: str) -> list[dict[str, Any]]:
    """Return what the records of a topic say, with times in milliseconds, in order of event time."""
    told = [orjson.loads(record.value) for record in records if record.topic == topic]
    return sorted(({**each, "occurred_at": to_ms(each["occurred_at"])} for each in told), key=itemgetter("occurred_at"))


@pytest.fixture(scope="module")
def short() -> list[CaptureRecord]:
    return list(simulate(SHORT))


def test_the_same_config_makes_the_same_bytes_and_another_seed_others(short: list[CaptureRecord]) -> None:
    assert list(simulate(SHORT)) == short
    assert list(simulate(dataclasses.replace(SHORT, seed=8))) != short


def test_records_come_as_they_arrive_and_offsets_count_each_partition(short: list[CaptureRecord]) -> None:
    assert all(one.ts <= next_one.ts for one, next_one in pairwise(short))
    assert short[0].ts == SHORT.start_ms
    assert SHORT.end_ms is not None
    assert SHORT.end_ms - 5_000 < short[-1].ts < SHORT.end_ms
    offsets: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for record in short:
        offsets[record.topic, record.partition].append(record.offset)
    assert set(offsets) == {(topic, partition) for topic in MODELS for partition in range(4)}
    assert all(found == list(range(len(found))) for found in offsets.values())


@pytest.mark.parametrize("config", [SHORT, dataclasses.replace(DEMO, records=20_000)], ids=["show", "demo"])
def test_every_record_is_as_the_contract_has_it(config: SaleConfig) -> None:
    for record in simulate(config):
        assert describe(MODELS[record.topic], record.value) is None
        assert to_ms(orjson.loads(record.value)["occurred_at"]) <= record.ts


@pytest.mark.parametrize("count", [1, 999, 30_000])
def test_a_number_of_records_is_met_exactly(count: int) -> None:
    config = SaleConfig(duration=None, records=count, products=50, orders_per_second=500)
    assert sum(1 for _ in simulate(config)) == count


def test_a_capture_reads_back_as_what_was_written(short: list[CaptureRecord]) -> None:
    file = io.BytesIO()
    assert capture.write(short[:500], file) == 500
    lines = file.getvalue().splitlines()
    assert list(capture.read(lines)) == short[:500]
    assert list(orjson.loads(lines[0])) == ["topic", "partition", "offset", "ts", "key", "payload"]
    with pytest.raises(CaptureError, match="line 2 "):
        list(capture.read([lines[0], b'{"topic": "live.orders"}']))


@pytest.mark.parametrize(
    "config",
    [
        SHORT,
        TWO_HOURS,
        dataclasses.replace(SHORT, disorder=False, repeats=False),
        dataclasses.replace(SHORT, programme="none"),
        dataclasses.replace(DEMO, records=60_000),
    ],
    ids=["shortened", "two hours", "in order", "no incidents", "demo"],
)
def test_all_incidents_open_their_fuse_at_their_time_and_nothing_else_does(config: SaleConfig) -> None:
    sale = Sale(config)
    fuses = opened_fuses(sale.records())
    assert fuses == expected_fuses(sale.labels())


def test_the_full_show_has_incidents_of_all_kinds_and_all_traps() -> None:
    told = Sale(TWO_HOURS).labels()
    assert {(label.name, label.rule) for label in told if label.kind == "incident"} == {
        ("flash-deal-oversold", "oversell"),
        ("one-size-oversold", "oversell"),
        ("return-spike", "return-spike"),
        ("complaint-surge", "complaint-surge"),
        ("surge-completed-late", "complaint-surge"),
        ("critical-complaints", "critical-complaints"),
    }
    assert {label.name for label in told if label.kind == "trap"} == {
        "fiftieth-complaint",
        "five-critical",
        "whale-order",
        "stock-feed-glitch",
        "repeated-orders",
        "repeated-complaints",
        "repeated-returns",
        "late-complaints",
        "few-sales",
        "returns-after-show",
    }
    assert len({label.product_id for label in told}) == len(told)
    assert all((label.at_ms is None) == (label.kind == "trap") for label in told)


def test_the_51st_complaint_of_the_trap_comes_exactly_an_hour_after_the_first() -> None:
    sale = Sale(TWO_HOURS)
    product_id = next(label.product_id for label in sale.labels() if label.name == "fiftieth-complaint")
    times = [
        each["occurred_at"] for each in values(sale.records(), NAMES.complaints) if each["product_id"] == product_id
    ]
    assert len(times) == 51
    assert times[-1] - times[0] == HOUR_MS


def test_the_demo_opens_a_fuse_of_each_rule_within_80_seconds() -> None:
    sale = Sale(dataclasses.replace(DEMO, records=15_000))
    assert sum(1 for _ in sale.records()) == 15_000
    first: dict[str, float] = {}
    for label in sale.labels():
        if label.at_ms is not None:
            first.setdefault(label.rule, (label.at_ms - DEMO.start_ms) / 1000)
    assert first["oversell"] < 12
    assert first["critical-complaints"] < 22
    assert first["complaint-surge"] < 42
    assert first["return-spike"] < 80


def test_labels_of_a_sale_that_records_end_are_those_of_what_has_happened() -> None:
    sale = Sale(dataclasses.replace(DEMO, records=12_000))
    assert sale.labels() == ()
    last = list(sale.records())[-1]
    assert sale.labels()
    assert all(label.at_ms is None or label.at_ms <= last.ts for label in sale.labels())


def test_labels_are_written_as_json_lines() -> None:
    told = Sale(SHORT).labels()
    file = io.BytesIO()
    assert labels.write(told, file) == len(told)
    lines = [orjson.loads(line) for line in file.getvalue().splitlines()]
    assert list(lines[0]) == ["product_id", "sku_id", "rule", "kind", "name", "note", "at"]
    assert {line["at"] for line in lines if line["kind"] == "trap"} == {None}
    assert all(to_ms(line["at"]) for line in lines if line["kind"] == "incident")


def test_without_disorder_and_repeats_all_is_in_order_and_once() -> None:
    records = list(simulate(dataclasses.replace(SHORT, disorder=False, repeats=False)))
    assert all(to_ms(orjson.loads(record.value)["occurred_at"]) == record.ts for record in records)
    assert len({(record.topic, record.value) for record in records}) == len(records)


def test_with_them_some_records_are_late_and_some_come_twice(short: list[CaptureRecord]) -> None:
    late = [record for record in short if to_ms(orjson.loads(record.value)["occurred_at"]) < record.ts - 1_000]
    assert {record.topic for record in late} == set(MODELS)
    assert len({(record.topic, record.value) for record in short}) < len(short)


def test_the_opening_is_a_rush_and_the_best_seller_stands_out(short: list[CaptureRecord]) -> None:
    orders = values(short, NAMES.orders)
    opening = sum(each["occurred_at"] < SHORT.start_ms + 10_000 for each in orders) / 10
    later = sum(each["occurred_at"] > SHORT.start_ms + 300_000 for each in orders) / (12 * 60 - 300)
    assert opening > 3 * later
    sold: defaultdict[str, int] = defaultdict(int)
    for each in orders:
        for line in each["lines"]:
            sold[line["product_id"]] += line["quantity"]
    ranking = sorted(sold.values(), reverse=True)
    assert ranking[0] > 10 * ranking[len(ranking) // 2]
    assert any(len(each["lines"]) > 1 for each in orders)
    assert {line["product_category"] for each in orders for line in each["lines"]} == {
        "apparel",
        "beauty",
        "food",
        "electronics",
        "home",
    }


def unique(told: list[dict[str, Any]], *fields: str) -> list[dict[str, Any]]:
    return list({tuple(each.get(name) for name in fields): each for each in told}.values())


@pytest.mark.parametrize("rate", [3.0, 40.0])
def test_what_is_not_an_incident_stays_far_from_every_limit(rate: float) -> None:
    config = SaleConfig(seed=5, duration=timedelta(minutes=65), products=40, orders_per_second=rate, programme="none")
    records = list(simulate(config))
    stock_stays_high(records)

    sold: defaultdict[str, list[int]] = defaultdict(list)
    for order in unique(values(records, NAMES.orders), "order_id", "status"):
        if order["status"] == "placed":
            for line in order["lines"]:
                sold[line["product_id"]] += [order["occurred_at"]] * line["quantity"]
    returned, complained, critical = (defaultdict[str, list[int]](list) for _ in range(3))
    for each in unique(values(records, NAMES.returns), "return_id"):
        returned[each["product_id"]].append(each["occurred_at"])
    for each in unique(values(records, NAMES.complaints), "complaint_id"):
        complained[each["product_id"]].append(each["occurred_at"])
        if each["category"] in {"food_safety", "allergy", "counterfeit"}:
            critical[each["product_id"]].append(each["occurred_at"])
    assert returned
    assert complained
    assert all(most_in_an_hour(times) <= 20 for times in complained.values())
    assert all(most_in_an_hour(times) <= 2 for times in critical.values())
    for product_id, times in returned.items():
        for number, at_ms in enumerate(times):
            units = number + 1 - bisect_left(times, at_ms - HOUR_MS)
            bought = bisect_left(sold[product_id], at_ms) - bisect_left(sold[product_id], at_ms - HOUR_MS)
            assert units < 5 or units < 0.08 * bought


def most_in_an_hour(times: list[int]) -> int:
    return max(number + 1 - bisect_left(times, at_ms - HOUR_MS) for number, at_ms in enumerate(times))


def stock_stays_high(records: list[CaptureRecord]) -> None:
    """Follow each SKU from level to level: what sold in between is missing, or it was topped up; it is never short."""
    moved: defaultdict[tuple[str, str | None], list[tuple[int, int]]] = defaultdict(list)
    for order in unique(values(records, NAMES.orders), "order_id", "status"):
        sign = 1 if order["status"] == "cancelled" else -1
        for line in order["lines"]:
            moved[line["product_id"], line.get("sku_id")].append((order["occurred_at"], sign * line["quantity"]))
    told = sorted(values(records, NAMES.stock_levels), key=lambda each: (each["product_id"], each.get("sku_id") or ""))
    arrived = records[-1].ts - 125_000  # What was ordered before may still be on its way when the sale ends.
    for sku, levels in groupby(told, lambda each: (each["product_id"], each.get("sku_id"))):
        for level, next_level in pairwise(levels):
            first, last = (bisect_left(moved[sku], (each["occurred_at"],)) for each in (level, next_level))
            left = level["on_hand"] + sum(units for _, units in moved[sku][first:last])
            assert left > 500
            if next_level["occurred_at"] < arrived:
                assert next_level["on_hand"] == left or next_level["on_hand"] > 1.5 * left


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"start": datetime(2026, 11, 11)}, "time zone"),  # noqa: DTZ001 (the error is the point)
        ({"duration": timedelta(0)}, "lasts"),
        ({"records": 0}, "1 record"),
        ({"products": 3}, "products"),
        ({"orders_per_second": 0}, "orders_per_second"),
        ({"peak_factor": 0.5}, "peak_factor"),
        ({"partitions": 0}, "partitions"),
        ({"flash_every": timedelta(0)}, "flash"),
    ],
)
def test_a_sale_that_makes_no_sense_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        dataclasses.replace(SHORT, **change)
