"""Every question to Prometheus can be parsed, and asks only for what livefuse tells."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.alerts.dashboards.expressions import Expression, expressions
from tests.alerts.dashboards.metrics import OF_THE_TARGET, metrics
from tests.alerts.dashboards.promtool import complaints, rules_file

METRICS = metrics()
EXPRESSIONS = list(expressions())
every_expression = pytest.mark.parametrize("expression", EXPRESSIONS, ids=map(str, EXPRESSIONS))

# What in PromQL is a word, but no metric and no label.
CALLS: Final = {"histogram_quantile", "increase", "max_over_time", "rate", "time", "topk"}
LANGUAGE: Final = CALLS | {"and", "by", "count", "group_left", "max", "min", "offset", "on", "or", "sum", "unless"}
SELECTOR = re.compile(r"([a-z_]+)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|on|group_left) \(([a-z_, ]*)\)")


def names(expr: str) -> set[str]:
    """Return the metrics that an expression names: its words without those in braces, brackets and groupings."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|offset \w+", " ", GROUPING.sub(" ", expr))
    return set(re.findall(r"[a-zA-Z_][a-zA-Z_:]*", bare)) - LANGUAGE


def labels_of(name: str) -> frozenset[str]:
    """Return the labels that a series of this name has; KeyError for one that nobody exports."""
    whole = re.sub(r"_bucket$", "", name)
    return METRICS[whole] | OF_THE_TARGET | ({"le"} if whole != name else set())


def selected(expr: str) -> list[tuple[str, str]]:
    """Return each label that a selector of the expression names, with the selector's metric."""
    return [
        (name, label)
        for name, braces in SELECTOR.findall(expr)
        for label in re.findall(r'(\w+)(?:=~|!~|!=|=)"', braces)
    ]


@every_expression
def test_only_metrics_that_livefuse_exports_are_named(expression: Expression) -> None:
    found = names(expression.filled("p1"))
    assert found
    assert {name.removesuffix("_bucket") for name in found} <= METRICS.keys()


@every_expression
def test_only_labels_that_these_metrics_have_are_named(expression: Expression) -> None:
    expr = expression.filled("p1")
    assert [(name, label) for name, label in selected(expr) if label not in labels_of(name)] == []
    known = frozenset().union(*(labels_of(name) for name in names(expr)))
    grouped = {label for labels in GROUPING.findall(expr) for label in labels.replace(" ", "").split(",")}
    assert grouped - {""} <= known
    assert set(re.findall(r"\{\{(\w+)\}\}", expression.legend)) <= known


@every_expression
def test_counters_are_shown_as_they_grow_and_others_as_they_are(expression: Expression) -> None:
    for call, name in re.findall(r"(?:(rate|increase)\()?\b([a-z_]+)", expression.filled("p1")):
        if name in METRICS or name.removesuffix("_bucket") in METRICS:
            assert bool(call) == name.endswith(("_total", "_bucket"))


def test_prometheus_can_parse_every_expression(tmp_path: Path) -> None:
    assert complaints("check", rules_file(each.filled("p1") for each in EXPRESSIONS), tmp_path) == ""


def test_prometheus_would_complain_of_an_expression_that_it_cannot_parse(tmp_path: Path) -> None:
    assert "parse error" in complaints("check", rules_file(["sum by (livefuse_products"]), tmp_path)


def test_no_variable_of_grafana_is_left(tmp_path: Path) -> None:
    assert [str(each) for each in EXPRESSIONS if "$" in each.filled("p1")] == []
    assert complaints("check", rules_file(["rate(livefuse_records_total[$__rate_interval])"]), tmp_path)


def test_names_and_labels_are_found_in_expressions() -> None:
    expr = 'sum by (le, a) (rate(x_bucket{b="$c",d!~"e"}[5m])) * on (f) group_left () max_over_time(y[1m] offset 15s)'
    assert names(expr) == {"x_bucket", "y"}
    assert selected(expr) == [("x_bucket", "b"), ("x_bucket", "d")]
