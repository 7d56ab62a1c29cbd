"""The console process: from what the workers write to open pages, and from people to commands.

    livefuse.fuse-state ──▶ follower ──▶ board ──▶ hub ──▶ streams of the pages
    livefuse.fuse-events ─▶                └─────▶ API
    livefuse.watchlist ───▶              doors ──▶ livefuse.audit, livefuse.commands

Everything runs in one loop, each part in a task of its own.

    stop is set       streams are closed (pages come back by themselves), orders under way get a second
    BrokerRefused     the broker answers and will not have us: raised
    broker away       the page is served and says so; what is paused stays shown as paused
    not rebuilt yet   the page is served, the API answers 503 `starting`
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry

from alerts.console.api import Api
from alerts.console.board import Board
from alerts.console.config import ConsoleConfig, OidcConfig, Pipeline
from alerts.console.doors import Doors
from alerts.console.history import Histories
from alerts.console.hub import Hub
from alerts.console.identity import Identity
from alerts.console.metrics import ConsoleMetrics
from alerts.console.openapi import document_route
from alerts.console.pages import Pages
from alerts.console.refusals import refusing
from alerts.console.routes import Route
from alerts.console.stream import Stream
from alerts.console.vitals import Vitals
from alerts.follower import Follower, Known
from schemas.audit import AuditEntry
from schemas.errors import ConfigurationError
from schemas.events import FuseEvent, FuseState, Watchlist
from schemas.topics import TopicNames

LARGEST_REQUEST_BYTES: Final = 64 * 1024
FORGET_S: Final = 30.0
PATIENCE_S: Final = 60.0
"""A start that takes longer is no progress any more."""

_TURN: Final = 500
_LAST_ANSWERS_S: Final = 0.5
_BACKLOG: Final = 1_024

Serving = Callable[[int | None, "Console"], AbstractAsyncContextManager[object]]
"""Serves the metrics and the health of a console on a port (None: not at all), while entered."""

log = logging.getLogger(__name__)


class Gate(Protocol):
    """Who may come in, and what they may order."""

    @property
    def routes(self) -> Sequence[Route]:
        """Signing in and out, orders, the audit."""

    def middleware(self, routes: Sequence[Route]) -> Middleware:
        """Return what guards these routes."""

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that every answer has."""

    def holds(self, identity: Identity) -> bool:
        """Tell whether a session is still good."""

    def audit_of(self, product_id: str) -> Sequence[AuditEntry]:
        """Return the newest lines about a product, oldest first."""

    def event(self, event: FuseEvent, *, live: bool) -> None:
        """Take in the next fuse event. `live`: not one of before the start."""

    def problem(self) -> str | None:
        """Say why no order can be given now; None when one can."""

    def waits_for(self) -> str | None:
        """Say what is not read yet; None when all is."""

    async def run(self) -> None:
        """Work until cancelled. Raises BrokerRefused."""

    async def settle(self) -> None:
        """Give what is under way a moment."""


MakeDoors = Callable[[ConsoleConfig, Board, ConsoleMetrics, Callable[[], float]], Gate]


