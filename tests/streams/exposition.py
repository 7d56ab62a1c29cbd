"""What Prometheus reads of a collector, and what its labels may be."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


def shown(collector: Collector) -> dict[str, float]:
    """Return the values by name and labels as the text format writes them, labels by name."""
    registry = CollectorRegistry()
    registry.register(collector)
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def of(values: dict[str, float], name: str) -> dict[str, float]:
    """Return the values of one metric by their labels, without braces."""
    return {
        series.removeprefix(name).strip("{}"): value
        for series, value in values.items()
        if series.partition("{")[0] == name
    }


def label_values(collectors: Iterable[Collector]) -> set[str]:
    """Return every value of every label, but the bounds of histograms."""
    registry = CollectorRegistry()
    for each in collectors:
        registry.register(each)
    return {
        value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        for label, value in sample.labels.items()
        if label != "le"
    }
