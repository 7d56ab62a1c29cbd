"""The guide to capacity: its three shops are what its measured constants and its formulas give, and nothing else."""

import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from deploy.simulator.config import SaleConfig
from deploy.simulator.sale import simulate
from schemas.topics import TopicNames, topics
from streams.worker import lane

GUIDE: Final = Path(__file__).parents[1] / "docs/capacity.md"
NAMES: Final = TopicNames()
REPLICAS: Final = 3
SHOPS: Final = ("mid-size", "platform", "largest day")
ASSUMED: Final = ("orders/s", "SKUs that sell in a minute", "products", "products that sell well")
KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table below a heading by their first cell, without its head."""
    section = GUIDE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {name: values for name, *values in cells}


def number(cell: str) -> float:
    found = re.match(r"[\d,]+(\.\d+)?", cell)
    assert found, cell
    return float(found[0].replace(",", ""))


def measured() -> dict[str, float]:
    return {name: number(values[0]) for name, values in table("What was measured").items()}


def work_out(shop: dict[str, float]) -> dict[str, float]:
    """Return what the guide's formulas give for a shop of which the rows of ASSUMED are given."""
    m = measured()
    orders, levels = shop["orders/s"], shop["SKUs that sell in a minute"] / 60
    known, well = shop["products"], shop["products that sell well"]
    records = orders * m["records of an order"] + levels
    signals = orders * m["signals of an order"] + levels
    intakes = max(2, math.ceil(records / (m["records of an intake"] / 2)))
    workers = max(2, math.ceil(signals / (m["signals of a worker"] / 2)))
    partitions = 2 ** math.ceil(math.log2(4 * workers))
    frames = signals * m["bytes of a signal"]
    hot = well * m["state of a product that sells well"] * KIB
    checkpoint_s = min(
        hot / workers / (m["states that a worker stores"] * MIB),
        m["frames behind a checkpoint"] * MIB / (2 * frames / workers),
    )
    states = hot / checkpoint_s
    kept = known * m["state of a product"] + hot
    memory = (
        workers * m["memory of a process"] * MIB
        + known / 1e6 * m["memory of a million products"] * MIB
        + well * m["memory of a product that sells well"] * KIB
    )
    return {
        "records/s": records,
        "signals/s": signals,
        "intakes": intakes,
        "workers": workers,
        "partitions": partitions,
        "memory of all workers, GiB": memory / GIB,
        "frames, MiB/s": frames / MIB,
        "states, MiB/s": states / MIB,
        "into the brokers, MiB/s": (frames + states) / MIB,
        "between the brokers, MiB/s": (REPLICAS - 1) * (frames + states) / MIB,
        "out of the brokers, MiB/s": (records * m["bytes of a record"] + frames) / MIB,
        "disk for signals, TiB": frames * retention(NAMES.signals).total_seconds() * REPLICAS / TIB,
        "disk for states, GiB": REPLICAS * (0.1 * partitions + 2 * kept / GIB),
    }


def retention(topic: str) -> timedelta:
    found = next(each.retention for each in topics(NAMES, 4) if each.name == topic)
    assert found is not None
    return found


def written(name: str, value: float) -> str:
    """Return a value as the table has it: whole things in full, all else with two digits."""
    if name in {"intakes", "workers", "partitions"}:
        return f"{int(value):,}"
    rounded = float(f"{value:.2g}")
    return f"{int(rounded):,}" if rounded >= 10 else f"{rounded:g}"


@pytest.mark.parametrize("place", range(len(SHOPS)), ids=SHOPS)
def test_the_table_follows_from_what_was_measured(place: int) -> None:
    shops = table("Three shops")
    given = {name: number(shops[name][place]) for name in ASSUMED}
    expected = {name: written(name, value) for name, value in work_out(given).items()}
    assert {name: values[place] for name, values in shops.items() if name not in ASSUMED} == expected


def test_the_limits_of_checkpoints_are_those_of_the_worker() -> None:
    m = measured()
    assert m["states that a worker stores"] * MIB == lane._STATE_BYTES_PER_S  # noqa: SLF001
    assert m["frames behind a checkpoint"] * MIB == lane._MANY_BYTES  # noqa: SLF001


def test_an_order_makes_as_many_records_and_signals_as_in_a_simulated_sale() -> None:
    start = datetime(2026, 11, 11, 12, tzinfo=UTC)
    config = SaleConfig(
        start=start, duration=timedelta(minutes=10), orders_per_second=100, peak_factor=1, programme="demo"
    )
    records: Counter[str] = Counter()
    signals = 0
    orders = set()
    for record in simulate(config):
        if record.topic == NAMES.stock_levels:
            continue
        records[record.topic] += 1
        signals += record.value.count(b'"product_id":')
        if record.topic == NAMES.orders:
            orders.add(record.key)
    assert records.total() / len(orders) == pytest.approx(measured()["records of an order"], rel=0.03)
    assert signals / len(orders) == pytest.approx(measured()["signals of an order"], rel=0.03)
