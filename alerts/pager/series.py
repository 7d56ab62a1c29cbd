"""The pager's series about fuses and products, made when Prometheus asks. Their number is bounded by `Overview`."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from alerts.pager.overview import OpenFuse, Overview
from schemas.events import WatchlistEntry

OVERFLOW: Final = "overflow"
"""Stands for the products that are not shown one by one."""


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
        fuses, others = self._overview.fuses()
        watched, others_nearness = self._overview.riskiest()
        yield _open(fuses, others)
        yield from _limits(fuses, watched)
        yield _nearness(watched, others_nearness)
        yield from _stock(watched)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return nothing: the families are known when they are collected."""
        return ()


def _open(fuses: list[OpenFuse], others: int) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livefuse_product_fuse_open",
        'Products with an open fuse: 1. Of more than 500 the others are counted under "overflow".',
        labels=["product_id", "sku_id", "rule", "severity", "room_id"],
    )
    for each in fuses:
        family.add_metric([each.product_id, each.sku_id or "", each.rule, each.severity, each.room_id or ""], 1)
    if others:
        family.add_metric([OVERFLOW, "", "", "", ""], others)
    return family


def _limits(fuses: list[OpenFuse], watched: list[WatchlistEntry]) -> Iterator[GaugeMetricFamily]:
    """Yield measured values and limits. Of several SKUs the one that comes first counts: the newest, or the nearest."""
    found: dict[tuple[str, str], tuple[float, float | None]] = {}
    shown: list[OpenFuse | WatchlistEntry] = [*fuses, *watched]
    for each in shown:
        if each.measured is not None:
            found.setdefault((each.product_id, each.rule), (each.measured, each.limit))
    measured = GaugeMetricFamily(
        "livefuse_product_measured",
        "What a rule measured: at the opening of the fuse, or now for a product near a limit.",
        labels=["product_id", "rule"],
    )
    limits = GaugeMetricFamily(
        "livefuse_product_limit", "The limit that it was held against.", labels=["product_id", "rule"]
    )
    for labels, (value, limit) in found.items():
        measured.add_metric(labels, value)
        if limit is not None:
            limits.add_metric(labels, limit)
    yield measured
    yield limits


def _nearness(watched: list[WatchlistEntry], others: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "livefuse_product_nearness_ratio",
        'How near the 20 riskiest products are to a limit, 1 is the limit. The sum of the others: "overflow".',
        labels=["product_id", "sku_id", "rule"],
    )
    for each in watched:
        family.add_metric([each.product_id, each.sku_id or "", each.rule], each.nearness)
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
