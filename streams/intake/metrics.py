"""The metrics of an intake, made of what it counts when Prometheus asks. ``docs/metrics.md`` lists them.

Labels are names of topics and words of this file: nothing that stands in a record.
"""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from schemas.parse import Reason
from streams.families import counter, counters, gauge, gauges, histogram
from streams.intake.status import IntakeStatus


class IntakeCollector(Collector):
    """Shows an intake to Prometheus; between two questions that costs nothing."""

    def __init__(self, status: IntakeStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Yield the present values."""
        yield from self._records()
        yield from self._frames()
        yield from self._sources()

    def _records(self) -> Iterator[Metric]:
        topics, counts = self._status.topics, self._status.counts
        # What may come is there from the beginning, or the first of each would not show as an increase.
        outcomes: dict[tuple[str, ...], float] = {}
        letters: dict[tuple[str, ...], float] = {}
        for topic in topics:
            refused = counts.refused[topic]
            outcomes |= {(topic, "used"): counts.records[topic] - refused, (topic, "refused"): refused}
            letters |= {(topic, reason): counts.dead_letters[topic, reason] for reason in get_args(Reason)}
        yield counters("livefuse_records", "Records read, by whether they can be used.", ["topic", "outcome"], outcomes)
        yield counters("livefuse_dead_letters", "Records written to a dead-letter topic.", ["topic", "reason"], letters)

    def _frames(self) -> Iterator[Metric]:
        counts, writer = self._status.counts, self._status.writer
        yield counter("livefuse_frames_written", "Frames acknowledged, ticks among them.", counts.frames)
        yield counter("livefuse_ticks_written", "Frames without signals.", counts.ticks)
        yield histogram("livefuse_frame_signals", "Signals of a frame, ticks left out.", counts.frame_signals)
        yield histogram("livefuse_frame_bytes", "Bytes of a frame, ticks left out.", counts.frame_bytes)
        yield gauge(
            "livefuse_intake_unacknowledged_seconds",
            "Age of the oldest frame in flight, 0 if none.",
            0.0 if writer is None else writer.unacknowledged_s(),
        )

    def _sources(self) -> Iterator[Metric]:
        status, counts = self._status, self._status.counts
        lag: Counter[str] = Counter()
        for source, number in status.lag().items():
            lag[source.rpartition("/")[0]] += number
        yield gauges(
            "livefuse_source_lag_records",
            "Records that are in no acknowledged frame yet.",
            ["topic"],
            {(topic,): number for topic, number in lag.items()},
        )
        yield gauges(
            "livefuse_source_last_record_timestamp_seconds",
            "Largest event time read.",
            ["topic"],
            {(topic,): time_ms / 1000 for topic, time_ms in status.reached_ms().items()},
        )
        yield gauge(
            "livefuse_intake_passed_timestamp_seconds", "Event time that all sources have passed.", counts.passed / 1000
        )
        yield gauge("livefuse_intake_behind", "1 while a source has records to read.", counts.behind)
        yield counter("livefuse_intake_rebalances", "Times that sources were given.", counts.rebalances)
        yield counter("livefuse_intake_commits", "Commits of source offsets.", counts.commits)
