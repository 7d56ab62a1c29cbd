"""`GET /api/v1/stream`: server-sent events. The hub writes them; the handler only waits for the end.

    event: snapshot | delta | ping | again      id: <instance>-<number>      data: JSON on one line
    retry: 1000, once, at the beginning

What a proxy said of somebody it said of one request. So the stream of its user ends with `again` after `WORD_S`, and
the next request, with `Last-Event-ID`, goes on where it was: or is refused, if the proxy says something else by then.

HTTP/1.0, as some proxies speak it, has no chunks: there the stream ends with the connection.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

from aiohttp import HttpVersion11, web

from alerts.console.asked import IDENTITY
from alerts.console.hub import Client, Hub
from alerts.console.identity import Identity
from alerts.console.refused import Refused

MOST_STREAMS: Final = 2_000
MOST_OF_A_SESSION: Final = 20
WORD_S: Final = 180.0

_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    # nginx would collect what it gets.
    "X-Accel-Buffering": "no",
}


class Stream:
    """The handler. `holds` tells whether a session is still good."""

    def __init__(self, hub: Hub, holds: Callable[[Identity], bool]) -> None:
        self._hub = hub
        self._holds = holds

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one page until it leaves, or has to. Raises Refused when there are too many."""
        if request.method == "HEAD":
            return web.Response(headers=_HEADERS)
        identity = request[IDENTITY]
        self._admit(identity)
        response = web.StreamResponse(headers=_HEADERS)
        chunked = request.version >= HttpVersion11
        if chunked:
            response.enable_chunked_encoding()
        response.force_close()
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return response
        client = Client(
            transport,
            chunked=chunked,
            session_id=identity.session_id,
            allowed=lambda: self._holds(identity),
            until=time.monotonic() + WORD_S if identity.way == "proxy" else math.inf,
        )
        self._hub.join(client, request.headers.get("Last-Event-ID"))
        try:
            await client.done
        finally:
            self._hub.leave(client)
        return response

    def _admit(self, identity: Identity) -> None:
        if self._hub.pages >= MOST_STREAMS:
            raise Refused(503, "too_many_streams", "Too many pages are open.", retry_after=10)
        if self._hub.of_session(identity.session_id) >= MOST_OF_A_SESSION:
            raise Refused(429, "too_many_streams", "You have too many pages open: close some.", retry_after=10)
