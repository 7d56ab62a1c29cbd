"""Reads a stream of the console as a page does, and keeps what the page would show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import orjson


class Page:
    """What a page knows. `messages` are all, as (event, id, data)."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.messages: list[tuple[str, str | None, dict[str, Any]]] = []
        self.products: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.watchlist: list[dict[str, Any]] = []
        self.health: dict[str, Any] = {}
        self.counts: dict[str, int] = {}
        self.last_id: str | None = None

    async def next(self) -> tuple[str, str | None, dict[str, Any]]:
        """Take the next message in and return it. Raises EOFError at the end of the stream."""
        fields: dict[str, str] = {}
        while True:
            line = (await self.response.content.readuntil(b"\n")).decode()
            if not line.endswith("\n"):
                raise EOFError
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                break
            else:
                fields = {}
        message = (fields["event"], fields.get("id"), orjson.loads(fields["data"]))
        self.messages.append(message)
        self._take(*message)
        return message

    async def until(self, condition: Callable[[], object], within_s: float = 60.0) -> Self:
        """Read on until the condition holds. Raises EOFError at the end of the stream, TimeoutError."""
        async with asyncio.timeout(within_s):
            while not condition():
                await self.next()
        return self

    def sequences(self, product_id: str) -> list[int]:
        """Return the sequences of a product's events, in the order in which they came."""
        return [each["sequence"] for each in self.events.values() if each["product_id"] == product_id]

    def _take(self, event: str, number: str | None, data: dict[str, Any]) -> None:
        self.last_id = number or self.last_id
        if event == "snapshot":
            self.products = {}
        if event in {"snapshot", "delta"}:
            self.products |= {each["product_id"]: each for each in data.get("products", ())}
            for product_id in data.get("gone", ()):
                self.products.pop(product_id, None)
            for each in data.get("events", ()):
                self.events.setdefault(each["event_id"], each)
            self.watchlist = data.get("watchlist", self.watchlist)
            self.health = data.get("health", self.health)
            self.counts = data.get("counts", self.counts)


@asynccontextmanager
async def reading(
    session: aiohttp.ClientSession, url: str, last_id: str | None = None, **headers: str
) -> AsyncIterator[Page]:
    """Open a stream."""
    given = headers | ({} if last_id is None else {"Last-Event-ID": last_id})
    async with session.get(f"{url}/api/v1/stream", headers=given, read_bufsize=2**22) as response:
        assert response.status == 200, await response.text()
        yield Page(response)