class Console:
    """One console; its metrics are in `registry`."""

    def __init__(
        self,
        config: ConsoleConfig,
        pipeline: Pipeline,
        registry: CollectorRegistry,
        make_doors: MakeDoors = Doors,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = registry
        self.board = Board()
        self.follower = Follower(config, self, clock)
        self._config = config
        self._clock = clock
        self._since = clock()
        self._metrics = ConsoleMetrics(registry)
        self.doors = make_doors(config, self.board, self._metrics, clock)
        self._vitals = Vitals(
            self.board, self.follower, pipeline, unavailable=self.doors.problem, told=self._told, clock=clock
        )
        self.hub = Hub(
            self.board,
            self._vitals.json,
            clock,
            dropped=self._metrics.dropped,
            written=lambda known_ms: self._metrics.delay(clock() - known_ms / 1000),
        )
        self._metrics.follow(lambda: len(self.hub.clients), lambda: len(self.board), lambda: self.follower.heard)

    def problems(self) -> list[str]:
        """Return what keeps the console from going on."""
        if self.follower.ready.is_set() and self.follower.is_away:
            return [f"Kafka has not answered for {self._clock() - self.follower.heard:.0f} s"]
        waited_s = self._clock() - self._since
        if self._starting() is not None and waited_s > PATIENCE_S:
            return [f"the fuse states are not read yet, after {waited_s:.0f} s"]
        return []

    def ready(self) -> str | None:
        """Return what the console waits for; None when it shows what holds."""
        starting = self._starting() or self.doors.waits_for()
        if starting is not None:
            return starting
        return "it waits for the broker" if self.follower.is_away else None

    def documented(self) -> tuple[Route, ...]:
        """Return the routes of the API, those of its documentation apart."""
        stream = Stream(self.hub, self.doors.holds)
        api = Api(
            self.board,
            self.hub,
            stream,
            Histories(self._config),
            health=self._vitals.json,
            audit_of=self.doors.audit_of,
            waits_for=self._starting,
        )
        return (*api.routes, *self.doors.routes)

    def application(self, pages: Pages | None = None) -> web.Application:
        """Return all that is served to people."""
        documented = self.documented()
        routes = (*documented, document_route(documented))
        made = web.Application(
            middlewares=[refusing, self.doors.middleware(routes)], client_max_size=LARGEST_REQUEST_BYTES
        )
        made.on_response_prepare.append(self.doors.on_prepare)
        for each in routes:
            if each.method == "GET":
                made.router.add_get(each.path, each.handler, name=each.name)
            else:
                made.router.add_route(each.method, each.path, each.handler, name=each.name)
        # Everything else is the page's, or nothing.
        made.router.add_get("/{path:.*}", (pages or Pages()).show)
        return made

    @asynccontextmanager
    async def serving(self, pages: Pages | None = None) -> AsyncIterator[int]:
        """Serve people while entered; yield the port. Raises ConfigurationError when the port cannot be had."""
        config = self._config
        runner = web.AppRunner(
            self.application(pages), access_log=None, shutdown_timeout=_LAST_ANSWERS_S, keepalive_timeout=75.0
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, config.host, config.port, ssl_context=config.tls, backlog=_BACKLOG)
            try:
                await site.start()
            except OSError as error:
                what = f"the console cannot be served on {config.host}:{config.port}: {error.strerror or error}"
                raise ConfigurationError(f"{what}. Set `console.host` and `console.port` to others.") from error
            port: int = runner.addresses[0][1]
            log.info("console.serving host=%s port=%d tls=%s", config.host, port, config.tls is not None)
            yield port
        finally:
            self.hub.close()
            await runner.cleanup()

    async def run(self) -> None:
        """Work until cancelled. Raises BrokerRefused."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self.follower.run(), self.doors.run(), self.hub.run(), self._vitals.run(), self._forget()):
                tasks.create_task(work)

    async def rebuilt(self, events: Iterable[Known], states: Iterable[Known]) -> None:
        """Take in what was before this console."""
        # Nobody has seen anything yet: who comes then gets a snapshot.
        with self.board.in_bulk():
            for number, (state, _) in enumerate(states):
                self.board.take_state(state.product_id, state)
                if number % _TURN == 0:
                    await asyncio.sleep(0)
            for number, (event, known_ms) in enumerate(events):
                if self.board.take_event(event, known_ms):
                    self.doors.event(event, live=False)
                if number % _TURN == 0:
                    await asyncio.sleep(0)
        self.board.forget(int(self._clock() * 1000))
        self.board.ready = True
        self.hub.wake()

    def event(self, event: FuseEvent, known_ms: int) -> None:
        """Take in a fuse event."""
        gaps = self.board.gaps
        if self.board.take_event(event, known_ms):
            self._metrics.event(event.type, self.board.gaps - gaps)
            self.doors.event(event, live=True)
            self.hub.wake()

    def state(self, product_id: str, state: FuseState | None) -> None:
        """Take in a product's latest state."""
        self.board.take_state(product_id, state)
        self.hub.wake()

    def watchlist(self, partition: int, watchlist: Watchlist | None) -> None:
        """Take in the next watch list of a partition."""
        self.board.take_watchlist(partition, watchlist)
        self.hub.wake()

    def _told(self) -> None:
        self.hub.wake(health=True)

    def _starting(self) -> str | None:
        return None if self.follower.ready.is_set() else "it reads the fuse states, or waits for the broker"

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(FORGET_S)
            self.board.forget(int(self._clock() * 1000))


async def _work(console: Console, prepare: Callable[[], Awaitable[None]]) -> None:
    await prepare()
    await console.run()


async def run(
    config: ConsoleConfig,
    stop: asyncio.Event,
    registry: CollectorRegistry,
    prepare: Callable[[], Awaitable[None]],
    serving: Serving,
    pipeline: Pipeline,
    make_doors: MakeDoors = Doors,
) -> None:
    """Run a console until `stop` is set. `prepare` returns when the broker is there with all topics.

    People are served from the start. Raises what `prepare` and `serving` do, BrokerRefused, and ConfigurationError.
    """
    async with AsyncExitStack() as stack:
        console = Console(config, pipeline, registry, make_doors)
        await stack.enter_async_context(serving(config.web_port, console))
        await stack.enter_async_context(console.serving())
        working = asyncio.create_task(_work(console, prepare))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            await console.doors.settle()
        working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            log.info("console.stopped")
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None


def every_route() -> tuple[Route, ...]:
    """Return all that a console may serve, whatever is configured: for the documentation."""
    oidc = OidcConfig("https://id.example", "livefuse", None, "name", "role", {}, None, ())
    config = ConsoleConfig(client={}, topics=TopicNames(), partitions=1, url="https://console.example", oidc=oidc)
    documented = Console(config, _Unknown(), CollectorRegistry()).documented()
    return (*documented, document_route(documented))


class _Unknown:
    """A pipeline of which nothing is known."""

    async def look(self) -> Mapping[str, Any]:
        return {}
