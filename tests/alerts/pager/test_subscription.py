"""What a channel hears: now, later or never, before and after a restart. Kafka is not there; see tests/kafka."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.pager.alerts import Alerts
from alerts.pager.config import PagerConfig
from alerts.pager.delivery import Delivery
from alerts.pager.notice import Notice
from alerts.pager.payload import Links
from alerts.pager.progress import Progress
from alerts.pager.route import QuietHours, Route
from alerts.pager.subscription import Subscription
from schemas.events import event_id
from schemas.topics import TopicNames
from tests.alerts.pager.examples import CLOSED, NO_FUSE, event
from tests.alerts.pager.wall_clock import MINUTE, Clock
from tests.kafka.cluster import until

AFTER = Route(after=timedelta(minutes=5))
# Noon of the examples is in it.
QUIET = Route(quiet_hours=QuietHours(time(11), time(13), ZoneInfo("UTC")))
ACKNOWLEDGED: dict[str, Any] = {"type": "fuse.acknowledged", "from": "open", "to": "open", "sequence": 8}


class Ear:
    """A channel that only listens."""

    name = "ear"
    largest_batch = 1
    per_minute: int | None = None

    def __init__(self) -> None:
        self.heard: list[str] = []

    def takes(self, notice: Notice) -> bool:
        del notice
        return True

    async def send(self, notices: Sequence[Notice]) -> None:
        self.heard += [each.kind for each in notices]


class Listener:
    """A subscription and what its channel heard, with a book of alerts that reads the same events."""

    def __init__(self, route: Route, clock: Clock) -> None:
        self.clock = clock
        self.route = route
        self.book = Alerts()
        self.ear = Ear()
        self.offset = 0
        self.log: list[tuple[int, bytes, int]] = []
        self.begin(Progress(0))

    def begin(self, progress: Progress) -> None:
        """Start anew, as another process would, and read what it has to."""
        config = PagerConfig(client={}, topics=TopicNames(), partitions=1)
        self.subscription = Subscription(
            "ear",
            self.route,
            config,
            self.book,
            lambda dealt: Delivery(self.ear, dealt=dealt),
            links=Links("https://console"),
            clock=self.clock,
        )
        self.progress = progress
        self.subscription.resume({0: progress})
        for offset, value, known_ms in self.log:
            if offset >= progress.first:
                self.subscription.take((0, offset), value, known_ms)

    def take(self, *changes: dict[str, Any], **more: Any) -> None:
        """Have an event happen now."""
        what = event({"event_id": event_id("any", self.offset + 1)}, *changes, **more)
        self.book.observe(what, self.clock.ms)
        value = what.model_dump_json().encode()
        self.log.append((self.offset, value, self.clock.ms))
        self.subscription.take((0, self.offset), value, self.clock.ms)
        self.offset += 1

    def restart(self) -> None:
        """Begin again from what is kept in Kafka."""
        self.begin(Progress.from_mark(self.progress.mark()))

    def pass_by(self, ms: int) -> None:
        self.clock.pass_by(ms)
        self.subscription.tell_due()

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver what is there at the end of the block."""
        yield
        running = asyncio.create_task(self.subscription.delivery.run())

        async def is_done() -> bool:
            return self.subscription.delivery.waiting == 0

        await until(is_done, "it is delivered", within=timedelta(seconds=30), between=timedelta(seconds=0.005))
        running.cancel()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_without_routes_it_hears_everything_at_once_and_in_order(clock: Clock) -> None:
    listener = Listener(Route(), clock)
    async with listener.delivering():
        listener.take()
        listener.take(ACKNOWLEDGED)
        listener.take(CLOSED, sequence=9)
        listener.take(product_id="p43", shadow=True)
    assert listener.ear.heard == ["opened", "acknowledged", "closed"]
    assert listener.progress.mark().offset == 4
    assert listener.subscription.queue == 0


async def test_the_boss_hears_only_what_nobody_has_answered(clock: Clock) -> None:
    listener = Listener(AFTER, clock)
    async with listener.delivering():
        listener.take()
        listener.take(product_id="p43")
        listener.pass_by(4 * MINUTE)
        listener.take(ACKNOWLEDGED)
        assert listener.subscription.queue == 1
        listener.pass_by(MINUTE)
        listener.take(CLOSED, sequence=9)
        listener.take(CLOSED, sequence=9, product_id="p43")
    assert listener.ear.heard == ["unacknowledged", "closed"]
    assert listener.subscription.delivery.counts == {"sent": 2, "suppressed": 3}
    assert listener.progress.mark().offset == listener.offset


async def test_at_night_it_hears_what_is_critical_and_in_the_morning_what_is_still_open(clock: Clock) -> None:
    listener = Listener(QUIET, clock)
    async with listener.delivering():
        listener.take(severity="critical")
        listener.take(product_id="p43")
        listener.take(product_id="p44")
        listener.take(NO_FUSE, type="override.set")
        listener.pass_by(59 * MINUTE)
        listener.take(CLOSED, product_id="p44", sequence=8)
        assert listener.subscription.queue == 2
        listener.pass_by(2 * MINUTE)
    assert listener.ear.heard == ["opened", "opened"]
    assert listener.subscription.delivery.counts == {"sent": 2, "suppressed": 3}


async def test_a_restart_repeats_nothing_and_forgets_nothing_that_waits(clock: Clock) -> None:
    listener = Listener(AFTER, clock)
    listener.take()
    async with listener.delivering():
        listener.pass_by(5 * MINUTE)
    listener.take(product_id="p43")
    listener.take(product_id="p44")
    listener.take(ACKNOWLEDGED, product_id="p44")
    listener.restart()
    async with listener.delivering():
        listener.take(CLOSED, product_id="p44", sequence=9)
        listener.pass_by(5 * MINUTE)
        listener.take(CLOSED, product_id="p43", sequence=9)
    assert listener.ear.heard == ["unacknowledged", "unacknowledged", "closed"]


async def test_what_was_under_way_when_it_ended_is_told_by_the_next(clock: Clock) -> None:
    listener = Listener(Route(), clock)
    listener.take()
    listener.take(ACKNOWLEDGED)
    listener.restart()
    async with listener.delivering():
        pass
    assert listener.ear.heard == ["opened", "acknowledged"]


async def test_rooms_are_those_of_the_opening(clock: Clock) -> None:
    listener = Listener(Route(rooms=frozenset({"r1"})), clock)
    async with listener.delivering():
        listener.take()
        listener.take(CLOSED, sequence=8, room_id="r2")
        listener.take(product_id="p43", room_id="r2")
        listener.take(CLOSED, product_id="p43", sequence=8, room_id="r1")
    assert listener.ear.heard == ["opened", "closed"]


async def test_a_record_that_is_no_event_is_passed_over(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener(Route(), clock)
    with caplog.at_level(logging.WARNING):
        listener.subscription.take((0, 0), b"what?", clock.ms)
        listener.subscription.take((0, 1), None, clock.ms)
    assert listener.progress.mark().offset == 2
    assert [record.getMessage().split()[0] for record in caplog.records] == ["channel.unreadable_event"] * 2


async def test_an_event_that_comes_twice_is_dealt_with_twice_and_holds_nothing_up(clock: Clock) -> None:
    # On a broker without transactions a worker may write it again, at another offset.
    listener = Listener(Route(), clock)
    async with listener.delivering():
        listener.take(event_id=event_id("p42", 7))
        listener.take(event_id=event_id("p42", 7))
    assert listener.progress.mark().offset == 2
