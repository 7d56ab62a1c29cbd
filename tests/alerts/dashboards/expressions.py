"""What the generated dashboards ask of Prometheus: for tests that run each question."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GENERATED: Final = Path(__file__).resolve().parents[3] / "alerts/dashboards/generated"

# What Grafana puts in for its variables while it shows an hour that is scraped every 15 seconds.
_BUILT_IN: Final = {
    "$__rate_interval": "1m",
    "$__interval_ms": "15000",
    "$__interval": "15s",
    "$__range": "1h",
    "$instance": ".*",
    "$rule": ".*",
}

_LABEL_VALUES: Final = re.compile(r"label_values\((.+), (\w+)\)")


@dataclass(frozen=True, slots=True)
class Expression:
    """A query of a panel, an annotation or a variable. `now`: only its value at the end of the time range is shown."""

    dashboard: str
    panel: str
    name: str
    expr: str
    legend: str
    now: bool

    def __str__(self) -> str:
        return f"{self.dashboard}/{self.panel}/{self.name}"

    def filled(self, product_id: str, **others: str) -> str:
        """Return it as Prometheus gets it while a product is chosen, and all rules and processes.

        `others` are values of Grafana's own variables, such as `rate_interval`.
        """
        text = self.expr.replace("$product_id", product_id)
        for variable, value in (_BUILT_IN | {f"$__{name}": value for name, value in others.items()}).items():
            text = text.replace(variable, value)
        return text


def dashboards(language: str = "en") -> dict[str, dict[str, Any]]:
    """Return the generated dashboards of a language by name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((GENERATED / language).iterdir())
    }


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, without the headings of rows."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def expressions(language: str = "en") -> Iterator[Expression]:
    """Yield every expression of every dashboard; they are the same in all languages."""
    for name, dashboard in dashboards(language).items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Expression(
                    name, panel["title"], target["refId"], target["expr"], target["legendFormat"], target["instant"]
                )
        for annotation in dashboard["annotations"].get("list", []):
            yield Expression(name, annotation["name"], "annotation", annotation["expr"], "", now=False)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
                assert found, variable
                yield Expression(name, variable["name"], "variable", found[1], f"{{{{{found[2]}}}}}", now=True)
