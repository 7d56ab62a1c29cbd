"""What each way to people counts: what became of notices, how fast, and whether it fails."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.pager.delivery import Delivery, Outcome

FAILING_AFTER: Final = 3
OUTCOMES: Final[tuple[Outcome, ...]] = ("sent", "rejected", "failed", "expired", "suppressed")
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)


class Waiting(Protocol):
    """Something before which events wait."""

    @property
    def queue(self) -> int:
        """How many events are not yet dealt with."""


class ChannelMetrics:
    """The metrics of all channels and Alertmanagers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.notifications = Counter(
            "livefuse_notifications_total",
            "What became of notices; failed: an attempt that is repeated.",
            ["channel", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "livefuse_notification_seconds",
            "From reading the fuse event to the channel's acceptance.",
            ["channel"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.failing = Gauge(
            "livefuse_channel_failing",
            "1 after three failures in a row, until a success.",
            ["channel"],
            registry=registry,
        )
        self.last_success = Gauge(
            "livefuse_channel_last_success_timestamp_seconds",
            "When the channel last accepted something; 0: not yet.",
            ["channel"],
            registry=registry,
        )
        self.queue = Gauge("livefuse_channel_queue", "Events not yet dealt with.", ["channel"], registry=registry)

    def count(self, channel: str, outcome: Outcome, seconds: float) -> None:
        """Count a notice that a channel has dealt with, `seconds` after its event was read."""
        self.notifications.labels(channel, outcome).inc()
        if outcome == "sent":
            self.seconds.labels(channel).observe(max(0.0, seconds))

    def follow(self, channel: str, delivery: Delivery, subscription: Waiting) -> None:
        """Have the gauges of a channel ask its delivery and its subscription."""
        for outcome in OUTCOMES:
            self.notifications.labels(channel, outcome)
        self.seconds.labels(channel)
        self.failing.labels(channel).set_function(lambda: float(delivery.failing))
        self.last_success.labels(channel).set_function(lambda: delivery.last_success or 0.0)
        self.queue.labels(channel).set_function(lambda: float(subscription.queue))


class Meter:
    """Counts for one Alertmanager, and knows whether it fails. `clock` returns seconds since 1970."""

    def __init__(self, name: str, metrics: ChannelMetrics, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.last_error: str | None = None
        self._clock = clock
        self._in_a_row = 0
        self._counters = {outcome: metrics.notifications.labels(name, outcome) for outcome in OUTCOMES}
        self._seconds = metrics.seconds.labels(name)
        self._failing = metrics.failing.labels(name)
        self._last_success = metrics.last_success.labels(name)
        self._queue = metrics.queue.labels(name)

    @property
    def is_failing(self) -> bool:
        """Whether it has failed so often in a row that somebody should look."""
        return self._in_a_row >= FAILING_AFTER

    def sent(self, count: int = 1) -> None:
        """Count notices that were accepted. With 0: a message about nothing new was."""
        self._counters["sent"].inc(count)
        self._in_a_row = 0
        self.last_error = None
        self._failing.set(0)
        self._last_success.set(self._clock())

    def took(self, seconds: float) -> None:
        """Observe the time from an event to its acceptance."""
        self._seconds.observe(max(0.0, seconds))

    def rejected(self, count: int, why: str) -> None:
        """Count notices that were refused for good."""
        self._counters["rejected"].inc(count)
        self._count_failure(why)

    def failed(self, why: str) -> None:
        """Count an attempt that will be repeated."""
        self._counters["failed"].inc()
        self._count_failure(why)

    def queued(self, count: int) -> None:
        """Set how many events are not yet dealt with."""
        self._queue.set(count)

    def _count_failure(self, why: str) -> None:
        self.last_error = why
        self._in_a_row += 1
        if self.is_failing:
            self._failing.set(1)
