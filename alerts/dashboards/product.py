"""One product in depth: what is measured against which limit, what is left of it, which fuses are open since when."""

from typing import Final

from alerts.dashboards import columns
from alerts.dashboards.board import Board
from alerts.dashboards.panels import GREEN, RED, lines, number, state, states
from alerts.dashboards.queries import SHOWN, Query, or_zero
from alerts.dashboards.tables import Column, cells

_PRODUCT: Final = 'product_id="$product_id"'
_RULES: Final = f'{_PRODUCT},rule=~"$rule"'

_OVERSELL: Final = 'on (rule) livefuse_rule_limit{limit="safety_stock"}'
"""Of all rules those that watch stock: no other kind has a safety stock."""


def product(board: Board) -> None:
    """Fill the dashboard of one product."""
    board.variable("product_id", f"label_values(livefuse_product_measured{{{SHOWN}}}, product_id)")
    board.variable("rule", f"label_values(livefuse_product_measured{{{_PRODUCT}}}, rule)", several=True, hidden=True)
    board.fuse_openings(f"{{{_PRODUCT}}}")
    _now(board)
    _limits(board)
    _stock(board)
    _fuses(board)


def _fuse_states(board: Board) -> dict[str, tuple[str, str]]:
    return {"0": (board.word("closed"), GREEN), "1": (board.word("open"), RED)}


def _now(board: Board) -> None:
    board.row("now")
    fuse = or_zero(f"max(livefuse_product_fuse_open{{{_PRODUCT}}})", f"max(livefuse_product_measured{{{_PRODUCT}}})")
    board.panel("fuse", state([Query(fuse)], _fuse_states(board)), 6, 4)
    nearness = f"max(livefuse_product_nearness_ratio{{{_PRODUCT}}})"
    board.panel("nearness", number("percentunit", [Query(nearness)]), 6, 4)
    available = f"min(livefuse_product_available{{{_PRODUCT}}})"
    board.panel("available_least", number("short", [Query(available)]), 6, 4)
    seconds = f"min(livefuse_product_seconds_left{{{_PRODUCT}}})"
    board.panel("seconds_left_least", number("s", [Query(seconds)]), 6, 4)


def _limits(board: Board) -> None:
    board.row("limits")
    both = [
        Query(
            f"max by (sku_id, rule) (livefuse_product_{word}{{{_RULES}}})", f"{board.word(word)} {{{{sku_id}}}}", line
        )
        for word, line in (("measured", False), ("limit", True))
    ]
    repeated = lines("short", both).repeat("rule").repeat_direction("h").max_per_row(2)
    board.panel("measured", repeated, 24)


def _stock(board: Board) -> None:
    board.row("stock")
    available = [
        Query(
            f"max by (sku_id) (livefuse_product_available{{{_PRODUCT}}})", f"{board.word('available')} {{{{sku_id}}}}"
        ),
        Query(
            f"max by (sku_id, rule) (livefuse_product_limit{{{_PRODUCT}}} and {_OVERSELL})",
            f"{board.word('limit')} {{{{rule}}}} {{{{sku_id}}}}",
            limit=True,
        ),
        Query(
            'max by (rule) (livefuse_rule_limit{limit="safety_stock"})', f"{board.word('safety_stock')} {{{{rule}}}}"
        ),
    ]
    board.panel("available", lines("short", available), 12)
    seconds = [
        Query(
            f"max by (sku_id) (livefuse_product_seconds_left{{{_PRODUCT}}})",
            f"{board.word('seconds_left')} {{{{sku_id}}}}",
        ),
        Query(
            'max by (rule) (livefuse_rule_limit{limit="reaction_seconds"})',
            f"{board.word('reaction_time')} {{{{rule}}}}",
            limit=True,
        ),
    ]
    board.panel("seconds_left", lines("s", seconds), 12)


def _fuses(board: Board) -> None:
    board.row("fuses")
    over_time = or_zero(
        f"max by (rule) (livefuse_product_fuse_open{{{_PRODUCT}}})",
        f"max by (rule) (livefuse_product_measured{{{_PRODUCT}}})",
    )
    board.panel("fuse_over_time", states([Query(over_time, "{{rule}}")], _fuse_states(board)), 12)
    nearness = f"max by (rule, sku_id) (livefuse_product_nearness_ratio{{{_PRODUCT}}})"
    board.panel("nearness_over_time", lines("percentunit", [Query(nearness, "{{rule}} {{sku_id}}")]).max(1), 12)
    fuses = [Column(board.word("product"), label="product_id"), *columns.open_fuses(board, f"{{{_PRODUCT}}}")]
    board.panel("open_fuses", cells(fuses, board.word("open_for")), 12)
    limits = [
        Column(board.word("rule"), label="rule"),
        Column(board.word("limit"), label="limit"),
        Column(board.word("value"), expr='max by (rule, limit) (livefuse_rule_limit{rule=~"$rule"})'),
    ]
    board.panel("rule_limits", cells(limits, board.word("rule")), 12)
