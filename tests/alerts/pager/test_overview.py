"""The series about products, and that there are never many of them."""

from typing import Literal

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from alerts.pager.overview import MOST_PRODUCTS, RISKIEST, Overview
from alerts.pager.series import OVERFLOW, FuseSeries
from schemas.events import Cause, FuseEntry, FuseState, OverrideInForce, Paused, Watchlist, WatchlistEntry
from tests.alerts.pager.wall_clock import NOON_MS

PRODUCTS = 100_000
Series = dict[str, list[tuple[dict[str, str], float]]]


def word(state: Literal["paused", "allowed"], since: int = NOON_MS) -> OverrideInForce:
    return OverrideInForce(state=state, until=None, actor="operator:jo", reason="recall", since=since)


def state(
    product_id: str, *fuses: FuseEntry, paused: bool = True, override: OverrideInForce | None = None
) -> FuseState:
    return FuseState(
        product_id=product_id,
        sequence=1,
        room_id="r1",
        paused=Paused(product=paused, skus=()),
        override=override,
        fuses=fuses,
    )


def fuse(rule: str = "complaint-surge", **changes: object) -> FuseEntry:
    data = {
        "rule": rule,
        "sku_id": None,
        "state": "open",
        "epoch": 1,
        "shadow": False,
        "severity": "warning",
        "since": NOON_MS,
        "acknowledged_by": None,
        "due": None,
        "cause": Cause(measured=51, limit=50),
    }
    return FuseEntry.model_validate(data | changes)


def near(product_id: str, nearness: float, **changes: object) -> WatchlistEntry:
    data = {
        "product_id": product_id,
        "sku_id": None,
        "rule": "oversell",
        "nearness": nearness,
        "measured": 300,
        "limit": 249,
        "available": 300,
        "seconds_left": 3.6,
    }
    return WatchlistEntry.model_validate(data | changes)


def collected(overview: Overview) -> Series:
    registry = CollectorRegistry()
    registry.register(FuseSeries(overview))
    return {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(generate_latest(registry).decode())
    }


def test_a_product_has_series_while_its_fuse_is_open() -> None:
    overview = Overview()
    overview.take_state("p1", state("p1", fuse(sku_id="red", severity="critical")))
    overview.take_state("p2", state("p2", fuse(shadow=True), paused=False))
    found = collected(overview)
    labels = {"product_id": "p1", "sku_id": "red", "rule": "complaint-surge", "severity": "critical", "room_id": "r1"}
    assert found["livefuse_product_fuse_open"] == [(labels, 1)]
    which = {"product_id": "p1", "sku_id": "red", "rule": "complaint-surge"}
    assert found["livefuse_product_measured"] == [(which, 51)]
    assert found["livefuse_product_limit"] == [(which, 50)]
    assert found["livefuse_product_fuse_opened_timestamp_seconds"] == [(which, NOON_MS / 1000)]
    assert found["livefuse_product_override"] == []
    assert found["livefuse_paused_products"] == [({}, 1)]
    assert sorted((each["shadow"], value) for each, value in found["livefuse_open_fuses"]) == [
        ("false", 1),
        ("true", 1),
    ]
    overview.take_state("p1", state("p1", fuse(sku_id="red", severity="critical", state="closed"), paused=False))
    overview.take_state("p2", None)
    found = collected(overview)
    assert found["livefuse_product_fuse_open"] == found["livefuse_product_measured"] == []
    assert found["livefuse_product_fuse_opened_timestamp_seconds"] == []
    assert found["livefuse_paused_products"] == [({}, 0)]
    # A count that was there falls to 0 and does not vanish: a panel would show the last value for ever.
    assert [value for _, value in found["livefuse_open_fuses"]] == [0, 0]


def test_an_operators_word_is_there_while_it_holds() -> None:
    overview = Overview()
    overview.take_state("p1", state("p1", override=word("paused")))
    overview.take_state("p2", state("p2", fuse(), paused=False, override=word("allowed")))
    found = collected(overview)
    assert found["livefuse_product_override"] == [
        ({"product_id": "p1", "state": "paused"}, 1),
        ({"product_id": "p2", "state": "allowed"}, 1),
    ]
    assert [labels["product_id"] for labels, _ in found["livefuse_product_fuse_open"]] == ["p2"]
    assert found["livefuse_paused_products"] == [({}, 1)]
    overview.take_state("p1", state("p1", paused=False))
    overview.take_state("p2", None)
    assert collected(overview)["livefuse_product_override"] == []


def test_each_sku_has_what_was_measured_of_it() -> None:
    overview = Overview()
    red, blue = (fuse(sku_id=name, cause=Cause(measured=level, limit=9)) for name, level in (("red", 3), ("blue", 8)))
    overview.take_state("p1", state("p1", red, blue))
    # A list that is older than the opening: the fuse knows better.
    entries = (near("p1", 0.9, rule="complaint-surge", sku_id="red"), near("p1", 0.8, sku_id="red"))
    overview.take_watchlist(0, Watchlist(as_of=NOON_MS, partition=0, products=entries))
    found = collected(overview)
    assert len(found["livefuse_product_fuse_open"]) == 2
    measured = {(labels["rule"], labels["sku_id"]): value for labels, value in found["livefuse_product_measured"]}
    assert measured == {("complaint-surge", "red"): 3, ("complaint-surge", "blue"): 8, ("oversell", "red"): 300}


