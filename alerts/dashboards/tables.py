"""Tables of what holds now: some columns are labels, some are values of queries that share these labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models.common import FieldTextAlignment, TableCellHeight
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from alerts.dashboards.panels import BLUE, DATASOURCE, one_colour, targets
from alerts.dashboards.queries import Query

NEARNESS: Final = (
    DynamicConfigValue("min", 0),
    DynamicConfigValue("max", 1),
    DynamicConfigValue("color", {"mode": "continuous-GrYlRd"}),
    DynamicConfigValue("custom.cellOptions", {"type": "gauge", "mode": "gradient", "valueDisplayMode": "text"}),
)
"""A bar from 0 to the limit, which is 1 for every rule, in colours that run without a step."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the label `label`, or the value of `expr` in `unit`. `look` are properties of Grafana's fields."""

    heading: str
    label: str = ""
    expr: str = ""
    unit: str = ""
    look: tuple[DynamicConfigValue, ...] = ()


def cells(columns: Sequence[Column], sort_by: str, *, descending: bool = False) -> table.Panel:
    """Return a table with the columns in this order, sorted by one of the headings.

    A query that is there only for its labels, as it tells that something is there, is a column without a heading.
    """
    values = [Query(column.expr) for column in columns if column.expr]
    fields = _field_names(columns, len(values))
    panel = (
        table.Panel()
        .datasource(DATASOURCE)
        .unit("short")
        .thresholds(one_colour(BLUE))
        .align(FieldTextAlignment.AUTO)
        .filterable(filterable=True)
        .cell_height(TableCellHeight.SM)
        .show_header(show_header=True)
        .sort_by([common.TableSortByFieldState().display_name(sort_by).desc(descending)])
        .targets(targets(values, table=True))
    )
    if len(values) > 1:
        panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=_order(columns, fields)))
    for column in columns:
        look = [*([DynamicConfigValue("unit", column.unit)] if column.unit else []), *column.look]
        if column.heading and look:
            panel.override_by_name(column.heading, look)
    return panel


def _field_names(columns: Sequence[Column], values: int) -> list[str]:
    """Return what Grafana calls the columns: values bear the letter of their query, except where there is one only."""
    letters = iter("ABCDEFGHIJ")
    return [column.label or ("Value" if values == 1 else f"Value #{next(letters)}") for column in columns]


def _order(columns: Sequence[Column], fields: Sequence[str]) -> dict[str, Any]:
    named = list(zip(fields, columns, strict=True))
    return {
        "excludeByName": {"Time": True, **{field: True for field, column in named if not column.heading}},
        "indexByName": {field: place for place, field in enumerate(fields)},
        "renameByName": {field: column.heading for field, column in named if column.heading},
    }
