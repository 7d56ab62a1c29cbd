"""A histogram of plain numbers for busy loops; Prometheus sees it only when it asks."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily


class Histogram:
    """Counts of values by upper bound, the bound itself included. ``bounds`` rise; above the last one is one more."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum: float = 0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """Return how many values there were."""
        return sum(self.counts)

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        """Return what Prometheus asks for: cumulative buckets and the sum."""
        bounds = [*(repr(float(bound)) for bound in self.bounds), "+Inf"]
        return HistogramMetricFamily(
            name,
            documentation,
            buckets=list(zip(bounds, accumulate(self.counts), strict=True)),
            sum_value=self.sum,
        )
