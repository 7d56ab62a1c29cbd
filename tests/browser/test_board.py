"""What the board says of a product, of what is near a limit and of its own data, and what it does about it."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.person import Person
from tests.browser.shop import CRITICAL
from tests.browser.show import Show, eventually

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

COUNT_SOUNDS = """
window.sounds = 0;
const Real = window.OscillatorNode;
window.OscillatorNode = class extends Real { start(...given) { window.sounds += 1; super.start(...given); } };
"""


async def test_what_is_paused_says_why_since_when_and_until_when(show: Show, chromium: Browser) -> None:
    async with Person.at(chromium, show.url, "mei") as mei:
        await show.shop.stock(("jacket", "red-M", 3), ("jacket", "red-L", 800), ("tea", None, 60))
        await show.shop.order(("jacket", "red-M", 3), ("tea", None, 6), room_id="studio-7")
        await show.shop.complain("cream", CRITICAL, category="allergy", room_id="studio-2")
        await mei.stands("jacket", "partly")
        jacket = mei.card("jacket")
        for text in (
            "PARTLY PAUSED",
            "critical",
            "red-M",
            "studio-7",
            "oversell",
            "0 left, pauses at",
            "3 on hand as of",
        ):
            await expect(jacket).to_contain_text(text)
        for text in ("since", "recovers by itself with new stock", "not acknowledged"):
            await expect(jacket).to_contain_text(text)
        await mei.stands("cream", "paused")
        cream = mei.card("cream")
        for text in (
            "6 complaints within 1 h, limit 5",
            "critical-complaints",
            "sample: 6 complaints",
            "waits for you",
        ):
            await expect(cream).to_contain_text(text)
        await expect(cream.locator(".evidence code")).to_have_count(3)
        await expect(cream).to_contain_text("and 3 more")
        await expect(cream.get_by_test_id("chart").locator("path.limit")).to_have_count(2)

        # What is near a limit: how near, what is left and how long that lasts.
        tea = mei.on("watchlist").locator('[data-testid="watched"][data-product-id="tea"]')
        for pattern in (r"\d+%", r"54 left", r"sold out in \d+ (s|min)"):
            await expect(tea).to_contain_text(re.compile(pattern))

        # How the data is, and in which zone times are told.
        for topic in ("orders", "complaints", "stock_levels"):
            await expect(mei.on(f"input-{topic}")).to_contain_text(re.compile(r"ago|now"))
        await expect(mei.on("input-returns")).to_contain_text("never")
        await expect(mei.on("health")).to_contain_text(re.compile(r"Live.*last message", re.DOTALL))
        await expect(mei.on("clock")).to_contain_text("GMT+8")

        # The filter: by room, by rule, by state, by text; the feed goes by it too.
        for testid, value in (("filter-room", "studio-2"), ("filter-rule", "critical-complaints")):
            await mei.on(testid).select_option(value)
            await expect(mei.card("cream")).to_have_count(1)
            await expect(mei.card("jacket")).to_have_count(0)
            await expect(mei.event("jacket", "fuse.opened")).to_have_count(0)
            await mei.on("filter-clear").click()
        await mei.on("count-partly").click()
        await expect(mei.on("product-card")).to_have_count(1)
        await mei.on("search").fill("no such product")
        await expect(mei.on("product-card")).to_have_count(0)
        await mei.on("filter-clear").click()
        await expect(mei.event("jacket", "fuse.opened")).to_have_count(1)
        await mei.on("filter-type").select_option("fuse.probation")
        await expect(mei.event("jacket", "fuse.opened")).to_have_count(0)
        await mei.is_unharmed()


async def test_sound_stops_when_it_is_acknowledged_and_the_pause_stays(show: Show, chromium: Browser) -> None:
    async with Person.at(chromium, show.url, None) as mei:
        await mei.page.add_init_script(COUNT_SOUNDS)
        await mei.page.reload()
        await mei.sign_in("mei")
        await mei.live()
        alarm = mei.page.locator("html")
        icon = mei.page.locator('link[rel="icon"]')
        await expect(mei.on("sound")).to_have_attribute("aria-pressed", "false")
        await mei.on("sound").click()
        await expect(mei.on("sound")).to_have_attribute("aria-pressed", "true")
        for name in ("jacket", "cream"):
            if await mei.card(name).get_by_test_id("action-acknowledge").count():
                await mei.card(name).get_by_test_id("action-acknowledge").click()
        await expect(alarm).not_to_have_attribute("data-alarm", re.compile("critical|warning|info"))
        before, looked = await mei.page.evaluate("window.sounds"), await icon.get_attribute("href")
        await show.shop.complain("horn", CRITICAL, category="food_safety")
        await mei.stands("horn", "paused")
        await expect(alarm).to_have_attribute("data-alarm", "critical")
        await mei.page.wait_for_function("(before) => window.sounds > before", arg=before)
        # The icon tells it too, in a tab that nobody looks at.
        assert await icon.get_attribute("href") != looked
        await mei.card("horn").get_by_test_id("action-acknowledge").click()
        await expect(alarm).to_have_attribute("data-alarm", "none")
        await expect(mei.card("horn")).to_contain_text("acknowledged by mei")
        await mei.stands("horn", "paused")


async def test_an_order_needs_a_reason_and_an_allowance_an_end(show: Show, chromium: Browser) -> None:
    async with Person.at(chromium, show.url, "mei") as mei:
        await show.shop.complain("lamp", CRITICAL, category="food_safety")
        await mei.stands("lamp", "paused")
        await mei.card("lamp").get_by_test_id("action-allow").click()
        dialog = mei.on("order-dialog")
        confirm = dialog.get_by_test_id("confirm")
        await expect(dialog).to_contain_text("Allow lamp")
        await expect(mei.on("effect")).to_contain_text("It sells although its fuse is open.")
        await mei.on("reason").fill("   ")
        await confirm.click()
        await expect(dialog).to_contain_text("A reason is needed.")
        await mei.on("reason").fill("the batch is another one")
        await mei.on("long-custom").fill("1441")
        await confirm.click()
        await expect(dialog).to_contain_text("Between 1 minute and 1 d.")
        assert await show.commands("lamp") == []
        await mei.on("long-custom").fill("45")
        await expect(mei.on("effect")).to_contain_text("in 45 min")
        await confirm.click()
        await mei.stands("lamp", "allowed")
        for text in ("Allowed by mei", "the batch is another one", "would be paused by critical-complaints"):
            await expect(mei.card("lamp")).to_contain_text(text)

        # And back: what the fuse pauses it pauses again.
        await mei.card("lamp").get_by_test_id("action-release").click()
        await expect(mei.on("effect")).to_contain_text("pause it again at once: critical-complaints")
        await mei.on("quick-1").click()
        await confirm.click()
        await mei.stands("lamp", "paused")
        await mei.card("lamp").get_by_role("link").first.click()
        await expect(mei.on("history").locator("li")).to_have_count(3)

        async def is_in_its_audit() -> bool:
            await mei.page.reload()
            await expect(mei.on("history").locator("li")).to_have_count(3)
            return await mei.on("product-audit").get_by_text("the batch is another one").count() > 0

        await eventually(is_in_its_audit, "the product's page has its audit")


async def test_products_with_the_names_of_folders_have_a_page(show: Show, chromium: Browser) -> None:
    async with Person.at(chromium, show.url, "mei") as mei:
        for name in (".", ".."):
            await show.shop.complain(name, CRITICAL, category="food_safety")
            await mei.stands(name, "paused")
            await mei.card(name).get_by_role("link").first.click()
            await expect(mei.on("product").locator("h2").first).to_have_text(name)
            await mei.page.reload()
            await expect(mei.on("product").locator("h2").first).to_have_text(name)
            await expect(mei.on("history").locator("li")).to_have_count(1)
            await mei.on("back").click()
