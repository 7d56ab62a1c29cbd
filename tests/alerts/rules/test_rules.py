"""The rules hold what they promise, by promtool, and none of them is without tests."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.rules.reading import RULES, TESTS, alert_names, firing, groups_of, rules
from tests.debian import run

ALERTS = rules("alert")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def ids(rule: dict[str, Any]) -> str:
    return "-".join([rule["alert"], *rule["labels"].values()])


def test_promtool_accepts_the_rules() -> None:
    told = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *map(str, sorted(RULES.glob("*.yml"))))
    assert told.count("SUCCESS") == 2


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.yaml")), ids=lambda path: path.name.split(".")[0])
def test_the_rules_do_what_their_tests_say(path: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", str(path))


def test_every_alert_has_a_test_and_every_test_an_alert() -> None:
    assert alert_names() == sorted(path.name.removesuffix(".test.yaml") for path in TESTS.glob("*.test.yaml"))


@pytest.mark.parametrize("alert", [name for name in alert_names() if name != "Watchdog"])
def test_what_must_not_fire_is_tested_first(alert: str) -> None:
    silent = [not any(firing(group)) for group in groups_of(alert)]
    assert silent[0]
    assert silent.count(True) >= 3, "a restart, a blip, no data"
    assert not silent[-1]
    assert any(not group["input_series"] for group in groups_of(alert)) or alert == "LivefuseDown"


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_every_rule_of_an_alert_is_seen_firing(rule: dict[str, Any]) -> None:
    seen = [labels for group in groups_of(rule["alert"]) for labels in firing(group)]
    assert any(rule["labels"].items() <= labels.items() for labels in seen)


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_annotations_are_complete_and_name_labels_that_exist(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert set(said) == {"summary", "summary_zh", "description", "description_zh", "runbook_url"}
    assert all(bool(CHINESE.search(text)) == name.endswith("_zh") for name, text in said.items())
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(said.values())))
    seen = [labels for group in groups_of(rule["alert"]) for labels in firing(group)]
    # A label that is missing would be an empty place in the text.
    assert all(named <= set(labels) for labels in seen if rule["labels"].items() <= labels.items())


@pytest.mark.parametrize("rule", ALERTS, ids=ids)
def test_a_blip_does_not_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    patient = re.fullmatch(r"(15|30|45)s|[1-9]m", rule.get("for", ""))
    assert patient or rule["alert"] in {"Watchdog", "LivefuseGapFrames"}, "what is always, or is never undone"


def test_records_are_named_by_level_metric_and_operations_and_exist() -> None:
    recorded = {rule["record"] for rule in rules("record")}
    assert all(re.fullmatch(r"[a-z_]+:(livefuse_[a-z_]+|up):[a-z0-9_]+", name) for name in recorded)
    used = {
        name for rule in [*ALERTS, *rules("record")] for name in re.findall(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule["expr"])
    }
    assert used <= recorded
