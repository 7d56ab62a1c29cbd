import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from alerts.console import stream
from alerts.console.audit import line
from alerts.console.config import ConsoleConfig
from alerts.console.history import Found, Histories
from alerts.console.models import Delta, Events, Health, History, ProductDetail, Products, Refusal, Snapshot
from alerts.console.pages import Pages
from alerts.console.server import Console
from alerts.follower import Known
from schemas.topics import TopicNames
from tests.alerts.console.open_doors import MEI, OpenDoors
from tests.alerts.console.reader import reading
from tests.alerts.console.test_board import fuse, state, watchlist
from tests.alerts.pager.examples import CLOSED, OVERSELL, event

INPUT = {"input": "orders", "topic": "live.orders", "last_at": None, "lag": 3}
LOOK = {"intakes": 1, "workers": 2, "intake_lag": 3, "worker_lag": 0, "behind_s": 0.5, "inputs": [INPUT]}


class Looking:
    """A pipeline that tells `found`, or raises it."""

    def __init__(self) -> None:
        self.found: Mapping[str, Any] | Exception = LOOK

    async def look(self) -> Mapping[str, Any]:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Rig:
    """A console over HTTP, fed by the test in place of Kafka."""

    def __init__(self, folder: Path) -> None:
        self.doors = OpenDoors()
        self.registry = CollectorRegistry()
        config = ConsoleConfig(client={}, topics=TopicNames(), partitions=4)
        self.console = Console(config, Looking(), self.registry, lambda *_: self.doors)
        self.server = TestServer(self.console.application(Pages(folder)))
        self.session = aiohttp.ClientSession()

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    async def begin(self, *states: Any, events: tuple[Any, ...] = ()) -> None:
        """Have everything of before read."""
        now_ms = now()
        await self.console.rebuilt([Known(each, now_ms) for each in events], [Known(each, now_ms) for each in states])
        self.console.follower.heard = time.time()
        self.console.follower.ready.set()

    async def get(self, path: str, model: type[BaseModel] | None = None, **query: Any) -> Any:
        async with self.session.get(f"{self.url}/api/v1/{path}", params=query) as answer:
            body = await answer.read()
            assert answer.status == 200, body
            assert answer.headers["Cache-Control"] == "no-store"
        if model is not None:
            model.model_validate_json(body)
        return orjson.loads(body)

    async def refused(self, path: str, method: str = "GET", **more: Any) -> tuple[int, Refusal, Mapping[str, str]]:
        async with self.session.request(method, f"{self.url}{path}", **more) as answer:
            return answer.status, Refusal.model_validate_json(await answer.read()), answer.headers


def now() -> int:
    return int(time.time() * 1000)


@asynccontextmanager
async def made(folder: Path) -> AsyncIterator[Rig]:
    rig = Rig(folder)
    await rig.server.start_server()
    hub = asyncio.create_task(rig.console.hub.run())
    try:
        async with rig.session:
            yield rig
    finally:
        hub.cancel()
        await asyncio.gather(hub, return_exceptions=True)
        await rig.server.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "assets" / "app-1a2b.js").write_text("let words;" * 1000)
    (tmp_path / "assets" / "app-1a2b.js.map").write_text("{}")
    async with made(tmp_path) as rig:
        yield rig


PATHS = ("board", "stream", "products", "product?id=x", "product/history?id=x", "events")


@pytest.mark.parametrize("path", PATHS)
async def test_until_the_board_is_rebuilt_it_says_that_it_starts(rig: Rig, path: str) -> None:
    status, refusal, headers = await rig.refused(f"/api/v1/{path}")
    assert (status, refusal.error, headers["Retry-After"]) == (503, "starting", "2")
    assert rig.console.ready() is not None


async def test_what_was_before_is_shown_and_told_to_the_desk_as_not_live(rig: Rig) -> None:
    await rig.begin(state(), events=(event(),))
    found = await rig.get("board", Snapshot)
    assert [each["product_id"] for each in found["products"]] == ["p42"]
    assert [each["sequence"] for each in found["events"]] == [7]
    rig.console.event(event(CLOSED, sequence=8), now())
    assert [(each.sequence, live) for each, live in rig.doors.told] == [(7, False), (8, True)]
    assert rig.console.ready() is None
    assert rig.console.board.ready


