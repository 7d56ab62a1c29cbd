"""axe-core, as the page's own node_modules have it: what keeps people from using a page."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

SOURCE: Final = (
    Path(__file__).resolve().parents[2] / "alerts" / "console" / "web" / "node_modules" / "axe-core" / "axe.min.js"
)


@cache
def _source() -> str:
    assert SOURCE.exists(), f"{SOURCE} is missing: run `make page`"
    return SOURCE.read_text(encoding="utf-8")


async def violations(page: Page) -> list[str]:
    """Return what axe finds wrong in the page as it is now, a line for each element."""
    # By the debugger, which no Content Security Policy binds; the page's own scripts stay bound.
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_source())
    found: list[dict[str, Any]] = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)"
    )
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for each in found
        for node in each["nodes"]
    ]
