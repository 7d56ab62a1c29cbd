"""`make screenshots`: the pages of a show in progress, as docs/screenshots has them. Look at them afterwards."""

import asyncio
import base64
import math
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, expect

from schemas.events import Watchlist, WatchlistEntry
from schemas.topics import partition_of
from tests.browser.line import Line
from tests.browser.person import NARROW, WIDE, Language, Person, Theme
from tests.browser.shop import now_ms
from tests.browser.show import Show
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import PROJECT, SIGNALS_PARTITIONS

pytestmark = [pytest.mark.screenshots, pytest.mark.asyncio(loop_scope="module")]

FOLDER = PROJECT / "docs" / "screenshots"
"""Those that the README shows; the others go to `.cache/screenshots`, to be looked at."""
LOOKED_AT = PROJECT / ".cache" / "screenshots"
KEPT = {
    "board-en-1440-light",
    "board-zh-1440-dark",
    "board-zh-360-dark",
    "resume-en-1440-dark",
    "product-zh-1440-light",
    "stale-en-1440-light",
    "stale-zh-360-light",
    "login-en-360-light",
}
LARGEST = 120_000

MUG, JACKET, CREAM, PHONE, TEA, LIPSTICK = (
    "保温杯-500ml",
    "down-jacket-88",
    "面霜-S3",
    "phone-x12",
    "龙井茶-250g",
    "lipstick-07",
)


HOUR: dict[tuple[str, str, str | None], tuple[float, float, float]] = {
    (MUG, "complaint-surge", None): (4, 48, 50),
    (TEA, "complaint-surge", None): (9, 43, 50),
    (TEA, "oversell", None): (940, 95, 45),
    (CREAM, "critical-complaints", None): (0, 4, 5),
    (LIPSTICK, "critical-complaints", None): (1, 5, 5),
    (PHONE, "oversell", None): (620, 42, 20),
    (JACKET, "oversell", "red-M"): (210, 14, 6),
}
"""What was measured an hour ago and just now, and the limit."""
POINTS = 40


async def tell_the_hour(show: Show) -> None:
    """Write the watch lists of the hour before, for charts with something in them."""
    end_ms = now_ms()
    async with AIOKafkaProducer(bootstrap_servers=show.cluster.bootstrap) as producer:
        for number in range(POINTS):
            share = number / (POINTS - 1)
            as_of = end_ms - int(58 * 60_000 * (1 - share)) - 10_000
            lists: dict[int, list[WatchlistEntry]] = defaultdict(list)
            for (product_id, rule, sku_id), (first, last, limit) in HOUR.items():
                # Not too straight: sales and complaints come in waves.
                measured = round(first + (last - first) * (share + 0.06 * math.sin(share * 25) * (1 - share)))
                lists[partition_of(product_id, SIGNALS_PARTITIONS)].append(
                    WatchlistEntry(
                        product_id=product_id,
                        sku_id=sku_id,
                        rule=rule,
                        nearness=min(measured, limit) / max(measured, limit),
                        measured=measured,
                        limit=limit,
                    )
                )
            for partition, entries in lists.items():
                value = Watchlist(as_of=as_of, partition=partition, products=tuple(entries)).model_dump_json()
                await producer.send_and_wait(
                    show.cluster.names.watchlist, value.encode(), key=str(partition).encode(), timestamp_ms=as_of
                )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(kafka: KafkaBroker, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Show]:
    """Yield a show in which something of every kind has happened."""
    directory = tmp_path_factory.mktemp("show")
    for folder in (FOLDER, LOOKED_AT):
        folder.mkdir(exist_ok=True)
    async with Show.on(kafka.bootstrap, f"t{uuid4().hex[:10]}", directory, LIVEFUSE_APPLICATION="livefuse") as show:
        await tell_the_hour(show)
        show.console.kill()
        show.console.start()
        await show.serving()
        shop = show.shop
        await shop.stock((JACKET, "red-M", 12), (JACKET, "red-L", 800), (PHONE, None, 40), (TEA, None, 90))
        for _ in range(9):
            await shop.order((JACKET, "red-M", 1), (JACKET, "red-L", 3), (PHONE, None, 4), (TEA, None, 5))
        await shop.complain(MUG, 51, category="quality", room_id="studio-1")
        await shop.complain(TEA, 43, category="logistics", room_id="studio-2")
        await shop.complain(CREAM, 6, category="allergy", room_id="studio-2")
        await shop.complain(LIPSTICK, 8, category="counterfeit", room_id="studio-2")
        async with Person.at(chromium, show.url, "mei") as mei:
            await mei.stands(LIPSTICK, "paused")
            await mei.ask("resume", LIPSTICK, "两批次已核对，证书齐全")
            await mei.stands(LIPSTICK, "probation")
            await mei.stands(CREAM, "paused")
            await mei.card(CREAM).get_by_test_id("action-acknowledge").click()
            await mei.on("pause-any").click()
            await mei.on("product-id").fill("gift-box-3")
            await mei.on("reason").fill("wrong price on the slide")
            await mei.on("order-dialog").get_by_test_id("confirm").click()
            await mei.stands("gift-box-3", "paused")
            await expect(mei.on("order")).to_have_count(0)
        yield show


