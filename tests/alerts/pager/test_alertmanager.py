"""Senders against real HTTP servers on this machine that treat alerts as an Alertmanager does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, Histogram

from alerts.pager import alertmanager
from alerts.pager.alertmanager import Client, Sender, name_of
from alerts.pager.alerts import Alerts
from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.config import AlertmanagerConfig
from alerts.pager.meter import ChannelMetrics, Meter
from alerts.pager.payload import Links, Payloads
from tests.alerts.pager.alertmanager_like import AlertmanagerLike
from tests.alerts.pager.examples import CLOSED, event
from tests.alerts.pager.service import Received, Service, says, serving
from tests.alerts.pager.wall_clock import Clock
from tests.kafka.cluster import until

SECRET = "hunter2-and-more"


class Room:
    """Some senders with one book of alerts."""

    def __init__(self, session: ClientSession, clock: Clock) -> None:
        self.session = session
        self.clock = clock
        self.alerts = Alerts()
        self.registry = CollectorRegistry()
        self.metrics = ChannelMetrics(self.registry)
        self.page_delay = Histogram("delay", "", registry=self.registry)
        self.payloads = Payloads("livefuse", Links(), escalate_after_ms=None)
        self.senders: list[Sender] = []
        self.watches = True

    @contextmanager
    def sending(self, url: str, config: AlertmanagerConfig | None = None) -> Iterator[Sender]:
        """Run one more sender."""
        client = Client(url, config or AlertmanagerConfig(), self.session)
        sender = Sender(
            client,
            self.alerts,
            self.payloads,
            Meter(client.name, self.metrics, self.clock),
            watchdog=self._watchdog,
            page_delay=self.page_delay,
            clock=self.clock,
        )
        self.senders.append(sender)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            assert not task.done()
            task.cancel()

    def take(self, *changes: dict[str, Any], **more: Any) -> None:
        """Have the senders tell of an event."""
        identities = self.alerts.observe(event(*changes, **more), self.clock.ms, live=True)
        for each in self.senders:
            each.tell(identities)

    def value(self, name: str, **labels: str) -> float:
        """Return a metric."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def _watchdog(self, now_ms: int) -> dict[str, Any] | None:
        return self.payloads.watchdog(now_ms, now_ms) if self.watches else None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def room(clock: Clock) -> AsyncIterator[Room]:
    async with ClientSession() as session:
        yield Room(session, clock)


@asynccontextmanager
async def alertmanager_like(clock: Clock) -> AsyncIterator[tuple[AlertmanagerLike, Service]]:
    model = AlertmanagerLike(clock)
    async with serving(model.behave) as service:
        yield model, service


async def soon(condition: Callable[[], bool], what: str) -> None:
    async def holds() -> bool:
        return condition()

    await until(holds, what, within=timedelta(seconds=60), between=timedelta(seconds=0.01))


async def test_an_opening_and_its_end_go_out_at_once(room: Room, clock: Clock) -> None:
    async with alertmanager_like(clock) as (model, service):
        with room.sending(service.url):
            room.take()
            await soon(lambda: model.notified() == ["firing"], "the page comes")
            room.take(CLOSED, sequence=8)
            await soon(lambda: model.notified() == ["firing", "resolved"], "the end comes")
        channel = name_of(service.url)
        assert room.value("livefuse_notifications_total", channel=channel, outcome="sent") == 2
        assert room.value("livefuse_notification_seconds_count", channel=channel) == 2
        assert room.value("delay_count") == 1
        assert room.value("livefuse_channel_last_success_timestamp_seconds", channel=channel) == clock()


