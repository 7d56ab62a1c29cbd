"""What an intake counts: plain integers for the loop, and the same for Prometheus."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.parse import Reason


@dataclass(slots=True)
class IntakeCounts:
    """Counters since the start, and how things stand now (``behind``, ``lag``, ``passed``).

    ``dead_letters`` are counted by (topic, reason), once they are acknowledged. ``lag`` counts, by source, the records
    that are not on their way into a frame yet. ``passed`` is the time (ms) of the last progress report.
    """

    records: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    signals: int = 0
    frames: int = 0
    frame_bytes: int = 0
    ticks: int = 0
    commits: int = 0
    rebalances: int = 0
    behind: bool = True
    passed: int = 0
    lag: dict[str, int] = field(default_factory=dict)


class IntakeCollector(Collector):
    """Shows the counts to Prometheus when it asks; between two questions they cost nothing."""

    def __init__(self, counts: IntakeCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield the present values."""
        counts = self._counts
        records = CounterMetricFamily("livefuse_intake_records", "Records read, good or not.", labels=["topic"])
        for topic, number in sorted(counts.records.items()):
            records.add_metric([topic], number)
        yield records
        letters = CounterMetricFamily(
            "livefuse_intake_dead_letters", "Records that could not be used.", labels=["topic", "reason"]
        )
        for (topic, reason), number in sorted(counts.dead_letters.items()):
            letters.add_metric([topic, reason], number)
        yield letters
        yield CounterMetricFamily("livefuse_intake_signals", "Signals written in frames.", value=counts.signals)
        yield CounterMetricFamily("livefuse_intake_frames", "Frames written, ticks among them.", value=counts.frames)
        yield CounterMetricFamily("livefuse_intake_frame_bytes", "Bytes of the frames.", value=counts.frame_bytes)
        yield CounterMetricFamily("livefuse_intake_ticks", "Frames without signals.", value=counts.ticks)
        yield CounterMetricFamily("livefuse_intake_commits", "Commits of source offsets.", value=counts.commits)
        yield CounterMetricFamily(
            "livefuse_intake_rebalances", "Times that sources were given.", value=counts.rebalances
        )
        yield GaugeMetricFamily("livefuse_intake_behind", "1 while a source has records to read.", value=counts.behind)
        yield GaugeMetricFamily(
            "livefuse_intake_passed_seconds", "Event time that all sources have passed.", value=counts.passed / 1000
        )
        lag = GaugeMetricFamily("livefuse_intake_lag_records", "Records not yet in a frame.", labels=["source"])
        for source, number in sorted(counts.lag.items()):
            lag.add_metric([source], number)
        yield lag