async def picture(person: Person, name: str) -> None:
    """Keep what is in the window, as a small file."""
    content = await shot(person)
    folder = FOLDER if name in KEPT else LOOKED_AT
    await asyncio.to_thread((folder / f"{name}.webp").write_bytes, content)


async def shot(person: Person) -> bytes:
    """Return what is in the window as WebP, as well as it goes into so few bytes."""
    session = await person.page.context.new_cdp_session(person.page)
    for quality in (85, 70, 55, 40, 25):
        answer: dict[str, Any] = await session.send(
            "Page.captureScreenshot", {"format": "webp", "quality": quality, "optimizeForSpeed": False}
        )
        content = base64.b64decode(answer["data"])
        if len(content) < LARGEST:
            break
    await session.detach()
    assert len(content) < LARGEST
    return content


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "360"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
async def test_screenshots(
    scene: Show, chromium: Browser, language: Language, theme: Theme, size: tuple[int, int]
) -> None:
    suffix = f"{language[:2]}-{size[0]}-{theme}"
    looks: dict[str, Any] = {"language": language, "theme": theme, "size": size}
    async with Line(scene.port) as line:
        async with Person.at(chromium, line.url, None, **looks) as nobody:
            await expect(nobody.on("login-submit")).to_be_visible()
            await picture(nobody, f"login-{suffix}")
        async with Person.at(chromium, line.url, "bo", **looks) as bo:
            await bo.stands(MUG, "paused")
            for each in (CREAM, TEA, PHONE, MUG):
                await bo.card(each).scroll_into_view_if_needed()
                await expect(bo.card(each).get_by_test_id("chart")).to_be_visible()
            await bo.page.evaluate("window.scrollTo(0, 0)")
            await picture(bo, f"board-{suffix}")
            await bo.card(MUG).get_by_test_id("action-resume").click()
            await bo.on("quick-1").click()
            await picture(bo, f"resume-{suffix}")
            await bo.page.keyboard.press("Escape")
            await bo.card(MUG).get_by_role("link").first.click()
            await expect(bo.on("history").locator("li").first).to_be_visible()
            await picture(bo, f"product-{suffix}")
            await bo.on("nav-audit").click()
            await expect(bo.on("audit-entry").first).to_be_visible()
            await picture(bo, f"audit-{suffix}")
            await bo.on("nav-board").click()
            await line.cut()
            await bo.stale()
            await bo.page.evaluate("window.scrollTo(0, 0)")
            await expect(bo.on("banner-stale")).to_be_visible()
            await picture(bo, f"stale-{suffix}")
