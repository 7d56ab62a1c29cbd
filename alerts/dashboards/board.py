"""A dashboard while it is built: its rows and panels in reading order, with the words of one language."""

import json
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from alerts.dashboards.panels import DATASOURCE
from alerts.dashboards.queries import FUSE
from alerts.dashboards.wording import LANGUAGE_NAMES, Wording

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel

SCHEMA_VERSION: Final = 39
"""The form of dashboards in Grafana 10.3 and 11. Newer ones carry it forward."""


class Board:
    """One dashboard in one language. `name` is the file's name and, with the language, its address in Grafana."""

    def __init__(self, name: str, wording: Wording, *, refresh: str = "10s") -> None:
        self.wording = wording
        self._name = name
        self._panels = 0
        self._board = (
            dashboard.Dashboard(wording.title("dashboard"))
            .uid(f"livefuse-{name}-{wording.language}")
            .description(wording.description("dashboard"))
            .tags(["livefuse", wording.language])
            .timezone("browser")
            .time("now-1h", "now")
            .refresh(refresh)
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        )
        self._add_links()

    def word(self, key: str) -> str:
        """Return what a legend, a column or a state is called."""
        return self.wording.word(key)

    def variable(self, name: str, query: str, *, several: bool = False, hidden: bool = False) -> None:
        """Add a variable: a label's values, read anew when the time range changes; of several, all are chosen first."""
        variable = (
            dashboard.QueryVariable(name)
            .label(self.wording.title(name))
            .description(self.wording.description(name))
            .datasource(DATASOURCE)
            .query({"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1})
            .definition(query)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.NATURAL_ASC)
            .multi(several)
            .include_all(several)
        )
        if several:
            variable.current(VariableOption(selected=True, text=["All"], value=["$__all"]))
        if hidden:
            variable.hide(VariableHide.HIDE_VARIABLE)
        self._board.with_variable(variable)

    def row(self, key: str) -> None:
        """Begin a row of panels under a heading."""
        self._panels += 1
        self._board.with_row(dashboard.Row(self.wording.title(key)).id(self._panels))

    def panel(self, key: str, panel: Panel, width: int, height: int = 8) -> None:
        """Add a panel to the right of the last one, or below where 24 columns are full."""
        self._panels += 1
        panel.title(self.wording.title(key)).description(self.wording.description(key))
        self._board.with_panel(panel.id(self._panels).span(width).height(height))

    def fuse_openings(self, labels: str = "") -> None:
        """Mark each opening of a fuse in all panels.

        A fuse counts as opened when it is open within a step and was not in the minute before: a missed scrape or
        a restart of the pager is no opening.
        """
        metric = f"livefuse_product_fuse_open{labels}"
        opened = (
            f"max by ({FUSE}) (max_over_time({metric}[$__interval]))"
            f" unless max by ({FUSE}) (max_over_time({metric}[1m] offset $__interval))"
        )
        self._board.annotation(
            dashboard.AnnotationQuery()
            .name(self.wording.word("fuse_openings"))
            .datasource(DATASOURCE)
            .enable(enable=True)
            .icon_color("red")
            .expr(opened)
            .step("15s")
            .title_format("{{rule}} · {{product_id}} {{sku_id}}")
            .text_format("{{severity}}")
            .tag_keys("rule,severity")
        )

    def document(self) -> dict[str, Any]:
        """Return the dashboard as Grafana reads it from a file."""
        document: dict[str, Any] = json.loads(JSONEncoder().encode(self._board.build()))
        document["schemaVersion"] = SCHEMA_VERSION
        for each in (*document["links"], *document["annotations"].get("list", [])):
            # The library would put them into a menu, which only the newest Grafana has.
            del each["placement"]
        return document

    def _add_links(self) -> None:
        """Link to the other dashboards in this language, and to this one in the other."""
        language = self.wording.language
        self._board.link(
            dashboard.DashboardLink(self.wording.word("dashboards"))
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["livefuse", language])
            .keep_time(keep_time=True)
        )
        for other in LANGUAGE_NAMES:
            if other != language:
                self._board.link(
                    dashboard.DashboardLink(LANGUAGE_NAMES[other])
                    .type(DashboardLinkType.LINK)
                    .icon("external link")
                    .url(f"/d/livefuse-{self._name}-{other}")
                    .include_vars(include_vars=True)
                    .keep_time(keep_time=True)
                )
