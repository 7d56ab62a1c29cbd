"""The page in a real browser: from a fuse event's record to the product's card, and how smooth 1,000 open fuses are.

Real: Kafka, an intake, a worker, a console, all as processes, and Debian's Chromium without a window. A card counts
when it is in the document, before it is painted; the page itself notes the time, and what it is busy with for longer
than 50 ms at once.
"""

import re
from asyncio import to_thread
from pathlib import Path
from statistics import quantiles
from typing import Final
from uuid import uuid4

from playwright.async_api import async_playwright, expect

from tests.bench.report import Figure, Result, tell
from tests.browser.person import Person
from tests.browser.show import Show
from tests.debian import program

SURGES: Final = 20
OPEN_FUSES: Final = 1_000
_KEYS: Final = 20
_COMING_MS: Final = 120_000

_SCROLL: Final = """
new Promise((done) => {
  let left = 60;
  const step = () => { window.scrollBy(0, 400); left-- ? requestAnimationFrame(step) : done(); };
  step();
})
"""


async def measure(bootstrap: str, directory: Path) -> Result:
    """Measure in one page that stays open."""
    prefix = f"t{uuid4().hex[:10]}"
    folder = directory / prefix
    await to_thread(folder.mkdir)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        async with Show.on(bootstrap, prefix, folder) as show, Person.at(browser, show.url, "mei") as mei:
            delays = [await _surge(show, mei, f"surge-{number}") for number in range(SURGES)]
            tell(f"{SURGES} surges are shown")
            smoothness = await _crowd(show, mei)
        await browser.close()
    percent = quantiles(delays, n=10, method="inclusive")
    figures = (
        Figure("surges", SURGES),
        Figure("p50", percent[4], "s"),
        Figure("p90", percent[8], "s"),
        Figure("largest", max(delays), "s"),
        *smoothness,
    )
    return Result("page", figures)


async def _surge(show: Show, mei: Person, product_id: str) -> float:
    """Return the seconds from the record of the event that a surge leads to, to its card."""
    await show.shop.complain(product_id)
    await mei.stands(product_id, "paused")
    ((_, written_ms),) = await show.events(product_id)
    shown_ms = await mei.seen.first(product_id, "paused")
    assert shown_ms is not None
    return (shown_ms - written_ms) / 1000


async def _crowd(show: Show, mei: Person) -> tuple[Figure, ...]:
    """Have so many fuses open at once, scroll through them, and walk along them by keys."""
    names = [f"many-{number:04}" for number in range(OPEN_FUSES)]
    before = len(await mei.seen.long_tasks())
    await show.shop.stock(*((each, None, 0) for each in names))
    await show.shop.order(*((each, None, 1) for each in names), room_id="studio-5")
    await expect(mei.on("count-paused")).to_contain_text(re.compile(r"\b1\d{3}"), timeout=_COMING_MS)
    coming = (await mei.seen.long_tasks())[before:]
    await mei.page.evaluate(_SCROLL)
    await mei.page.evaluate("window.scrollTo(0, 0)")
    began = await mei.page.evaluate("performance.now()")
    for _ in range(_KEYS):
        await mei.page.keyboard.press("j")
    took_ms = await mei.page.evaluate("performance.now()") - began
    walking = (await mei.seen.long_tasks())[before + len(coming) :]
    return (
        Figure("open fuses", OPEN_FUSES),
        Figure("busy at once while they come, at most", max(coming, default=0), "ms"),
        Figure("busy at once while scrolling and walking, at most", max(walking, default=0), "ms"),
        Figure("a key", took_ms / _KEYS, "ms"),
    )
