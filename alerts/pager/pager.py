"""The pager process: from fuse events to people.

    livefuse.fuse-state ──▶ follower ──┬▶ overview ──▶ metrics
    livefuse.fuse-events ─▶            └▶ alerts ────▶ a sender for each Alertmanager
    livefuse.watchlist ───▶
    livefuse.fuse-events ─▶ a subscription for each channel ──▶ its delivery ──▶ the channel

Everything runs in one loop, each part in a task of its own, so that none waits for another.

    stop is set       what is under way is given up within a second; a successor goes on where this one was
    BrokerRefused     the broker answers and will not have us: raised
    broker away       it waits; alerts that fire go on firing, the watchdog falls silent
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, get_args

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerts.follower import Follower, Known
from alerts.pager.alert import Identity
from alerts.pager.alertmanager import Client, Sender
from alerts.pager.alerts import Alerts
from alerts.pager.channel import Channel
from alerts.pager.config import PagerConfig
from alerts.pager.delivery import Dealt, Delivery
from alerts.pager.making import make_channels
from alerts.pager.meter import ChannelMetrics, Meter
from alerts.pager.overview import Overview
from alerts.pager.payload import Links, Payloads
from alerts.pager.series import FuseSeries
from alerts.pager.subscription import Subscription
from schemas.durations import milliseconds
from schemas.events import EventType, FuseEvent, FuseState, Watchlist

FORGET_S: Final = 30.0
PATIENCE_S: Final = 60.0
"""A start that takes longer is no progress any more."""
PAGE_TARGET_S: Final = 2.0
"""How long it may take from an opening to its page, 99 of 100 times."""

Serving = Callable[[int | None, "Pager"], AbstractAsyncContextManager[object]]
"""Serves the metrics and the health of a pager on a port (None: not at all), while entered."""

_SETTLE_S: Final = 0.5
_SETTLE_LOOKS: Final = 20
_PAGE_SECONDS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0)

log = logging.getLogger(__name__)


class Pager:
    """One pager. `channels` are those of the configuration, in its order; its metrics are in `registry`."""

    def __init__(
        self,
        config: PagerConfig,
        session: aiohttp.ClientSession,
        channels: Sequence[Channel],
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self.overview = Overview()
        self.alerts = Alerts()
        self.follower = Follower(config, self, clock)
        self._clock = clock
        self._since_ms = int(clock() * 1000)
        links = Links(config.console_url, config.runbook_url)
        escalate_after = config.escalate_after
        self.payloads = Payloads(
            config.application,
            links,
            escalate_after_ms=None if escalate_after is None else milliseconds(escalate_after),
            zone=config.zone,
        )
        self._register()
        metrics = ChannelMetrics(self.registry)
        self._senders = [
            Sender(
                client,
                self.alerts,
                self.payloads,
                Meter(client.name, metrics, clock),
                watchdog=self._watchdog,
                page_delay=self._page_delay,
                clock=clock,
            )
            for client in (Client(url, config.alertmanager, session) for url in config.alertmanager.urls)
        ]
        self._subscriptions = [
            Subscription(
                each.name, each.route, config, self.alerts, _delivery(channel, metrics), links=links, clock=clock
            )
            for each, channel in zip(config.channels, channels, strict=True)
        ]
        for each in self._subscriptions:
            metrics.follow(each.name, each.delivery, each)

    def problems(self) -> list[str]:
        """Return what keeps the pager from going on; a channel that fails is no such thing."""
        if self.follower.ready.is_set() and self.follower.is_away:
            silent_s = self._clock() - self.follower.heard
            return [f"Kafka has not answered for {silent_s:.0f} s"]
        waited_s = self._clock() - self._since_ms / 1000
        if not self.follower.ready.is_set() and waited_s > PATIENCE_S:
            return [f"the fuse states are not read yet, after {waited_s:.0f} s"]
        return []

    def ready(self) -> str | None:
        """Return what the pager waits for; None when everything of before is read and it tells people."""
        if not self.follower.ready.is_set():
            return "it reads the fuse states, or waits for the broker"
        return "it waits for the broker" if self.follower.is_away else None

    async def settle(self) -> None:
        """Give what is under way a moment to be accepted: what is cut off may have been, and would be told again."""
        for _ in range(_SETTLE_LOOKS):
            if not any(each.delivery.waiting for each in self._subscriptions):
                return
            await asyncio.sleep(_SETTLE_S / _SETTLE_LOOKS)

    async def run(self) -> None:
        """Work until cancelled. Raises BrokerRefused."""
        async with asyncio.TaskGroup() as tasks:
            for work in self._works():
                tasks.create_task(work)

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self.follower.run(),
            self._forget(),
            *(self._when_ready(each.run) for each in self._senders),
            *(self._when_ready(each.run) for each in self._subscriptions),
            *(each.delivery.run() for each in self._subscriptions),
        ]

    async def rebuilt(self, events: Iterable[Known], states: Iterable[Known]) -> None:
        """Take in what was before this pager."""
        now_ms = int(self._clock() * 1000)
        for event, known_ms in events:
            self.alerts.observe(event, known_ms)
        for state, known_ms in states:
            self.alerts.complete(state, known_ms, now_ms)
            self.overview.take_state(state.product_id, state)
        self.alerts.forget(now_ms)
        self._tell(tuple(self.alerts))

    def event(self, event: FuseEvent, known_ms: int) -> None:
        """Take in a fuse event."""
        self._events.labels(event.type).inc()
        self._tell(self.alerts.observe(event, known_ms, live=True))

    def state(self, product_id: str, state: FuseState | None) -> None:
        """Take in a product's latest state."""
        self.overview.take_state(product_id, state)

    def watchlist(self, partition: int, watchlist: Watchlist | None) -> None:
        """Take in the watch list of a partition."""
        self.overview.take_watchlist(partition, watchlist)

    def _tell(self, identities: Sequence[Identity]) -> None:
        for each in self._senders:
            each.tell(identities)

    def _watchdog(self, now_ms: int) -> dict[str, Any] | None:
        return None if self.ready() or self.problems() else self.payloads.watchdog(self._since_ms, now_ms)

    async def _when_ready(self, work: Callable[[], Awaitable[None]]) -> None:
        await self.follower.ready.wait()
        await work()

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(FORGET_S)
            self.alerts.forget(int(self._clock() * 1000))

    def _register(self) -> None:
        self.registry.register(FuseSeries(self.overview))
        self._events = Counter(
            "livefuse_pager_events_total", "Fuse events read, by type.", ["type"], registry=self.registry
        )
        for each in get_args(EventType):
            # From the beginning, or the first of each would not show as an increase.
            self._events.labels(each)
        target = Gauge(
            "livefuse_page_target_seconds", "How long a page may take, p99: the line to draw.", registry=self.registry
        )
        target.set(PAGE_TARGET_S)
        self._page_delay = Histogram(
            "livefuse_page_delay_seconds",
            "From the Kafka time of a fuse event to its acceptance by the first Alertmanager.",
            buckets=_PAGE_SECONDS,
            registry=self.registry,
        )
        progress = Gauge(
            "livefuse_pager_progress_timestamp_seconds",
            "When Kafka last answered for all partitions.",
            registry=self.registry,
        )
        progress.set_function(lambda: self.follower.heard)


