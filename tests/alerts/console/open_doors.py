"""Doors that stand open: everybody is Mei, an admin, while `holds_sessions`.

With `X-Viewer` she is a viewer, with `X-Proxied` a proxy has let her in.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from alerts.console.asked import IDENTITY
from alerts.console.identity import Identity
from alerts.console.routes import Route
from schemas.audit import AuditEntry
from schemas.events import FuseEvent

MEI = Identity("mei", "admin", "password", "session-1")


class OpenDoors:
    """Fits `server.Doors`. `told` are the events that it was given, with whether they were live."""

    def __init__(self, *_: Any) -> None:
        self.holds_sessions = True
        self.lines: Sequence[AuditEntry] = ()
        self.told: list[tuple[FuseEvent, bool]] = []
        self.routes: Sequence[Route] = ()

    def middleware(self, _: Sequence[Route]) -> Middleware:
        @web.middleware
        async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
            found = MEI._replace(session_id=request.headers.get("X-Session", MEI.session_id))
            found = found._replace(role="viewer") if "X-Viewer" in request.headers else found
            request[IDENTITY] = found._replace(way="proxy") if "X-Proxied" in request.headers else found
            return await handler(request)

        return let_in

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        pass

    def holds(self, _: Identity) -> bool:
        return self.holds_sessions

    def audit_of(self, _: str) -> Sequence[AuditEntry]:
        return self.lines

    def event(self, event: FuseEvent, *, live: bool) -> None:
        self.told.append((event, live))

    def problem(self) -> str | None:
        return None

    def waits_for(self) -> str | None:
        return None

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def settle(self) -> None:
        pass
