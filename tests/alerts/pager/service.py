"""A service that the pager speaks to, on this machine: real HTTP, answers as the test has them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Received:
    """One request as the service got it."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    filters: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


Behave = Callable[[Received], web.Response | Awaitable[web.Response]]


@dataclass
class Service:
    """Where it listens, what it got, and how it behaves; `hang` answers nothing until the test is over."""

    url: str
    behave: Behave
    received: list[Received] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def hang(self, _: Received) -> web.Response:
        """Keep the caller waiting."""
        await self.over.wait()
        return web.Response()

    @property
    def last(self) -> Received:
        """The newest request."""
        return self.received[-1]


def says(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Make an answer of JSON."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")


@asynccontextmanager
async def serving(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[Service]:
    """Run a service for a while."""

    async def handle(request: web.Request) -> web.StreamResponse:
        received = Received(
            request.path,
            dict(request.query),
            dict(request.headers),
            await request.read(),
            request.method,
            request.query.getall("filter", []),
        )
        service.received.append(received)
        answer = service.behave(received)
        return answer if isinstance(answer, web.Response) else await answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app, skip_url_asserts=True)
    service = Service("", behave)
    await server.start_server(ssl=tls)
    service.url = str(server.make_url("/")).rstrip("/")
    try:
        yield service
    finally:
        service.over.set()
        await server.close()