def _delivery(channel: Channel, metrics: ChannelMetrics) -> Callable[[Callable[[Dealt], None]], Delivery]:
    def make(dealt: Callable[[Dealt], None]) -> Delivery:
        def count_and_tell(each: Dealt) -> None:
            metrics.count(channel.name, each.outcome, each.seconds)
            dealt(each)

        return Delivery(channel, dealt=count_and_tell)

    return make


async def _work(pager: Pager, prepare: Callable[[], Awaitable[None]]) -> None:
    await prepare()
    await pager.run()


async def run(
    config: PagerConfig,
    stop: asyncio.Event,
    registry: CollectorRegistry,
    prepare: Callable[[], Awaitable[None]],
    serving: Serving,
) -> None:
    """Run a pager until `stop` is set. `prepare` returns when the broker is there with all topics.

    Raises what `prepare` and `serving` do, BrokerRefused, and ConfigurationError (the secret of a channel).
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        pager = Pager(config, session, make_channels(config, session), registry)
        await stack.enter_async_context(serving(config.web_port, pager))
        log.info(
            "pager.started application=%s alertmanagers=%d channels=%d",
            config.application,
            len(config.alertmanager.urls),
            len(config.channels),
        )
        if not config.alertmanager.urls and not config.channels:
            log.warning("pager.silent There is nobody to tell: set LIVEFUSE_PAGER__ALERTMANAGER__URLS.")
        working = asyncio.create_task(_work(pager, prepare))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            await pager.settle()
        working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            log.info("pager.stopped")
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
