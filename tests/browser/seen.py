"""What a page has shown, moment by moment, whatever a test looks at: an observer in the page itself keeps a log.

Each change of the document is looked at when it is made, before anything of it is painted: which products are listed
and how they stand, what becomes of orders, how far the page trusts what it shows. What the Content Security Policy
refuses and what the page takes long for is logged too.
"""

from typing import Any, NamedTuple, Self

from playwright.async_api import Page

OBSERVER = """
(() => {
  if (window.__seen) return;
  const seen = window.__seen = {log: [], refused: [], long: []};
  let last = "";
  const look = () => {
    const shell = document.querySelector(".shell");
    const cards = {};
    for (const card of document.querySelectorAll('[data-testid="product-card"]')) {
      cards[card.dataset.productId] = card.dataset.standing;
    }
    const orders = {};
    for (const order of document.querySelectorAll('[data-testid="order"]')) {
      orders[order.dataset.productId] = order.dataset.stage;
    }
    const now = {
      view: shell ? shell.dataset.view : "",
      trust: shell ? shell.dataset.trust : "",
      orders,
      empty: document.querySelector('[data-testid="nothing-paused"]') !== null,
      cards,
    };
    const text = JSON.stringify(now);
    if (text === last) return;
    last = text;
    seen.log.push({...now, at: performance.timeOrigin + performance.now()});
  };
  const observe = () => {
    new MutationObserver(look).observe(document, {
      subtree: true, childList: true, attributes: true,
      attributeFilter: ["data-standing", "data-product-id", "data-stage", "data-trust", "data-view"],
    });
    look();
  };
  observe();
  document.addEventListener("securitypolicyviolation", (event) => {
    seen.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) seen.long.push({at: entry.startTime, ms: entry.duration});
  }).observe({type: "longtask", buffered: true});
})();
"""


class Look(NamedTuple):
    """How the page stood from a time (ms since 1970) on, until the next look."""

    at: float
    view: str
    trust: str
    empty: bool
    cards: dict[str, str]
    orders: dict[str, str]


class Seen:
    """The log of one page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    async def by(cls, page: Page) -> Self:
        """Observe a page from its next load on."""
        await page.add_init_script(OBSERVER)
        return cls(page)

    async def looks(self) -> list[Look]:
        """Return all looks, in order."""
        found: list[dict[str, Any]] = await self._page.evaluate("window.__seen.log")
        return [Look(**each) for each in found]

    async def refused(self) -> list[str]:
        """Return what the Content Security Policy has refused."""
        found: list[str] = await self._page.evaluate("window.__seen.refused")
        return found

    async def long_tasks(self) -> list[float]:
        """Return the lengths (ms) of all that the page was busy with for more than 50 ms at once."""
        found: list[float] = await self._page.evaluate("window.__seen.long.map((each) => each.ms)")
        return found

    async def first(self, product_id: str, *standings: str) -> float | None:
        """Return when (ms) a product was first shown standing so; None when it never was."""
        return next((each.at for each in await self.looks() if each.cards.get(product_id) in standings), None)

    async def stages(self, product_id: str) -> list[tuple[str, float]]:
        """Return what became of an order for a product, and since when (ms)."""
        found: list[tuple[str, float]] = []
        for each in await self.looks():
            stage = each.orders.get(product_id)
            if stage is not None and (not found or found[-1][0] != stage):
                found.append((stage, each.at))
        return found

    async def kept_paused(self, product_id: str) -> None:
        """Assert that the product, once shown as paused, has always been: never on sale, never missing."""
        looks = await self.looks()
        begin = next(number for number, each in enumerate(looks) if each.cards.get(product_id) == "paused")
        for each in looks[begin:]:
            if each.view == "board":
                assert each.cards.get(product_id) == "paused", f"{product_id} at {each.at}: {each}"
                assert not each.empty, each
