"""A person before the page."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, expect

from tests.browser.seen import Seen
from tests.browser.show import PASSWORD

Language = Literal["en-US", "zh-CN"]
Theme = Literal["light", "dark"]

WIDE: Final = (1440, 900)
NARROW: Final = (360, 740)
PATIENCE_MS: Final = 60_000

UNHURRIED: Final = """
(() => {
  const later = window.setTimeout;
  window.setTimeout = (run, ms, ...given) => (ms === 5000 ? 0 : later(run, ms, ...given));
})();
"""

expect.set_options(timeout=PATIENCE_MS)


class Person:
    """Looks at one page. What the page should not do is collected in `shocks`."""

    def __init__(self, page: Page, seen: Seen, url: str) -> None:
        self.page = page
        self.seen = seen
        self.url = url
        self.shocks: list[str] = []
        page.on("dialog", self._startle)
        page.on("pageerror", lambda error: self.shocks.append(f"error: {error}"))
        page.on("console", self._listen)

    @classmethod
    @asynccontextmanager
    async def at(
        cls,
        browser: Browser,
        url: str,
        name: str | None,
        *,
        language: Language = "en-US",
        theme: Theme = "light",
        size: tuple[int, int] = WIDE,
        touch: bool = False,
        unhurried: bool = False,
        state: Any = None,
    ) -> AsyncIterator["Person"]:
        """Open the page in a browser of the person's own, signed in unless `name` is None or `state` is given.

        `unhurried`: what waits for five seconds waits for ever, so that nothing depends on how fast the test is.
        """
        context: BrowserContext = await browser.new_context(
            locale=language,
            timezone_id="Asia/Shanghai",
            color_scheme=theme,
            viewport={"width": size[0], "height": size[1]},
            has_touch=touch,
            storage_state=state,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        try:
            page = await context.new_page()
            if unhurried:
                await page.add_init_script(UNHURRIED)
            person = cls(page, await Seen.by(page), url)
            await page.goto(url)
            if name is not None and state is None:
                await person.sign_in(name)
            if name is not None:
                await person.live()
            yield person
        finally:
            await context.close()

    async def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """Sign in with the mouse and the keyboard."""
        await self.on("login-name").fill(name)
        await self.on("login-password").fill(password)
        await self.on("login-submit").click()

    async def live(self) -> None:
        """Wait until the page says that what it shows is current."""
        await expect(self.shell).to_have_attribute("data-trust", re.compile("live|doubtful"))

    async def stale(self) -> None:
        """Wait until the page says that what it shows is not current."""
        await expect(self.shell).to_have_attribute("data-trust", "stale")

    @property
    def shell(self) -> Locator:
        """The whole page of somebody who has signed in."""
        return self.page.locator(".shell")

    def on(self, testid: str) -> Locator:
        """Return a part of the page."""
        return self.page.get_by_test_id(testid)

    def card(self, product_id: str) -> Locator:
        """Return the card of a product."""
        return self.page.locator(f'[data-testid="product-card"][data-product-id={_quoted(product_id)}]')

    def order(self, product_id: str) -> Locator:
        """Return the line that tells what became of an order for a product."""
        return self.page.locator(f'[data-testid="order"][data-product-id={_quoted(product_id)}]')

    def event(self, product_id: str, kind: str) -> Locator:
        """Return events of a product in the feed."""
        found = f'[data-testid="feed"] [data-testid="event"][data-type="{kind}"][data-product-id={_quoted(product_id)}]'
        return self.page.locator(found)

    async def stands(self, product_id: str, standing: str) -> None:
        """Wait until a product is listed as standing so."""
        await expect(self.card(product_id)).to_have_attribute("data-standing", standing)

    async def ask(self, action: str, product_id: str, reason: str) -> None:
        """Open the dialog of an order by its button, give a reason in one's own words, and confirm."""
        await self.card(product_id).get_by_test_id(f"action-{action}").click()
        await self.on("reason").fill(reason)
        await self.on("order-dialog").get_by_test_id("confirm").click()

    async def is_unharmed(self) -> None:
        """Assert that nothing has happened in the page that should not."""
        assert self.shocks == []
        assert await self.seen.refused() == []

    async def _startle(self, dialog: Dialog) -> None:
        self.shocks.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _listen(self, message: ConsoleMessage) -> None:
        # Answers of 4xx and 5xx and lost connections are told there too; tests that make some expect them.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.shocks.append(f"console: {message.text}")


def _quoted(text: str) -> str:
    """Return text as a string of a CSS selector."""
    escaped = "".join(f"\\{ord(each):x} " if not each.isalnum() and each not in "-_" else each for each in text)
    return f'"{escaped}"'
