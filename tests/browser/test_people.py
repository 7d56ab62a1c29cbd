"""Who a page acts as: it says so at once when that changes, and shows nothing to somebody who may not look any more."""

from asyncio import Event

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.person import Person
from tests.browser.shop import CRITICAL
from tests.browser.show import PASSWORD, Show

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SIGN_IN = """
(body) => fetch("/api/v1/login", {method: "POST", body: JSON.stringify(body),
  headers: {"Content-Type": "application/json"}}).then((answer) => answer.status)
"""
"""As an OpenID provider does it: without the page of the console."""


LINES = """
window.lines = new Set();
new MutationObserver(() => window.lines.add(document.querySelector('[data-testid="line"]')?.textContent))
  .observe(document, {subtree: true, childList: true, characterData: true});
"""
"""What the page has said of its line."""


async def another_page(person: Person) -> Page:
    """Open another page in the person's browser."""
    page = await person.page.context.new_page()
    await page.goto(person.url)
    return page


async def test_who_signs_in_at_another_page_is_who_the_first_one_acts_as(show: Show, chromium: Browser) -> None:
    await show.shop.complain("tab-1", CRITICAL, category="food_safety")
    async with Person.at(chromium, show.url, "mei", unhurried=True) as mei:
        await mei.stands("tab-1", "paused")
        other = await another_page(mei)
        await mei.ask("resume", "tab-1", "mine, not anybody else's")
        await expect(mei.order("tab-1")).to_have_count(1)
        await mei.on("help").click()
        assert await other.evaluate(SIGN_IN, {"name": "jun", "password": PASSWORD}) == 200
        await other.reload()
        await expect(mei.on("user")).to_contain_text("jun")
        await expect(mei.on("acts-as")).to_contain_text("jun")
        # Nothing of mei's stays: no dialog, and no order that would go out in the name of somebody else.
        await expect(mei.page.locator("dialog")).to_have_count(0)
        await expect(mei.on("order")).to_have_count(0)
        await mei.live()
        await mei.stands("tab-1", "paused")
        await mei.on("acts-as").get_by_role("button").click()
        await expect(mei.on("acts-as")).to_have_count(0)
        await mei.ask("pause", "tab-1", "now jun")
        await expect(mei.event("tab-1", "override.set")).to_contain_text("jun")
        orders = [(each["actor"], each["action"]) for each in await show.commands("tab-1")]
        assert ("mei", "resume") not in orders
        assert ("jun", "pause") in orders


async def test_who_signs_out_at_another_page_is_out_at_all(show: Show, chromium: Browser) -> None:
    async with Person.at(chromium, show.url, "mei") as mei:
        other = await another_page(mei)
        await other.get_by_test_id("sign-out").click()
        await expect(mei.on("login-submit")).to_be_visible()
        await other.get_by_test_id("login-name").fill("bo")
        await other.get_by_test_id("login-password").fill(PASSWORD)
        await other.get_by_test_id("login-submit").click()
        await expect(mei.on("user")).to_contain_text("bo")
        await mei.live()


async def test_a_stream_that_is_to_be_asked_for_again_is_no_lost_line(show: Show, chromium: Browser) -> None:
    asked_again = Event()

    async def send_again(route: Route) -> None:
        """Answer the first request with a snapshot and `again`; the next ones are the console's."""
        if asked_again.is_set():
            await route.continue_()
            return
        asked_again.set()
        board = await mei.page.evaluate("fetch('/api/v1/board').then((answer) => answer.text())")
        body = f"event: snapshot\nid: gone-1\ndata: {board}\n\nevent: again\ndata: {{}}\n\n"
        await route.fulfill(status=200, content_type="text/event-stream", body=body)

    async with Person.at(chromium, show.url, "mei") as mei:
        await mei.page.route("**/api/v1/stream", send_again)
        await mei.page.add_init_script(LINES)
        await mei.page.reload()
        await mei.live()
        await show.shop.complain("again-1", CRITICAL, category="food_safety")
        await mei.stands("again-1", "paused")
        assert asked_again.is_set()
        assert await mei.page.evaluate("[...window.lines].some((each) => each?.startsWith('Live'))")
        assert not await mei.page.evaluate("window.lines.has('Connection lost')")


async def test_whose_role_is_gone_sees_nothing_any_more(show: Show, chromium: Browser) -> None:
    async def refuse(route: Route) -> None:
        body = '{"error": "no_role", "message": "This user has no role here."}'
        await route.fulfill(status=403, content_type="application/json", body=body)

    await show.shop.complain("role-1", CRITICAL, category="food_safety")
    async with Person.at(chromium, show.url, "mei") as mei:
        await mei.stands("role-1", "paused")
        # What a proxy's user meets when the stream is to be asked for again.
        for path in ("stream", "session"):
            await mei.page.route(f"**/api/v1/{path}", refuse)
        show.console.kill()
        show.console.start()
        await show.serving()
        await expect(mei.on("login")).to_be_visible()
        await expect(mei.on("product-card")).to_have_count(0)
