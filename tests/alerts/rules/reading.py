"""The rule files and their tests, as data."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

RULES: Final = Path(__file__).resolve().parents[3] / "alerts" / "rules"
TESTS: Final = Path(__file__).resolve().parent

Labels = dict[str, str]


@cache
def rules(kind: str) -> list[dict[str, Any]]:
    """Return all rules of a kind, `alert` or `record`. They are read once: change none."""
    groups = [group for path in sorted(RULES.glob("*.yml")) for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


@cache
def alert_names() -> list[str]:
    """Return the name of each alert once."""
    return sorted({rule["alert"] for rule in rules("alert")})


@cache
def groups_of(alert: str) -> list[dict[str, Any]]:
    """Return the groups of the promtool test of an alert."""
    tests: list[dict[str, Any]] = yaml.safe_load((TESTS / f"{alert}.test.yaml").read_text())["tests"]
    return tests


def firing(group: dict[str, Any]) -> Iterator[Labels]:
    """Yield the labels of all alerts that a test group expects to fire."""
    for test in group.get("promql_expr_test", ()):
        for sample in test["exp_samples"]:
            yield dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