def test_the_riskiest_of_all_partitions_are_shown_and_the_rest_is_a_sum() -> None:
    overview = Overview()
    for partition in range(3):
        entries = [near(f"p{partition}-{number}", (number + 1) / 20) for number in range(20)]
        overview.take_watchlist(partition, Watchlist(as_of=NOON_MS, partition=partition, products=tuple(entries)))
    found = collected(overview)
    nearness = {labels["product_id"]: value for labels, value in found["livefuse_product_nearness_ratio"]}
    rest = nearness.pop(OVERFLOW)
    assert len(nearness) == RISKIEST
    assert min(nearness.values()) == 0.7
    assert rest == pytest.approx(31.5 - sum(nearness.values()))
    assert len(found["livefuse_product_available"]) == len(found["livefuse_product_seconds_left"]) == RISKIEST
    overview.take_watchlist(1, None)
    overview.take_watchlist(2, Watchlist(as_of=NOON_MS, partition=2, products=()))
    assert not any(
        labels["product_id"] == OVERFLOW for labels, _ in collected(overview)["livefuse_product_nearness_ratio"]
    )


def test_what_does_not_sell_has_no_seconds_left() -> None:
    overview = Overview()
    entries = (near("p1", 0.9, seconds_left=None), near("p2", 0.8, rule="x", available=None, seconds_left=None))
    overview.take_watchlist(0, Watchlist(as_of=NOON_MS, partition=0, products=entries))
    found = collected(overview)
    assert [labels["product_id"] for labels, _ in found["livefuse_product_available"]] == ["p1"]
    assert found["livefuse_product_seconds_left"] == []


def test_a_hundred_thousand_products_make_few_series() -> None:
    overview = Overview()
    warning, critical, one = fuse(), fuse(severity="critical"), state("p", fuse())
    words = 0
    for number in range(PRODUCTS):
        name = f"p{number}"
        opened = (critical if number % 1000 == 0 else warning).model_copy(update={"since": NOON_MS + number})
        said = word("paused", NOON_MS + number) if number % 100 == 0 and number < PRODUCTS // 10 else None
        words += said is not None
        overview.take_state(name, one.model_copy(update={"product_id": name, "fuses": (opened,), "override": said}))
    entry, watchlist = near("w", 0.5), Watchlist(as_of=NOON_MS, partition=0, products=())
    for partition in range(PRODUCTS // 20):
        names = (f"w{partition}-{number}" for number in range(20))
        entries = tuple(entry.model_copy(update={"product_id": name}) for name in names)
        overview.take_watchlist(partition, watchlist.model_copy(update={"products": entries}))
    found = collected(overview)
    shown = {labels["product_id"]: (labels["severity"], value) for labels, value in found["livefuse_product_fuse_open"]}
    assert shown.pop(OVERFLOW) == ("", PRODUCTS - (MOST_PRODUCTS - words))
    assert len(shown) + len(found["livefuse_product_override"]) == MOST_PRODUCTS
    # All the critical ones are among them, then all that operators have said, then the newest.
    assert sum(severity == "critical" for severity, _ in shown.values()) == PRODUCTS // 1000
    assert len(found["livefuse_product_override"]) == words == 100
    assert f"p{PRODUCTS - 1}" in shown
    assert len(found["livefuse_product_fuse_opened_timestamp_seconds"]) == len(shown)
    assert len(found["livefuse_product_measured"]) == len(shown) + RISKIEST
    assert len(found["livefuse_product_nearness_ratio"]) == RISKIEST + 1
    assert sum(len(samples) for samples in found.values()) < 4 * MOST_PRODUCTS + 6 * RISKIEST
    assert found["livefuse_paused_products"] == [({}, PRODUCTS)]
    allowed = state("p", override=word("allowed"))
    for number in range(PRODUCTS):
        overview.take_state(f"p{number}", allowed.model_copy(update={"product_id": f"p{number}"}))
    found = collected(overview)
    counts = {
        (labels["product_id"] == OVERFLOW, labels["state"]): value
        for labels, value in found["livefuse_product_override"]
    }
    assert counts == {(False, "allowed"): 1, (True, "allowed"): PRODUCTS - MOST_PRODUCTS}
    assert len(found["livefuse_product_override"]) == MOST_PRODUCTS + 1
    assert sum(len(samples) for samples in found.values()) < 4 * MOST_PRODUCTS + 6 * RISKIEST
    for number in range(PRODUCTS):
        overview.take_state(f"p{number}", None)
    for partition in range(PRODUCTS // 20):
        overview.take_watchlist(partition, None)
    assert sum(len(samples) for samples in collected(overview).values()) == 3
