"""`make screenshots`: the pages of a show in progress, as docs/screenshots has them. Look at them afterwards."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.line import Line
from tests.browser.person import NARROW, WIDE, Language, Person, Theme
from tests.browser.show import Show
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import PROJECT

pytestmark = [pytest.mark.screenshots, pytest.mark.asyncio(loop_scope="module")]

FOLDER = PROJECT / "docs" / "screenshots"
LARGEST = 120_000

MUG, JACKET, CREAM, PHONE, TEA, LIPSTICK = (
    "保温杯-500ml",
    "down-jacket-88",
    "面霜-S3",
    "phone-x12",
    "龙井茶-250g",
    "lipstick-07",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(kafka: KafkaBroker, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Show]:
    """Yield a show in which something of every kind has happened."""
    directory = tmp_path_factory.mktemp("show")
    FOLDER.mkdir(exist_ok=True)
    async with Show.on(kafka.bootstrap, f"t{uuid4().hex[:10]}", directory) as show:
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
    await asyncio.to_thread((FOLDER / f"{name}.webp").write_bytes, content)


async def shot(person: Person) -> bytes:
    """Return what is in the window as WebP, as well as it goes into so few bytes."""
    session = await person.page.context.new_cdp_session(person.page)
    for quality in (85, 70, 55):
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
            await expect(bo.card(CREAM).get_by_test_id("chart")).to_be_visible()
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