async def test_a_stream_begins_with_a_snapshot_and_goes_on(rig: Rig) -> None:
    await rig.begin(state("before"))
    async with reading(rig.session, rig.url) as page:
        assert page.response.headers["Content-Type"].startswith("text/event-stream")
        await page.next()
        assert list(page.products) == ["before"]
        rig.console.event(event(product_id="☕/?<b>"), now())
        rig.console.state("☕/?<b>", state("☕/?<b>"))
        rig.console.watchlist(0, watchlist(now(), ("near", 0.5)))
        await page.until(lambda: page.watchlist and "☕/?<b>" in page.products)
        for kind, _, data in page.messages[1:]:
            assert kind == "delta"
            Delta.model_validate_json(orjson.dumps(data))
        last_id = page.last_id
    rig.console.state("before", None)
    async with reading(rig.session, rig.url, last_id) as page:
        _, _, data = await page.next()
        assert data["gone"] == ["before"]


async def test_a_stream_over_http_1_0_has_no_chunks(rig: Rig) -> None:
    await rig.begin(state())
    reader, writer = await asyncio.open_connection(rig.server.host, rig.server.port)
    writer.write(b"GET /api/v1/stream HTTP/1.0\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert await reader.readuntil(b"\n\n") == b"retry: 1000\n\n"
    assert (await reader.readuntil(b"\n\n")).startswith(b"event: snapshot\nid: ")
    writer.close()


async def test_a_proxy_is_asked_again_who_reads_a_stream(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WORD_S", 0.0)
    await rig.begin(state("before"))
    async with (
        reading(rig.session, rig.url) as other,
        reading(rig.session, rig.url, **{"X-Proxied": "", "X-Session": "session-2"}) as page,
    ):
        await other.next()
        await page.next()
        last_id = page.last_id
        while (kind := (await page.next())[0]) != "again":
            assert kind == "delta"
        assert rig.console.hub.pages == 1
        # Who signed in here has a session that is looked at all the time.
        rig.console.state("before", None)
        await other.until(lambda: not other.products)
        assert "again" not in [each for each, _, _ in other.messages]
    async with reading(rig.session, rig.url, last_id) as page:
        assert (await page.next())[2]["gone"] == ["before"]
    assert rig.registry.get_sample_value("livefuse_console_streams_dropped_total", {"reason": "session"}) == 0


async def test_head_of_the_stream_opens_none(rig: Rig) -> None:
    await rig.begin()
    async with rig.session.head(f"{rig.url}/api/v1/stream") as answer:
        assert answer.status == 200
    assert not rig.console.hub.clients


async def test_there_is_a_limit_of_streams(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.begin()
    monkeypatch.setattr(stream, "MOST_OF_A_SESSION", 2)
    monkeypatch.setattr(stream, "MOST_STREAMS", 3)
    async with reading(rig.session, rig.url) as one, reading(rig.session, rig.url) as two:
        await asyncio.gather(one.next(), two.next())
        status, refusal, headers = await rig.refused("/api/v1/stream")
        assert (status, refusal.error) == (429, "too_many_streams")
        assert int(headers["Retry-After"]) > 0
        async with reading(rig.session, rig.url, **{"X-Session": "another"}) as three:
            await three.next()
            status, refusal, _ = await rig.refused("/api/v1/stream", headers={"X-Session": "third"})
            assert (status, refusal.error) == (503, "too_many_streams")


async def test_products_come_in_pages_and_by_what_is_asked(rig: Rig) -> None:
    await rig.begin(
        *(state(f"p{number}", 7, fuse(since=1_794_398_400_000 - number)) for number in range(7)),
        state(
            "Ünï", 7, fuse(rule="oversell", sku_id="RED"), room_id="room 2", paused={"product": False, "skus": ["RED"]}
        ),
    )
    first = await rig.get("products", Products, limit=3)
    second = await rig.get("products", Products, limit=3, after=first["next"])
    third = await rig.get("products", Products, limit=3, after=second["next"])
    ids = [each["product_id"] for page in (first, second, third) for each in page["products"]]
    assert ids == [*(f"p{number}" for number in range(7)), "Ünï"]
    assert third["next"] is None
    for query in (
        {"room": "room 2"}, {"rule": "oversell"}, {"state": "partly"}, {"text": "ünÏ"}, {"text": "red"},
        {"text": "room 2", "rule": "oversell", "limit": 1},
    ):  # fmt: skip
        found = await rig.get("products", Products, **query)
        assert [each["product_id"] for each in found["products"]] == ["Ünï"], query
    assert (await rig.get("products", Products, text="nowhere"))["products"] == []


async def test_one_product_with_its_chart(rig: Rig) -> None:
    product_id = "a/../b?%2e ☕"
    await rig.begin(state(product_id))
    rig.console.watchlist(0, watchlist(now(), (product_id, 0.5)))
    found = await rig.get("product", ProductDetail, id=product_id)
    assert found["product"]["product_id"] == product_id
    assert len(found["watched"]) == len(found["series"]) == 1
    unknown = await rig.get("product", ProductDetail, id="unknown")
    assert (unknown["product"], unknown["sequence"]) == (None, 0)


async def test_events_newest_first_and_by_what_is_asked(rig: Rig) -> None:
    await rig.begin(events=tuple(event(product_id=f"p{number}", room_id=f"r{number}") for number in range(5)))
    rig.console.event(event(OVERSELL, product_id="p9", reason="Zu TEUER", actor="operator:mei"), now())
    first = await rig.get("events", Events, limit=4)
    second = await rig.get("events", Events, limit=4, before=first["next"])
    ids = [each["product_id"] for page in (first, second) for each in page["events"]]
    assert ids == ["p9", "p4", "p3", "p2", "p1", "p0"]
    assert second["next"] is None
    for query in ({"room": "r3"}, {"text": "P3"}):
        assert [each["product_id"] for each in (await rig.get("events", Events, **query))["events"]] == ["p3"]
    for query in ({"rule": "oversell"}, {"text": "zu teuer"}, {"text": "OPERATOR:MEI"}):
        assert [each["product_id"] for each in (await rig.get("events", Events, **query))["events"]] == ["p9"]
    assert (await rig.get("events", Events, type="fuse.closed"))["events"] == []


@pytest.mark.parametrize(
    "path",
    [
        "products?limit=0", "products?limit=501", "products?limit=x", "products?state=secret", "products?secret=1",
        "products?after=secret", "products?after=WzEsMSwxLDFd", "products?after=bnVsbA", "products?room=",
        "products?room=a&room=b", "product", "product?id=", "product?id=%00secret", "events?before=0", "events?type=x",
        "product/history", "products?text=" + "secret" * 40, "product?id=" + "secret" * 40,
    ],
)  # fmt: skip
async def test_a_query_that_does_not_fit_is_refused_and_not_repeated(rig: Rig, path: str) -> None:
    await rig.begin()
    status, refusal, _ = await rig.refused(f"/api/v1/{path}")
    assert (status, refusal.error) == (400, "invalid")
    assert "secret" not in refusal.message.replace("shadow", "")


async def test_a_viewer_reads_no_audit_in_a_history(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> Found:
        return Found([], complete=True)

    monkeypatch.setattr(Histories, "read", read)
    rig.doors.lines = [line("command", MEI, "10.1.2.3", now(), product_id="p42", action="pause")]
    await rig.begin()
    assert [each["client"] for each in (await rig.get("product/history", id="p42"))["audit"]] == ["10.1.2.3"]
    async with rig.session.get(f"{rig.url}/api/v1/product/history?id=p42", headers={"X-Viewer": "1"}) as answer:
        assert orjson.loads(await answer.read())["audit"] == []


async def test_pages_that_come_at_once_are_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.begin()
    monkeypatch.setattr(stream, "MOST_OF_A_SESSION", 2)
    monkeypatch.setattr(rig.console.hub, "flush", lambda: None)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            answer = await stack.enter_async_context(rig.session.get(f"{rig.url}/api/v1/stream"))
            assert answer.status == 200
            await answer.content.readuntil(b"\n\n")
        assert not rig.console.hub.clients
        status, _, _ = await rig.refused("/api/v1/stream")
        assert status == 429


async def test_a_history_without_a_broker_is_refused(rig: Rig) -> None:
    await rig.begin()
    status, refusal, _ = await rig.refused("/api/v1/product/history?id=p42")
    assert (status, refusal.error) == (503, "broker_away")
    assert History.model_fields.keys() == {"product_id", "events", "audit", "complete"}


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/assets/app.js", 404, "not_found"),
        ("GET", "/assets/app-1a2b.js.map", 404, "not_found"),
        ("GET", "/assets/../../server.py", 200, ""),
        ("GET", "/assets/%2e%2e/%2e%2e/server.py", 200, ""),
        ("POST", "/api/v1/board", 405, "method_not_allowed"),
        ("DELETE", "/", 405, "method_not_allowed"),
        ("POST", "/products/x", 405, "method_not_allowed"),
    ],
)
async def test_errors_are_refusals(rig: Rig, method: str, path: str, status: int, error: str) -> None:
    await rig.begin()
    async with rig.session.request(method, f"{rig.url}{path}") as answer:
        body = await answer.read()
        if status == 200:
            # Not a way out of the folder: a path of the page like any other.
            assert answer.status in {200, 404}
            assert b"class Console" not in body
            return
        assert answer.status == status
        assert Refusal.model_validate_json(body).error == error
        if status == 405:
            assert "GET" in answer.headers["Allow"]


async def test_a_fault_of_our_own_is_a_refusal_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.begin()

    def fail(_: str) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(rig.console.board, "detail", fail)
    status, refusal, _ = await rig.refused("/api/v1/product?id=x")
    assert (status, refusal.error) == (500, "internal")
    assert "secret" not in refusal.message


@pytest.mark.parametrize("path", ["/", "/products/p%2F42%3F", "/login", "/anything"])
async def test_the_page_answers_every_path_of_its_own(rig: Rig, path: str) -> None:
    async with rig.session.get(f"{rig.url}{path}") as answer:
        assert answer.status == 200
        assert await answer.text() == "<!doctype html><title>page</title>"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_assets_stay_in_caches_for_ever_and_travel_packed(rig: Rig) -> None:
    async with rig.session.get(f"{rig.url}/assets/app-1a2b.js") as answer:
        assert await answer.text() == "let words;" * 1000
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        assert "javascript" in answer.headers["Content-Type"]
    async with rig.session.get(f"{rig.url}/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Vary"] == "Accept-Encoding"


async def test_a_console_without_its_page_says_so(tmp_path: Path) -> None:
    async with made(tmp_path) as rig, rig.session.get(rig.url) as answer:
        assert answer.status == 503
        assert "make page" in await answer.text()


async def test_health_is_told_also_while_it_starts(rig: Rig) -> None:
    found = await rig.get("health", Health)
    assert found["workers"] is None


async def test_what_is_counted(rig: Rig) -> None:
    await rig.begin()

    def value(name: str, **labels: str) -> float | None:
        return rig.registry.get_sample_value(name, labels)

    async with reading(rig.session, rig.url) as page:
        await page.next()
        rig.console.event(event(), now())
        rig.console.event(event(CLOSED, sequence=9), now())
        await page.until(lambda: sum(len(data.get("events", ())) for _, _, data in page.messages) == 2)
        assert value("livefuse_console_streams") == 1
    assert value("livefuse_console_events_total", type="fuse.opened") == 1
    assert value("livefuse_console_sequence_gaps_total") == 1
    assert value("livefuse_console_delta_seconds_count") == 2
    assert value("livefuse_console_board_products") == 0
