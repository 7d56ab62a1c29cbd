"""The pager's series about fuses and products, made when Prometheus asks. Their number is bounded by `Overview`."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from alerts.pager.overview import OpenFuse, Overview, Shown
from schemas.events import WatchlistEntry

OVERFLOW: Final = "overflow"
"""Stands for the products that are not shown one by one."""

_RISK: Final = ("product_id", "sku_id", "rule")


class FuseSeries(Collector):
    """Collects from an overview."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all families."""
        counts = GaugeMetricFamily(
            "livefuse_open_fuses", "Open fuses of all products.", labels=["rule", "severity", "shadow"]
        )
        for each, count in sorted(self._overview.counts.items()):
            counts.add_metric([each.rule, each.severity, str(each.shadow).lower()], count)
        yield counts
        yield GaugeMetricFamily(
            "livefuse_paused_products",
            "Products that are paused, or of which a SKU is.",
            value=len(self._overview.paused),
        )
        shown = self._overview.shown()
        watched, others_nearness = self._overview.riskiest()
        yield _open(shown)
        yield _opened(shown.fuses)
        yield _overrides(shown)
        yield from _limits(shown.fuses, watched)
        yield _nearness(watched, others_nearness)
        yield from _stock(watched)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing: the families are known when they are collected."""
        return ()


def _open(shown: Shown) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livefuse_product_fuse_open",
        'Products with an open fuse: 1. Of more than 500 the others are counted under "overflow".',
        labels=["product_id", "sku_id", "rule", "severity", "room_id"],
    )
    for each in shown.fuses:
        family.add_metric([*_risk(each), each.severity, each.room_id or ""], 1)
    if shown.other_fuses:
        family.add_metric([OVERFLOW, "", "", "", ""], shown.other_fuses)
    return family


def _opened(fuses: list[OpenFuse]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livefuse_product_fuse_opened_timestamp_seconds", "When each of these fuses opened.", labels=_RISK
    )
    for each in fuses:
        family.add_metric(_risk(each), each.since / 1000)
    return family


def _overrides(shown: Shown) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livefuse_product_override",
        "An operator's word that beats the fuses of a product, while it holds: 1. Others are counted under"
        ' "overflow".',
        labels=["product_id", "state"],
    )
    for each in shown.overrides:
        family.add_metric([each.product_id, each.state], 1)
    for state, count in sorted(shown.other_overrides.items()):
        family.add_metric([OVERFLOW, state], count)
    return family


def _limits(fuses: list[OpenFuse], watched: list[WatchlistEntry]) -> Iterator[GaugeMetricFamily]:
    """Yield measured values and limits; of a fuse that is open and watched, those of its opening."""
    measured = GaugeMetricFamily(
        "livefuse_product_measured",
        "What a rule measured: at the opening of the fuse, or now for a product near a limit.",
        labels=_RISK,
    )
    limits = GaugeMetricFamily("livefuse_product_limit", "The limit that it was held against.", labels=_RISK)
    entries: list[OpenFuse | WatchlistEntry] = [*watched, *fuses]
    for labels, each in {tuple(_risk(each)): each for each in entries}.items():
        if each.measured is not None:
            measured.add_metric(labels, each.measured)
        if each.limit is not None:
            limits.add_metric(labels, each.limit)
    yield measured
    yield limits


def _nearness(watched: list[WatchlistEntry], others: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livefuse_product_nearness_ratio",
        'How near the 20 riskiest products are to a limit, 1 is the limit. The sum of the others: "overflow".',
        labels=_RISK,
    )
    for each in watched:
        family.add_metric(_risk(each), each.nearness)
    if others:
        family.add_metric([OVERFLOW, "", ""], others)
    return family


def _stock(watched: list[WatchlistEntry]) -> Iterator[GaugeMetricFamily]:
    available = GaugeMetricFamily(
        "livefuse_product_available", "Units left of the riskiest products.", labels=["product_id", "sku_id"]
    )
    seconds_left = GaugeMetricFamily(
        "livefuse_product_seconds_left",
        "Seconds until a risky product is sold out, at its present rate.",
        labels=["product_id", "sku_id"],
    )
    # A product that two over-sell rules watch is there twice, with the same stock.
    for (product_id, sku_id), each in {(each.product_id, each.sku_id): each for each in watched[::-1]}.items():
        if each.available is not None:
            available.add_metric([product_id, sku_id or ""], each.available)
        if each.seconds_left is not None:
            seconds_left.add_metric([product_id, sku_id or ""], each.seconds_left)
    yield available
    yield seconds_left


def _risk(each: OpenFuse | WatchlistEntry) -> list[str]:
    """Return the values of the labels `_RISK`."""
    return [each.product_id, each.sku_id or "", each.rule]