async def test_what_holds_is_said_again(room: Room, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.pager.payload.AGAIN_MS", 50)
    async with alertmanager_like(clock) as (model, service):
        with room.sending(service.url):
            room.take()
            await soon(lambda: len(service.received) > 4, "it is said several times")
            assert model.notified() == ["firing"]
            assert room.value("delay_count") == 1
            clock.pass_by(60_000)
            await soon(lambda: model.told().ends_at == clock.ms + 240_000, "it lasts for four more minutes")


async def test_one_that_is_down_or_hangs_holds_up_no_other(room: Room, clock: Clock) -> None:
    async with alertmanager_like(clock) as (model, good), alertmanager_like(clock) as (_, hanging):
        hanging.behave = hanging.hang
        with room.sending("http://127.0.0.1:1"), room.sending(hanging.url), room.sending(good.url):
            room.take()
            await soon(lambda: model.notified() == ["firing"], "the page comes")
            await soon(
                lambda: room.value("livefuse_channel_failing", channel="alertmanager/127.0.0.1:1") == 1, "it shows"
            )
            assert room.value("livefuse_channel_failing", channel=name_of(good.url)) == 0
            assert room.value("livefuse_channel_queue", channel=name_of(good.url)) == 0


async def test_one_that_comes_back_is_told_what_holds_then(
    room: Room, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with alertmanager_like(clock) as (model, service):
        service.behave = lambda _: says("no", 503)
        with room.sending(service.url):
            room.take()
            room.take(product_id="p43")
            await soon(lambda: len(service.received) >= 3, "it is tried again and again")
            room.take(CLOSED, sequence=8)
            service.behave = model.behave
            await soon(lambda: model.firing() != [], "the page comes")
            assert [labels["product_id"] for labels in model.firing()] == ["p43"]
        assert room.value("livefuse_channel_failing", channel=name_of(service.url)) == 0
        said = [record.getMessage() for record in caplog.records]
        assert sum("alertmanager.unavailable" in each for each in said) == 1
        assert sum("alertmanager.back" in each for each in said) == 1


async def test_one_that_comes_back_is_told_of_what_is_new_at_once(
    room: Room, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(alertmanager, "LONGEST_PAUSE_S", 60.0)
    async with alertmanager_like(clock) as (model, service):
        service.behave = lambda _: says("no", 503)
        with room.sending(service.url):
            room.take()
            await soon(lambda: len(service.received) == 1, "it is tried")
            service.behave = model.behave
            room.take(product_id="p43")
            await soon(lambda: model.notified() == ["firing", "firing"], "both pages come")


async def test_a_refusal_is_counted_and_logged_and_not_repeated_at_once(
    room: Room, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with alertmanager_like(clock) as (model, service):
        service.behave = lambda _: says("start time\nmust be before end time", 400)
        with room.sending(service.url):
            room.take()
            channel = name_of(service.url)
            await soon(
                lambda: room.value("livefuse_notifications_total", channel=channel, outcome="rejected") >= 1, "it shows"
            )
            service.behave = model.behave
            room.take(product_id="p43")
            await soon(lambda: model.notified() == ["firing"], "the next one comes")
        assert [labels["product_id"] for labels in model.firing()] == ["p43"]
        (said,) = [record.getMessage() for record in caplog.records if "alertmanager.rejected" in record.getMessage()]
        assert "answered 400" in said
        assert "\n" not in said


async def test_the_watchdog_barks_only_while_all_is_well(room: Room, clock: Clock) -> None:
    async with alertmanager_like(clock) as (model, service):
        room.watches = False
        with room.sending(service.url):
            room.take()
            await soon(lambda: model.notified() == ["firing"], "the page comes")
        assert model.notified("LivefuseWatchdog") == []
        room.watches = True
        with room.sending(service.url):
            await soon(lambda: model.notified("LivefuseWatchdog") == ["firing"], "the watchdog barks")
        clock.pass_by(241_000)
        assert model.firing("LivefuseWatchdog") == []


async def test_many_alerts_go_out_in_pieces(room: Room, clock: Clock) -> None:
    async with alertmanager_like(clock) as (model, service):
        for number in range(450):
            room.take(product_id=f"p{number}")
        with room.sending(service.url) as sender:
            sender.tell(tuple(room.alerts))
            await soon(lambda: len(model.notified()) == 450, "all of them come")
        assert max(len(each.json) for each in service.received) <= alertmanager.MOST_AT_ONCE + 1


async def test_a_login_is_sent_and_its_secret_looked_up_each_time(room: Room, clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    async with alertmanager_like(clock) as (model, service):

        def behave(request: Received) -> web.Response:
            login = {name.lower(): value for name, value in request.headers.items()}.get("authorization")
            good = login == f"Bearer {SECRET}"
            return model.behave(request) if good else says("who are you", 401)

        service.behave = behave
        with room.sending(service.url, AlertmanagerConfig(authorization=lambda: f"Bearer {file.read_text()}")):
            room.take()
            await soon(lambda: model.notified() == ["firing"], "the page comes")
            file.unlink()
            room.take(CLOSED, sequence=8)
            channel = name_of(service.url)
            await soon(
                lambda: room.value("livefuse_notifications_total", channel=channel, outcome="failed") >= 1, "it shows"
            )
            file.write_text(SECRET)
            await soon(lambda: model.notified() == ["firing", "resolved"], "the end comes")


async def test_no_message_holds_a_secret(room: Room) -> None:
    url = f"http://127.0.0.1:1/{SECRET}"
    client = Client(url, AlertmanagerConfig(authorization=lambda: SECRET), room.session)
    with pytest.raises(Unavailable) as caught:
        await client.post([])
    assert SECRET not in f"{caught.value}{caught.value!r}{caught.value.__cause__}{client.name}"


async def test_it_can_be_asked_for_what_fires(room: Room, clock: Clock) -> None:
    model = AlertmanagerLike(clock)
    async with serving(model.behave) as service:
        client = Client(service.url, AlertmanagerConfig(), room.session)
        with room.sending(service.url):
            room.take(product_id="p1")
            room.take(product_id="p2")
            await soon(lambda: len(model.firing()) == 2, "both fire")
            (found,) = await client.firing('alertname="FuseOpen"', 'product_id="p2"')
            assert found["labels"]["product_id"] == "p2"
            room.take(CLOSED, product_id="p2", sequence=8)
            await soon(lambda: len(model.firing()) == 1, "one has ended")
            assert await client.firing('product_id="p2"') == []
        service.behave = lambda _: says("a login page")
        with pytest.raises(Rejected, match="no list of alerts"):
            await client.firing()
