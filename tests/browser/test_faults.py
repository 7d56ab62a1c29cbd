"""What people see when something behind the page is lost in mid-show: one page stays open through all of it.

The page says what it does not know, comes back by itself, and never shows a paused product as being on sale: the last
test reads what it has shown at every moment.
"""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import NamedTuple
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.line import Line
from tests.browser.person import Person
from tests.browser.shop import CRITICAL
from tests.browser.show import Show
from tests.kafka.broker import KafkaBroker, skipped_without_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SOUP = "soup-1"
"""Paused from the beginning to the end."""
CAKE = "cake-1"
"""Paused by hand, from the beginning to the end."""


class Stage(NamedTuple):
    """What the tests of this file share."""

    broker: KafkaBroker
    show: Show
    line: Line
    mei: Person


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a show on a broker of its own, and an operator's page that is reached over a line; two are paused."""
    broker = KafkaBroker(tmp_path_factory.mktemp("mortal"))
    with skipped_without_kafka():
        broker.start()
    try:
        directory = tmp_path_factory.mktemp("show")
        async with (
            Show.on(broker.bootstrap, f"t{uuid4().hex[:10]}", directory, LIVEFUSE_SESSION_TIMEOUT="3s") as show,
            Line(show.port) as line,
            Person.at(chromium, line.url, "mei") as mei,
        ):
            await pause(show, SOUP)
            await mei.stands(SOUP, "paused")
            await mei.on("pause-any").click()
            await mei.on("product-id").fill(CAKE)
            await mei.on("reason").fill("wrong price")
            await mei.on("order-dialog").get_by_test_id("confirm").click()
            await mei.stands(CAKE, "paused")
            await mei.page.evaluate("window.stillTheSamePage = true")
            yield Stage(broker, show, line, mei)
    finally:
        broker.kill()


async def pause(show: Show, product_id: str) -> None:
    """Have the rules pause a product."""
    await show.shop.complain(product_id, CRITICAL, category="food_safety")


async def says_it_is_old(mei: Person) -> None:
    """Wait until it does; what was paused stays shown as paused, and nothing can be put on sale."""
    await mei.stale()
    await expect(mei.on("banner-stale")).to_be_visible()
    await expect(mei.on("as-of").first).to_be_visible()
    await mei.stands(SOUP, "paused")
    await mei.stands(CAKE, "paused")
    await expect(mei.card(SOUP).get_by_test_id("action-resume")).to_be_disabled()
    await expect(mei.card(CAKE).get_by_test_id("action-release")).to_be_disabled()


async def test_a_connection_that_is_cut(stage: Stage) -> None:
    _, show, line, mei = stage
    await line.cut()
    await says_it_is_old(mei)
    await pause(show, "while-cut")
    line.mend()
    await mei.live()
    await mei.stands("while-cut", "paused")
    await expect(mei.on("banner-stale")).to_have_count(0)
    await expect(mei.card(SOUP).get_by_test_id("action-resume")).to_be_enabled()


async def test_a_connection_that_is_silent(stage: Stage) -> None:
    _, show, line, mei = stage
    line.stall()
    await says_it_is_old(mei)
    await pause(show, "while-silent")
    line.mend()
    await mei.live()
    await mei.stands("while-silent", "paused")


async def test_a_console_that_is_killed(stage: Stage) -> None:
    _, show, _, mei = stage
    show.console.kill()
    await says_it_is_old(mei)
    await pause(show, "while-killed")
    show.console.start()
    await show.serving()
    await mei.live()
    await mei.stands("while-killed", "paused")
    # The session is good at the next console too.
    await expect(mei.on("user")).to_contain_text("mei")


async def test_a_worker_that_is_killed(stage: Stage) -> None:
    _, show, _, mei = stage
    show.worker.kill()
    await pause(show, "while-headless")
    await expect(mei.on("problem-no_worker")).to_be_visible()
    await mei.stands(SOUP, "paused")
    await mei.ask("resume", "while-cut", "checked")
    await expect(mei.order("while-cut")).to_have_attribute("data-stage", "pending")
    await mei.stands("while-cut", "paused")
    show.worker.start()
    await expect(mei.on("banners")).to_have_count(0, timeout=60_000)
    await mei.stands("while-headless", "paused")
    await mei.stands("while-cut", "probation")


async def test_a_broker_that_is_restarted(stage: Stage) -> None:
    broker, show, _, mei = stage
    broker.kill()
    await expect(mei.on("problem-broker_away")).to_be_visible()
    await says_it_is_old(mei)
    # Nothing is ordered that could not be written down.
    await mei.on("pause-any").click()
    await mei.on("product-id").fill("while-away")
    await mei.on("quick-1").click()
    await mei.on("order-dialog").get_by_test_id("confirm").click()
    await expect(mei.order("while-away")).to_have_attribute("data-stage", "refused")
    await asyncio.to_thread(broker.start)
    await expect(mei.on("banners")).to_have_count(0, timeout=90_000)
    await pause(show, "after-away")
    await mei.stands("after-away", "paused")
    assert await show.commands("while-away") == []


async def test_at_no_moment_was_a_paused_product_shown_as_anything_else(stage: Stage) -> None:
    mei = stage.mei
    assert await mei.page.evaluate("window.stillTheSamePage === true"), "the page was never loaded again"
    for product_id in (SOUP, CAKE):
        await mei.seen.kept_paused(product_id)
    trusts = [each.trust for each in await mei.seen.looks()]
    # Cut, silent, killed, away: four times it did not know, and said so.
    changes = sum(after == "stale" != before for before, after in pairwise(trusts))
    assert changes >= 4
    await mei.is_unharmed()
