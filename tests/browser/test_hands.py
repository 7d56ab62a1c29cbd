"""Hands that are faster than the page, or slip: what they press reaches what the person meant, or nothing at all."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.browser.person import NARROW, Person
from tests.browser.shop import CRITICAL
from tests.browser.show import Show, eventually

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

AT_ONCE = """
([testid, keys]) => new Promise((done) => {
  // In the moment in which a dialog is in the document: nothing of it is painted yet.
  const press = () => keys.forEach((key) => {
    const where = document.activeElement ?? document.body;
    where.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, composed: true}));
  });
  new MutationObserver((_, observer) => {
    if (!document.querySelector("dialog")) return;
    observer.disconnect();
    press();
    done();
  }).observe(document.body, {subtree: true, childList: true});
  document.querySelector(`[data-testid="${testid}"]`).click();
})
"""

IN_ONE_GO = """
(keys) => keys.forEach((key) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, composed: true})))
"""
"""Keys that were pressed while the page was busy: it gets them all before it draws anything."""

SLASH = """
async () => {
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true, cancelable: true}));
  // The next key comes with the next task, before any frame: only microtasks are done by then.
  for (let number = 0; number < 9; number += 1) await null;
  return document.activeElement.dataset.testid;
}
"""
SLIP = """
([down, up]) => {
  // The finger comes down at one button, or beside all of them, and the browser finds another one when it goes up.
  const [from, to] = [down, up].map(([product, button]) =>
    document.querySelector(`[data-product-id="${product}"] [data-testid="${button}"]`) ?? document.body);
  const finger = {bubbles: true, cancelable: true, composed: true, isPrimary: true, pointerType: "touch"};
  from.dispatchEvent(new PointerEvent("pointerdown", finger));
  to.dispatchEvent(new PointerEvent("pointerup", finger));
  to.dispatchEvent(new PointerEvent("click", {...finger, detail: 1}));
}
"""
A_MOUSE_COMES_AND_GOES = """
(list) => ["pointermove", "pointerleave"].forEach((kind) =>
  list.dispatchEvent(new PointerEvent(kind, {pointerId: 1, pointerType: "mouse", buttons: 0})))
