"""Queries in Prometheus's language, and the few forms that they share.

Rates are over Grafana's `$__rate_interval`, which is at least four scrapes. What is counted in the whole time that a
dashboard shows is an increase over `$__range`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

RATE: Final = "[$__rate_interval]"
RANGE: Final = "[$__range]"
SPARSE: Final = "[10m]"
"""The window of quantiles of what happens seldom, such as pages: over a shorter one there are mostly none."""

FUSE: Final = "product_id, sku_id, rule, severity, room_id"
"""The labels of an open fuse."""

SHOWN: Final = 'product_id!="overflow"'
"""Leaves out the series in which the pager sums all products that have none of their own."""

OVERRIDE: Final = f"topk by (product_id) (1, max by (product_id, state) (livefuse_product_override{{{SHOWN}}}))"
"""What operators have said of products, at most one word of each product: of two pagers one may not know the last."""

RISK: Final = "product_id, sku_id, rule"
"""The labels of a product's nearness to a limit."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel. `legend` is Grafana's form, `{{label}}`; `limit` draws it as the line not to be crossed."""

    expr: str
    legend: str = ""
    limit: bool = False


def increase(metric: str, by: str = "", window: str = RATE) -> str:
    """Return how much a counter grew over the window, summed by labels."""
    return f"{_sum(by)} (increase({metric}{window}))"


def rate(metric: str, by: str = "") -> str:
    """Return how fast a counter grows, a second, summed by labels."""
    return f"{_sum(by)} (rate({metric}{RATE}))"


def quantile(share: float, histogram: str, labels: str = "", by: str = "", window: str = RATE) -> str:
    """Return a quantile of a histogram, of all processes together or by labels."""
    kept = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({kept}) (rate({histogram}_bucket{labels}{window})))"


def quantiles(
    histogram: str, labels: str = "", window: str = RATE, shares: Iterable[float] = (0.5, 0.9, 0.99)
) -> list[Query]:
    """Return a query for each quantile, with legends such as p99."""
    return [Query(quantile(share, histogram, labels, window=window), f"p{share * 100:.0f}") for share in shares]


def page_delays(target: str) -> list[Query]:
    """Return quantiles of the time to a page, and the time that it may take, which is called `target`."""
    line = Query("max(livefuse_page_target_seconds)", target, limit=True)
    return [*quantiles("livefuse_page_delay_seconds", window=SPARSE), line]


def beside(keys: str, on: str, other: str) -> str:
    """Return the series of `other` with the labels of `keys`, for tables whose columns are joined by labels.

    `keys` has several series for one of `other`, which has one for each value of the labels `on`. What `keys`
    measures is left out.
    """
    return f"0 * {keys} + on ({on}) group_left () max by ({on}) ({other})"


def or_zero(expr: str, alive: str) -> str:
    """Return 0 where the query finds nothing though `alive` does: silence of a process must not look like calm."""
    return f"{expr} or 0 * {alive}"


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"
