"""All that stands between a request and the pipeline, put together for the server.

request ─▶ guard ─▶ login, oidc, proxy ─▶ session
└─▶ orders ─▶ desk ─▶ audit, then livefuse.commands
fuse events ────────────────▶ desk ─▶ audit
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from alerts.console.accounts import Accounts
from alerts.console.audit import Audit
from alerts.console.config import ConsoleConfig
from alerts.console.desk import Desk
from alerts.console.guard import Guard
from alerts.console.identity import Identity
from alerts.console.ledger import Ledger
from alerts.console.login import Login
from alerts.console.meter import Meter
from alerts.console.oidc import Oidc
from alerts.console.order import Products
from alerts.console.orders import Orders
from alerts.console.orphans import Orphans
from alerts.console.proxy import Proxy
from alerts.console.routes import Route
from alerts.console.sessions import Sessions
from alerts.console.writer import Writer
from schemas.audit import AuditEntry
from schemas.events import FuseEvent

MOST_OF_PRODUCT: Final = 500
SETTLE_S: Final = 1.0


class Doors:
    """The doors of one console. `board` knows the products; `clock` returns seconds since 1970."""

    def __init__(
        self, config: ConsoleConfig, board: Products, meter: Meter, clock: Callable[[], float] = time.time
    ) -> None:
        self._writer = Writer(config.client)
        self._accounts = Accounts(config.accounts_file)
        self._sessions = Sessions(config.key, config.session, config.application, self._accounts, clock)
        self._audit = Audit(config.client, config.topics.audit, self._writer, config.session, clock)
        self._audit.listeners.append(self._heard)
        self._desk = Desk(config.topics.commands, board, self._audit, self._writer, meter)
        self._orphans = Orphans(config, self._desk, self._audit)
        self._guard = Guard(config, self._sessions, Proxy(config.proxy), self._audit, meter)
        self._oidc = Oidc(config, self._sessions, self._audit, meter, clock) if config.oidc else None
        self.routes: Sequence[Route] = (
            *Login(config, self._accounts, self._sessions, self._audit, meter, clock).routes(),
            *(self._oidc.routes() if self._oidc else ()),
            *Orders(self._desk, board, self._audit).routes(),
            *Ledger(config, self._audit).routes(),
        )

    def middleware(self, routes: Sequence[Route]) -> Middleware:
        """Return what every request has to pass, for all routes of the application."""
        return self._guard.middleware(routes)

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put the security headers on an answer."""
        await self._guard.on_prepare(request, response)

    def holds(self, identity: Identity) -> bool:
        """Tell whether somebody's session is still good."""
        return self._sessions.holds(identity)

    def audit_of(self, product_id: str) -> Sequence[AuditEntry]:
        """Return the newest lines about a product, oldest first."""
        return self._audit.of_product(product_id, MOST_OF_PRODUCT)

    def event(self, event: FuseEvent, *, live: bool) -> None:
        """Take in a fuse event, after the board has."""
        self._desk.event(event, live=live)

    def problem(self) -> str | None:
        """Return why nothing can be ordered; None when all is well."""
        return self._audit.problem()

    def waits_for(self) -> str | None:
        """Return what has to be read before orders are taken; None when it is."""
        return None if self._audit.ready.is_set() else "it reads the audit, or waits for the broker"

    async def run(self) -> None:
        """Work until cancelled. Raises BrokerRefused."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._writer.run())
                tasks.create_task(self._audit.run())
                tasks.create_task(self._orphans.run())
        finally:
            self._desk.close()
            self._accounts.close()
            if self._oidc is not None:
                await self._oidc.close()

    async def settle(self) -> None:
        """Give what is under way a moment: orders that wait for their answer, lines that are not written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._desk.settle()
                await self._audit.settle()

    def _heard(self, entry: AuditEntry) -> None:
        if entry.what == "logout" and entry.session_id is not None:
            self._sessions.revoke(entry.session_id)
