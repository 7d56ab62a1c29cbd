"""The kinds of panels and how they look. Nothing here knows what livefuse measures.

Colours tell states, never amounts: no panel has a threshold of its own. Where there is a limit it is a query, drawn as
a dashed red line.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from alerts.dashboards.queries import Query

DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""Every panel asks the Prometheus that is chosen at the top of the dashboard."""

PER_SECOND: Final = "suffix:/s"
"""The unit of rates, for Grafana: an amount is not shortened to thousands."""

GREEN: Final = "green"
RED: Final = "red"
BLUE: Final = "blue"

_LIMIT_LINE: Final = (
    DynamicConfigValue("color", {"mode": "fixed", "fixedColor": RED}),
    DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
    DynamicConfigValue("custom.lineWidth", 2),
    DynamicConfigValue("custom.fillOpacity", 0),
)


def lines(unit: str, queries: Sequence[Query]) -> timeseries.Panel:
    """Return a panel of lines over time."""
    panel = (
        timeseries.Panel()
        .datasource(DATASOURCE)
        .unit(unit)
        .axis_soft_min(0)
        .thresholds(one_colour(GREEN))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(8)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .targets(targets(queries))
    )
    for name, query in zip(_names(queries), queries, strict=True):
        if query.limit:
            panel.override_by_query(name, list(_LIMIT_LINE))
    return panel


def bars(unit: str, queries: Sequence[Query]) -> timeseries.Panel:
    """Return a panel of stacked bars over time, for what happens now and then."""
    return (
        lines(unit, queries)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(60)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    )


def number(unit: str, queries: Sequence[Query]) -> stat.Panel:
    """Return a panel of one large number.

    It asks for the present alone: with a line behind it, the number would be the last of the line, however long ago
    that was, and a process that has ended would seem to live.
    """
    return (
        stat.Panel()
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(one_colour(BLUE))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(values=False))
        .targets(targets(queries, now=True))
    )


def alarm(unit: str, queries: Sequence[Query]) -> stat.Panel:
    """Return a number that should be 0: green then, red otherwise."""
    zero = ValueMap({"0": ValueMappingResult(color=GREEN, index=0)})
    return number(unit, queries).thresholds(one_colour(RED)).mappings([zero])


def states(queries: Sequence[Query], names: Mapping[str, tuple[str, str]]) -> statetimeline.Panel:
    """Return a panel of states over time; `names` has the text and the colour of each value."""
    return (
        statetimeline.Panel()
        .datasource(DATASOURCE)
        .unit("none")
        .thresholds(one_colour(BLUE))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .mappings([value_names(names)])
        .merge_values(merge_values=True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(70)
        .line_width(0)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE))
        .targets(targets(queries))
    )


def state(queries: Sequence[Query], names: Mapping[str, tuple[str, str]]) -> stat.Panel:
    """Return a panel of one state now; `names` has the text and the colour of each value."""
    return number("none", queries).mappings([value_names(names)])


def value_names(names: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return the mapping that shows a text in a colour for each value."""
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(names.items())
        }
    )


def one_colour(colour: str) -> dashboard.ThresholdsConfig:
    """Return thresholds of which there are none: a colour, and nowhere a value where it changes."""
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(value=None, color=colour)])


def targets(queries: Sequence[Query], *, now: bool = False, table: bool = False) -> list[Builder[Dataquery]]:
    """Return the queries, named A, B, C and so on, over the time shown or only at its end; in the form of a table."""
    found: list[Builder[Dataquery]] = []
    for name, query in zip(_names(queries), queries, strict=True):
        target = prometheus.Dataquery().datasource(DATASOURCE).ref_id(name).expr(query.expr)
        target = target.instant() if now or table else target.range()
        target = target.format(PromQueryFormat.TABLE if table else PromQueryFormat.TIME_SERIES)
        found.append(target.legend_format(query.legend))
    return found


def _names(queries: Sequence[Query]) -> str:
    return "ABCDEFGHIJ"[: len(queries)]


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
    )
