"""What may be read: the board, products, events, health. For everybody who has signed in."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import orjson
from aiohttp import web

from alerts.console.asked import IDENTITY
from alerts.console.board import Board
from alerts.console.entry import Entry, Standing
from alerts.console.history import Histories
from alerts.console.hub import Hub
from alerts.console.models import (
    Events,
    EventsQuery,
    Health,
    History,
    ProductDetail,
    ProductQuery,
    Products,
    ProductsQuery,
    Snapshot,
)
from alerts.console.refusals import json_answer
from alerts.console.refused import Refused, query_of
from alerts.console.routes import Handler, Route
from alerts.console.stream import Stream
from schemas.audit import AuditEntry

_SLICE: Final = 2_000
"""So many products or events are looked through before others have their turn."""

_STARTING: Final = {503: "The console is still reading what was before it (`starting`), or too busy."}


class Api:
    """The handlers. `ready` tells whether the board is rebuilt, `audit_of` what the audit says of a product."""

    def __init__(
        self,
        board: Board,
        hub: Hub,
        stream: Stream,
        histories: Histories,
        *,
        health: Callable[[], bytes],
        audit_of: Callable[[str], Sequence[AuditEntry]],
        waits_for: Callable[[], str | None],
    ) -> None:
        self._board = board
        self._hub = hub
        self._stream = stream
        self._histories = histories
        self._health = health
        self._audit_of = audit_of
        self._waits_for = waits_for

    @property
    def routes(self) -> tuple[Route, ...]:
        """What is served."""
        return (
            Route("GET", "/api/v1/board", "board", "All that the page shows", self._gated(self._show_board), "viewer",
                  {200: Snapshot}, errors=_STARTING),
            Route("GET", "/api/v1/stream", "stream", "Snapshot and deltas as server-sent events",
                  self._gated(self._stream.handle), "viewer", {200: "text/event-stream"},
                  errors={**_STARTING, 429: "Too many streams of this session."}),
            Route("GET", "/api/v1/products", "products", "Products of which something is to be said",
                  self._gated(self._show_products), "viewer", {200: Products}, query=ProductsQuery, errors=_STARTING),
            Route("GET", "/api/v1/product", "product", "One product with the last hour of its rules",
                  self._gated(self._show_product), "viewer", {200: ProductDetail}, query=ProductQuery,
                  errors=_STARTING),
            Route("GET", "/api/v1/product/history", "product_history", "What happened to one product, from Kafka",
                  self._gated(self._show_history), "viewer", {200: History}, query=ProductQuery, errors=_STARTING),
            Route("GET", "/api/v1/events", "events", "Fuse events of the last hour", self._gated(self._show_events),
                  "viewer", {200: Events}, query=EventsQuery, errors=_STARTING),
            Route("GET", "/api/v1/health", "health", "How far what is shown can be trusted", self._show_health,
                  "viewer", {200: Health}),
        )  # fmt: skip

    def _gated(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            waits_for = self._waits_for()
            if waits_for is not None:
                raise Refused(503, "starting", f"The console starts: {waits_for}.", retry_after=1)
            return await handler(request)

        return handle

    async def _show_board(self, _: web.Request) -> web.Response:
        return json_answer(self._hub.snapshot())

    async def _show_health(self, _: web.Request) -> web.Response:
        return json_answer(self._health())

    async def _show_product(self, request: web.Request) -> web.Response:
        query = query_of(request, ProductQuery)
        return json_answer(self._board.detail(query.id))

    async def _show_history(self, request: web.Request) -> web.Response:
        query = query_of(request, ProductQuery)
        found = await self._histories.read(query.id)
        # Who ordered what stands in the events; from where, and what was refused, is for those who order.
        lines = self._audit_of(query.id) if request[IDENTITY].may("operator") else ()
        return json_answer(
            {
                "product_id": query.id,
                "events": [orjson.Fragment(each.model_dump_json()) for each in found.events],
                "audit": [orjson.Fragment(each.model_dump_json()) for each in lines],
                "complete": found.complete,
            }
        )

    async def _show_products(self, request: web.Request) -> web.Response:
        query = query_of(request, ProductsQuery)
        found: list[Entry] = []
        place = None if query.after is None else _place_of(query.after)
        text = None if query.text is None else query.text.casefold()
        more = False
        for number, entry in enumerate(self._board.listed(place), 1):
            if number % _SLICE == 0:
                await asyncio.sleep(0)
            if _fits(entry, query, text):
                more = len(found) == query.limit
                if more:
                    break
                found.append(entry)
        last = found[-1].standing if more else None
        return json_answer(
            {
                "products": [orjson.Fragment(each.made()) for each in found],
                "next": None if last is None else _cursor_of(last),
            }
        )

    async def _show_events(self, request: web.Request) -> web.Response:
        query = query_of(request, EventsQuery)
        text = None if query.text is None else query.text.casefold()
        lines = [
            line
            for line in self._board.feed.backwards(query.before)
            if (query.room is None or line.room_id == query.room)
            and (query.rule is None or line.rule == query.rule)
            and (query.type is None or line.type == query.type)
            and (text is None or text in line.text)
        ]
        shown = lines[: query.limit]
        return json_answer(
            {
                "events": [orjson.Fragment(line.json) for line in shown],
                "next": shown[-1].number if len(lines) > len(shown) else None,
            }
        )


def _fits(entry: Entry, query: ProductsQuery, text: str | None) -> bool:
    told = entry.told
    return (
        entry.standing is not None
        and (query.room is None or entry.room_id == query.room)
        and (query.rule is None or (told is not None and query.rule in told.rules))
        and (query.state is None or entry.phase == query.state)
        and (text is None or any(text in each.casefold() for each in entry.words()))
    )


def _cursor_of(place: Standing) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode().rstrip("=")


def _place_of(cursor: str) -> Standing:
    try:
        phase, severity, newest, product_id = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise Refused(400, "invalid", "after: Input should be what `next` of an answer was") from None
    place = Standing(phase, severity, newest, product_id)
    if [type(each) for each in place] != [int, int, int, str]:
        raise Refused(400, "invalid", "after: Input should be what `next` of an answer was")
    return place
