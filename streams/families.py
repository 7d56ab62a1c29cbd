"""Families of Prometheus made of plain numbers, at the moment at which they are asked for."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from streams.histogram import Histogram


def counter(name: str, documentation: str, value: float) -> CounterMetricFamily:
    """Return a counter without labels; ``name`` without ``_total``."""
    return CounterMetricFamily(name, documentation, value=value)


def counters(
    name: str, documentation: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> CounterMetricFamily:
    """Return a counter for each tuple of label values; ``name`` without ``_total``."""
    family = CounterMetricFamily(name, documentation, labels=labels)
    for given, value in sorted(values.items()):
        family.add_metric(given, value)
    return family


def gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, documentation, value=value)


def gauges(
    name: str, documentation: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    """Return a gauge for each tuple of label values."""
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for given, value in sorted(values.items()):
        family.add_metric(given, value)
    return family


def histogram(name: str, documentation: str, values: Histogram) -> HistogramMetricFamily:
    """Return a histogram: cumulative buckets and the sum."""
    bounds = [*(repr(float(bound)) for bound in values.bounds), "+Inf"]
    return HistogramMetricFamily(
        name,
        documentation,
        buckets=list(zip(bounds, accumulate(values.counts), strict=True)),
        sum_value=values.sum,
    )


def yes(word: object) -> str:
    """Return a truth as a label has it."""
    return "true" if word else "false"
