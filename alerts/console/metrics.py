"""What a console counts of itself. Labels are words of the code, never what somebody sent."""

from collections.abc import Callable
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.console.hub import Dropped
from schemas.events import EventType

_DELTA_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 30.0)
_LOGINS: Final = ("ok", "failed", "limited")


class ConsoleMetrics:
    """The metrics of one console, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._dropped = Counter(
            "livefuse_console_streams_dropped_total", "Streams that were ended, by reason.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._commands = Counter(
            "livefuse_console_commands_total", "Orders of operators.", ["action", "outcome"], registry=registry
        )
        self._refused = Counter(
            "livefuse_console_refused_total", "Requests that were turned down.", ["reason"], registry=registry
        )
        self._logins = Counter("livefuse_console_logins_total", "Sign-ins.", ["outcome"], registry=registry)
        self._events = Counter(
            "livefuse_console_events_total", "Fuse events read, repeats left out.", ["type"], registry=registry
        )
        self._gaps = Counter(
            "livefuse_console_sequence_gaps_total", "Fuse events that were missing.", registry=registry
        )
        self._delta = Histogram(
            "livefuse_console_delta_seconds",
            "From the Kafka time of a fuse event to the delta that tells pages of it.",
            buckets=_DELTA_SECONDS,
            registry=registry,
        )
        # From the beginning, or the first of each would not show as an increase.
        for reason in get_args(Dropped):
            self._dropped.labels(reason)
        for outcome in _LOGINS:
            self._logins.labels(outcome)
        for each in get_args(EventType):
            self._events.labels(each)

    def follow(self, streams: Callable[[], int], products: Callable[[], int], heard: Callable[[], float]) -> None:
        """Show how many streams are open, how many products are listed, and when Kafka last answered."""
        for name, text, value in (
            ("livefuse_console_streams", "Open pages: streams.", streams),
            ("livefuse_console_board_products", "Products that are listed.", products),
            ("livefuse_console_progress_timestamp_seconds", "When Kafka last answered for all partitions.", heard),
        ):
            Gauge(name, text, registry=self.registry).set_function(value)

    def commands(self, action: str, outcome: str) -> None:
        """Count an order and what came of it."""
        self._commands.labels(action, outcome).inc()

    def refused(self, reason: str) -> None:
        """Count a request that was turned down, by the code of the refusal."""
        self._refused.labels(reason).inc()

    def logins(self, outcome: str) -> None:
        """Count a sign-in."""
        self._logins.labels(outcome).inc()

    def dropped(self, reason: Dropped) -> None:
        """Count a stream that was ended."""
        self._dropped.labels(reason).inc()

    def event(self, kind: EventType, missing: int) -> None:
        """Count an event, and how many before it are missing."""
        self._events.labels(kind).inc()
        self._gaps.inc(missing)

    def delay(self, seconds: float) -> None:
        """Count an event that pages have been told."""
        self._delta.observe(max(0.0, seconds))
