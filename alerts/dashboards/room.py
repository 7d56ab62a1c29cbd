"""The operations room: what is paused and why, what is near a limit, how the sale goes, whether pages arrive."""

from typing import Final

from alerts.dashboards import columns
from alerts.dashboards.board import Board
from alerts.dashboards.panels import PER_SECOND, alarm, bars, lines, number
from alerts.dashboards.queries import (
    OVERRIDE,
    RANGE,
    RISK,
    SHOWN,
    Query,
    beside,
    increase,
    or_zero,
    page_delays,
    quantile,
    rate,
)
from alerts.dashboards.tables import NEARNESS, Column, cells

_PAGER: Final = "max(livefuse_paused_products)"
"""The pager always says how many products are paused: it is alive where this is known."""


_PAUSED: Final = (
    f"0 * {{fuses}} + on (product_id) group_left (state) {OVERRIDE}"
    f" or {{fuses}} unless on (product_id) {OVERRIDE}"
    f" or {OVERRIDE} unless on (product_id) {{fuses}}"
)
"""A line for each open fuse, with what an operator has said of its product; and for each word without a fuse."""


def room(board: Board) -> None:
    """Fill the dashboard of the operations room."""
    board.fuse_openings(f"{{{SHOWN}}}")
    _now(board)
    _products(board)
    _sale(board)
    _fuses(board)


def _now(board: Board) -> None:
    def fuses(labels: str) -> list[Query]:
        return [Query(or_zero(f"sum(livefuse_open_fuses{{{labels}}})", _PAGER))]

    board.row("now")
    board.panel("paused_products", alarm("short", [Query(_PAGER)]), 3, 4)
    board.panel("open_fuses", alarm("short", fuses('shadow="false"')), 3, 4)
    board.panel("critical_fuses", alarm("short", fuses('severity="critical",shadow="false"')), 3, 4)
    board.panel("shadow_fuses", number("short", fuses('shadow="true"')), 3, 4)
    nearest = f"max(livefuse_product_nearness_ratio{{{SHOWN}}})"
    board.panel("nearest", number("percentunit", [Query(nearest)]), 3, 4)
    crossings = increase("livefuse_replenishment_requests_total", window=RANGE)
    board.panel("crossings_in_range", number("short", [Query(crossings)]), 3, 4)
    # A quantile of no pages at all is not a number, and no panel should say so.
    delay = f"{quantile(0.99, 'livefuse_page_delay_seconds', window=RANGE)} >= 0"
    board.panel("page_delay_in_range", number("s", [Query(delay)]), 3, 4)
    board.panel("behind", number("s", [Query("max(livefuse_log_lag_seconds)")]), 3, 4)


def _products(board: Board) -> None:
    board.row("products")
    paused = [columns.product(board), columns.override(board), *columns.open_fuses(board, rows=_PAUSED)]
    board.panel("paused", cells(paused, board.word("open_for")), 12, 10)
    risks = f"max by ({RISK}) (livefuse_product_nearness_ratio{{{SHOWN}}})"
    near = [
        columns.product(board),
        Column(board.word("sku"), label="sku_id"),
        Column(board.word("rule"), label="rule"),
        Column(board.word("nearness"), expr=risks, unit="percentunit", look=NEARNESS),
        *columns.measured_and_limit(board, risks),
        Column(board.word("available"), expr=beside(risks, "product_id, sku_id", "livefuse_product_available")),
        Column(
            board.word("seconds_left"),
            expr=beside(risks, "product_id, sku_id", "livefuse_product_seconds_left"),
            unit="s",
        ),
    ]
    board.panel("near", cells(near, board.word("nearness"), descending=True), 12, 10)


def _sale(board: Board) -> None:
    def applied(kind: str) -> str:
        return rate(f'livefuse_signals_total{{kind="{kind}",outcome="applied"}}')

    board.row("sale")
    orders = [Query(applied("order"), board.word("order")), Query(applied("cancellation"), board.word("cancellation"))]
    board.panel("orders", lines(PER_SECOND, orders), 6)
    for kind, key in (("return", "returns"), ("complaint", "complaints"), ("stock_level", "stock_levels")):
        board.panel(key, lines(PER_SECOND, [Query(applied(kind), board.word(kind))]), 6)
    records = Query(rate('livefuse_records_total{outcome="used"}', "topic"), "{{topic}}")
    board.panel("records", lines(PER_SECOND, [records]), 12)
    crossings = Query(increase("livefuse_replenishment_requests_total"), board.word("crossings"))
    board.panel("crossings", bars("short", [crossings]), 12)


def _fuses(board: Board) -> None:
    board.row("fuses")
    by_rule = Query('sum by (rule) (livefuse_open_fuses{shadow="false"})', "{{rule}}")
    board.panel("open_by_rule", lines("short", [by_rule]), 8)
    opened = increase('livefuse_fuse_transitions_total{to="open",shadow="false"}', "rule")
    board.panel("opened", bars("short", [Query(opened, "{{rule}}")]), 8)
    board.panel("page_delay", lines("s", page_delays(board.word("target"))), 8)
    nearest = Query(f"max by (rule) (livefuse_product_nearness_ratio{{{SHOWN}}})", "{{rule}}")
    board.panel("nearest_by_rule", lines("percentunit", [nearest]).max(1), 12)
    limits = [
        Column(board.word("rule"), label="rule"),
        Column(board.word("limit"), label="limit"),
        Column(board.word("value"), expr="max by (rule, limit) (livefuse_rule_limit)"),
    ]
    board.panel("limits", cells(limits, board.word("rule")), 12)
