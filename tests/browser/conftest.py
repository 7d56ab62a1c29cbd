"""Chromium, and what runs behind the page: both for all tests of a module, which share one loop."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from alerts.console.pages import DIST
from tests.browser.show import Show
from tests.debian import program
from tests.kafka.broker import KafkaBroker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Yield Debian's Chromium, without a window. Skipped or failed without it, as other programs of Debian."""
    path = program("chromium")
    assert (DIST / "index.html").exists(), "the page is not built: run `make page`"
    async with async_playwright() as playwright:
        # As root Chromium runs only without its sandbox; what it is shown here is ours.
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Show]:
    """Yield a show that the tests of a module share, each with products of its own."""
    async with Show.on(kafka.bootstrap, f"t{uuid4().hex[:10]}", tmp_path_factory.mktemp("show")) as running:
        yield running
