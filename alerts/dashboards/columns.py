"""Columns that tables of more than one dashboard have."""

from typing import Final

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from alerts.dashboards.board import Board
from alerts.dashboards.panels import BLUE, RED, value_names
from alerts.dashboards.queries import FUSE, RISK, beside
from alerts.dashboards.tables import Column

_COLOURED: Final = DynamicConfigValue("custom.cellOptions", {"type": "color-text"})


def product(board: Board) -> Column:
    """Return the column of the product, which leads to its own dashboard."""
    link = {
        "title": board.word("open_product"),
        "url": (
            f"/d/livefuse-product-{board.wording.language}?var-product_id=${{__value.raw:percentencode}}"
            "&var-datasource=${datasource}&${__url_time_range}"
        ),
    }
    return Column(board.word("product"), label="product_id", look=(DynamicConfigValue("links", [link]),))


def severity(board: Board) -> Column:
    """Return the column of the severity, by name and colour."""
    names = value_names(
        {
            "critical": (board.word("critical"), RED),
            "warning": (board.word("warning"), "orange"),
            "info": (board.word("info"), BLUE),
        }
    )
    return Column(board.word("severity"), label="severity", look=(DynamicConfigValue("mappings", [names]), _COLOURED))


def measured_and_limit(board: Board, keys: str) -> list[Column]:
    """Return what was measured and its limit, for the series `keys` of a product, SKU and rule each."""
    return [
        Column(board.word(word), expr=beside(keys, RISK, f"livefuse_product_{word}")) for word in ("measured", "limit")
    ]


def override(board: Board) -> Column:
    """Return the column of what an operator has said of the product, by name and colour."""
    names = value_names({state: (board.word(f"override_{state}"), BLUE) for state in ("paused", "allowed")})
    return Column(board.word("operator"), label="state", look=(DynamicConfigValue("mappings", [names]), _COLOURED))


def open_fuses(board: Board, labels: str = "", *, rows: str = "{fuses}") -> list[Column]:
    """Return the columns of a table of open fuses: which, how bad, measured against which limit, open for how long.

    `rows` is the query that tells which lines there are; `{fuses}` in it stands for those of the open fuses.
    """
    fuses = f"max by ({FUSE}) (livefuse_product_fuse_open{labels})"
    opened = beside(fuses, RISK, "livefuse_product_fuse_opened_timestamp_seconds")
    return [
        Column(board.word("sku"), label="sku_id"),
        Column(board.word("rule"), label="rule"),
        severity(board),
        Column(board.word("room"), label="room_id"),
        Column("", expr=rows.replace("{fuses}", fuses)),
        *measured_and_limit(board, fuses),
        Column(board.word("open_for"), expr=f"time() - ({opened})", unit="s"),
    ]