"""
CONFLICT = '{"error": "conflict", "message": "Somebody was faster.", "product": null, "result": null}'


async def pause(show: Show, *names: str, room_id: str = "studio-1") -> None:
    """Have the rules pause products."""
    for each in names:
        await show.shop.complain(each, CRITICAL, category="food_safety", room_id=room_id)


async def test_escape_closes_a_dialog_before_it_is_painted(show: Show, chromium: Browser) -> None:
    await pause(show, "early-1")
    async with Person.at(chromium, show.url, "mei") as mei:
        await mei.stands("early-1", "paused")
        await mei.on("search").fill("early-1")
        for opener in ("action-resume", "pause-any", "bulk", "help"):
            await mei.page.evaluate(AT_ONCE, [opener, ["Escape"]])
            await expect(mei.page.locator("dialog")).to_have_count(0)
            # One Escape closes one thing, and what opened the dialog opens it again.
            await expect(mei.on("search")).to_have_value("early-1")
            await mei.on(opener).click()
            await expect(mei.page.locator("dialog")).to_be_visible()
            await mei.page.keyboard.press("Escape")
            await expect(mei.page.locator("dialog")).to_have_count(0)
            await expect(mei.on(opener)).to_be_focused()
        await mei.is_unharmed()


async def test_escape_closes_the_news_that_somebody_was_faster_before_it_is_painted(
    show: Show, chromium: Browser
) -> None:
    async def be_late(route: Route) -> None:
        await route.fulfill(status=409, content_type="application/json", body=CONFLICT)

    async with Person.at(chromium, show.url, "mei") as mei:
        await mei.page.route("**/api/v1/commands", be_late)
        await mei.on("pause-any").click()
        await mei.on("product-id").fill("late-1")
        await mei.on("quick-1").click()
        watching = AT_ONCE.replace('"dialog"', '"[data-testid=conflict-dialog]"')
        await mei.page.evaluate(watching, ["confirm", ["Escape"]])
        await expect(mei.page.locator("dialog")).to_have_count(0)
        assert mei.shocks == []


async def test_escape_works_wherever_the_focus_is(show: Show, chromium: Browser) -> None:
    await pause(show, "focus-1")
    async with Person.at(chromium, show.url, "mei") as mei:
        await mei.stands("focus-1", "paused")
        for focus in ("reason", "confirm", None):
            await mei.card("focus-1").get_by_test_id("action-resume").click()
            if focus is None:
                await mei.page.evaluate("document.activeElement.blur()")
            else:
                await mei.on("order-dialog").get_by_test_id(focus).focus()
            await mei.page.keyboard.press("Escape")
            await expect(mei.on("order-dialog")).to_have_count(0)
            await expect(mei.card("focus-1").get_by_test_id("action-resume")).to_be_focused()


async def test_keys_never_act_on_what_the_filter_hides(show: Show, chromium: Browser) -> None:
    await pause(show, "hidden-1", "visible-1")
    async with Person.at(chromium, show.url, "mei") as mei:
        keys = mei.page.keyboard
        for each in ("hidden-1", "visible-1"):
            await mei.stands(each, "paused")
        await mei.card("hidden-1").click(position={"x": 30, "y": 8})
        await expect(mei.card("hidden-1")).to_have_attribute("aria-current", "true")
        await keys.press("/")
        await keys.type("visible-1")
        await expect(mei.card("hidden-1")).to_have_count(0)
        await keys.press("Escape")
        for key in ("r", "a", "Enter"):
            await keys.press(key)
            await expect(mei.page.locator("dialog")).to_have_count(0)
            await expect(mei.shell).to_have_attribute("data-view", "board")
        await keys.press("p")
        # Any product may be paused, and which one has to be said.
        await expect(mei.on("product-id")).to_have_value("")
        await keys.press("Escape")
        await keys.press("j")
        await expect(mei.card("visible-1")).to_be_focused()
        await keys.press("a")
        await expect(mei.card("visible-1")).to_contain_text("acknowledged by mei")
        assert await show.commands("hidden-1") == []


async def test_keys_never_act_on_what_is_out_of_sight(show: Show, chromium: Browser) -> None:
    names = [f"far-{number}" for number in range(8)]
    await pause(show, *names)
    async with Person.at(chromium, show.url, "mei") as mei:
        for each in names:
            await mei.stands(each, "paused")
        await mei.on("search").fill("far-")
        await mei.page.keyboard.press("Escape")
        await mei.page.keyboard.press("j")
        chosen = mei.page.locator('[data-testid="product-card"][aria-current="true"]')
        product_id = await chosen.get_attribute("data-product-id") or ""
        await mei.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        await expect(chosen).not_to_be_in_viewport()
        # The first press only shows which one it is.
        await mei.page.keyboard.press("a")
        await expect(chosen).to_be_in_viewport()
        assert await show.commands(product_id) == []
        await mei.page.keyboard.press("a")
        await expect(chosen).to_contain_text("acknowledged by mei")


async def test_a_key_acts_on_the_product_that_the_key_before_it_chose(show: Show, chromium: Browser) -> None:
    await pause(show, "row-1", "row-2", room_id="row")
    async with Person.at(chromium, show.url, "mei") as mei:
        for each in ("row-1", "row-2"):
            await mei.stands(each, "paused")
        await mei.on("search").fill("row-")
        await expect(mei.on("product-card")).to_have_count(2)
        await mei.page.keyboard.press("Escape")
        first, second = [
            await mei.on("product-card").nth(number).get_attribute("data-product-id") or "" for number in (0, 1)
        ]
        await mei.page.keyboard.press("j")
        await expect(mei.card(first)).to_be_focused()
        await mei.page.evaluate(IN_ONE_GO, ["j", "r"])
        await expect(mei.on("order-dialog")).to_contain_text(second)
        await mei.page.keyboard.press("Escape")
        await expect(mei.card(second)).to_be_focused()
        await mei.page.evaluate(IN_ONE_GO, ["k", "a"])
        await expect(mei.card(first)).to_contain_text("acknowledged by mei")
        assert await show.commands(second) == []


@pytest.mark.parametrize("size", [(1440, 900), NARROW], ids=["wide", "narrow"])
async def test_what_is_typed_after_the_slash_is_searched_for(
    show: Show, chromium: Browser, size: tuple[int, int]
) -> None:
    product_id = f"apple-{size[0]}"
    await pause(show, product_id)
    async with Person.at(chromium, show.url, "mei", size=size) as mei:
        await mei.stands(product_id, "paused")
        await mei.page.keyboard.press("j")
        if size == NARROW:
            await mei.on("panel-feed").click()
        # While the search has no focus yet, an a would acknowledge.
        assert await mei.page.evaluate(SLASH) == "search"
        await mei.page.keyboard.type("a")
        await expect(mei.on("search")).to_have_value("a")


async def test_an_escape_that_is_held_down_closes_one_thing(show: Show, chromium: Browser) -> None:
    async with Person.at(chromium, show.url, "mei") as mei:
        await mei.on("search").fill("x")
        await mei.on("help").click()
        await expect(mei.on("help-dialog")).to_be_visible()
        await mei.page.keyboard.down("Escape")
        await mei.page.keyboard.down("Escape")
        await mei.page.keyboard.up("Escape")
        await expect(mei.on("help-dialog")).to_have_count(0)
        await expect(mei.on("search")).to_have_value("x")


async def test_a_card_does_not_move_under_a_finger(show: Show, chromium: Browser) -> None:
    await pause(show, "held-1", room_id="touch")
    async with Person.at(chromium, show.url, "mei", size=NARROW, touch=True) as mei:
        await mei.stands("held-1", "paused")
        await mei.on("search").fill("held-")
        await expect(mei.on("product-card")).to_have_count(1)
        button = mei.card("held-1").get_by_test_id("action-resume")
        await button.scroll_into_view_if_needed()
        where = await middle(button)
        session = await mei.page.context.new_cdp_session(mei.page)
        await session.send("Input.dispatchTouchEvent", touch("touchStart", *where))
        # Chromium has a mouse, too, where only a finger is: it leaves when it likes, and moves when the page does.
        await mei.on("product-list").evaluate(A_MOUSE_COMES_AND_GOES)
        for number in range(2, 8):
            # Each is newer, and would stand above it.
            await pause(show, f"held-{number}", room_id="touch")
            await eventually(told(mei, f"held-{number}"), "the page knows of it")
            assert await middle(button) == where
        await expect(mei.on("waiting")).to_contain_text("6 changes wait")
        await session.send("Input.dispatchTouchEvent", touch("touchEnd"))
        # When the finger is gone it shows what has come.
        await expect(mei.on("product-card")).to_have_count(7)
        await mei.page.keyboard.press("Escape")
        button = mei.card("held-4").get_by_test_id("action-resume")
        await button.tap()
        await expect(mei.on("order-dialog")).to_contain_text("held-4")


async def test_a_tap_counts_only_where_the_finger_came_down(show: Show, chromium: Browser) -> None:
    await pause(show, "slid-1", "slid-2")
    async with Person.at(chromium, show.url, "mei") as mei:
        for each in ("slid-1", "slid-2"):
            await mei.stands(each, "paused")
        for down, up in (
            (("slid-1", "action-resume"), ("slid-2", "action-resume")),
            (("slid-1", "action-allow"), ("slid-1", "action-resume")),
            (("elsewhere", "none"), ("slid-1", "action-resume")),
        ):
            await mei.page.evaluate(SLIP, [down, up])
            await expect(mei.page.locator("dialog")).to_have_count(0)
        await mei.page.evaluate(SLIP, [("slid-2", "action-resume"), ("slid-2", "action-resume")])
        await expect(mei.on("order-dialog")).to_contain_text("slid-2")


def told(person: Person, product_id: str) -> Callable[[], Awaitable[bool]]:
    """Return a condition: the page has heard that a product was paused."""

    async def is_told() -> bool:
        return await person.on("calls").filter(has_text=product_id).count() > 0

    return is_told


async def middle(button: Locator) -> tuple[float, float]:
    """Return where a finger or a mouse would press it."""
    box = await button.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def touch(kind: str, *at: float) -> dict[str, Any]:
    """Return an event of one finger."""
    return {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}] if at else []}
