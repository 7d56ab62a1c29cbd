"""The configurations of Prometheus, Alertmanager and Grafana: accepted by the real tools, and who is told of what."""

import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.rules.reading import alert_names, rules
from tests.debian import run

MONITORING = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"
PROMETHEUS = MONITORING / "prometheus.yml"
ALERTMANAGER = MONITORING / "alertmanager.yml"
FUSES = {"FuseOpen", "FuseNotAcknowledged"}
NEVER_SILENT = {*FUSES, "Watchdog", "LivefuseWatchdog"}
ROOMS = {"": "", "studio-1": "room-studio-1", "outlet-7": "rooms-outlet", "studio-10": "", "elsewhere": ""}


def alertmanager() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(ALERTMANAGER.read_text())
    return read


@cache
def inhibit_rules() -> list[dict[str, Any]]:
    return list(alertmanager()["inhibit_rules"])


def receivers(**labels: str) -> list[str]:
    """Return who is told of an alert with these labels."""
    given = [f"{name}={value}" for name, value in labels.items() if value]
    return run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *given).strip().split(",")


def silences(rule: dict[str, Any], side: str, labels: dict[str, str]) -> bool:
    """Tell whether an alert matches one side, source or target, of an inhibition."""
    for matcher in rule[f"{side}_matchers"]:
        found = re.fullmatch(r'(\w+)(=~|=)"(.+)"', matcher)
        assert found, matcher
        name, sign, value = found.groups()
        pattern = value if sign == "=~" else re.escape(value)
        if not re.fullmatch(pattern, labels.get(name, "")):
            return False
    return True


def inhibited(target: dict[str, str], by: dict[str, str]) -> bool:
    return any(
        silences(rule, "source", by)
        and silences(rule, "target", target)
        and all(by.get(name) == target.get(name) for name in rule["equal"])
        for rule in inhibit_rules()
    )


def test_promtool_accepts_the_configuration_and_finds_the_rules() -> None:
    assert "2 rule files found" in run("promtool", "check", "config", str(PROMETHEUS))


def test_amtool_accepts_the_configuration() -> None:
    assert "9 receivers" in run("amtool", "check-config", str(ALERTMANAGER))


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_fuse_is_told_by_severity_and_to_its_room(severity: str, room: str) -> None:
    told = receivers(alertname="FuseOpen", severity=severity, room_id=room, rule="oversell", product_id="p42")
    assert told == [each for each in (ROOMS[room], f"fuse-{severity}") if each]


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_what_nobody_answers_goes_to_the_second_line(severity: str) -> None:
    assert receivers(alertname="FuseNotAcknowledged", severity=severity, room_id="studio-1") == ["escalation"]


@pytest.mark.parametrize(("alert", "severity"), sorted({(r["alert"], r["labels"]["severity"]) for r in rules("alert")}))
def test_every_alert_of_ours_is_told_by_severity(alert: str, severity: str) -> None:
    expected = "dead-mans-switch" if severity == "none" else f"livefuse-{severity}"
    assert receivers(alertname=alert, severity=severity) == [expected]


def test_both_watchdogs_go_to_the_dead_mans_switch_again_and_again() -> None:
    assert receivers(alertname="Watchdog", severity="none") == ["dead-mans-switch"]
    assert receivers(alertname="LivefuseWatchdog", severity="none") == ["dead-mans-switch"]
    route = alertmanager()["route"]["routes"][0]
    assert (route["group_interval"], route["repeat_interval"]) == ("1m", "50s"), "equal ones lose every second beat"


def test_each_fuse_is_a_page_of_its_own_after_a_second() -> None:
    routes = [route for route in alertmanager()["route"]["routes"] if any(name in str(route) for name in FUSES)]
    assert len(routes) == 2
    assert all((route["group_by"], route["group_wait"]) == (["..."], "1s") for route in routes)


def test_the_second_alertmanager_waits_for_less_than_a_fuse_is_looked_at_again() -> None:
    (wait_s,) = re.findall(r"--cluster\.peer-timeout=(\d+)s", ALERTMANAGER.read_text())
    routes = [route for route in alertmanager()["route"]["routes"] if any(name in str(route) for name in FUSES)]
    assert all(2 * int(wait_s) < int(route["group_interval"].removesuffix("s")) for route in routes)


def test_every_receiver_is_used_and_no_secret_stands_in_the_file() -> None:
    names = {each["name"] for each in alertmanager()["receivers"]}
    assert names == set(re.findall(r"receiver: ([a-z0-9-]+)", ALERTMANAGER.read_text()))
    secrets = re.findall(r"(\w*(?:key|credentials|password|token|secret)\w*): (\S+)", ALERTMANAGER.read_text())
    assert secrets
    assert all(name.endswith("_file") and value.startswith("/etc/livefuse/secrets/") for name, value in secrets)


def test_livefuse_being_down_silences_what_follows_from_it() -> None:
    down = {"alertname": "LivefuseDown", "severity": "critical", "application": "a", "job": "livefuse-worker"}
    for follows in ("LivefuseLagGrowing", "LivefuseWorkerStalled", "LivefuseRecoverySlow"):
        assert inhibited({"alertname": follows, "severity": "critical", "application": "a"}, down)
        assert not inhibited({"alertname": follows, "severity": "critical", "application": "b"}, down)
    assert not inhibited({"alertname": "LivefusePagerChannelFailing", "severity": "critical", "application": "a"}, down)
    process = {"alertname": "LivefuseProcessDown", "severity": "warning", "application": "a"}
    assert inhibited(process | {"job": "livefuse-worker"}, down)
    assert not inhibited(process | {"job": "livefuse-pager"}, down)


def test_critical_silences_the_warning_of_the_same_thing_only() -> None:
    of = {"alertname": "LivefuseDeadLetters", "application": "a"}
    worse = of | {"severity": "critical", "topic": "live.orders"}
    assert inhibited(of | {"severity": "warning", "topic": "live.orders"}, worse)
    assert not inhibited(of | {"severity": "warning", "topic": "live.returns"}, worse)


@pytest.mark.parametrize("alert", sorted(NEVER_SILENT))
def test_nothing_silences_a_fuse_or_a_watchdog(alert: str) -> None:
    by = [*alert_names(), *FUSES]
    jobs = ["livefuse-intake", "livefuse-worker", "livefuse-pager"]
    for source, job, severity in product(by, jobs, ["critical", "warning", "info", "none"]):
        worse = {"alertname": source, "job": job, "severity": "critical", "application": "a"}
        assert not inhibited({"alertname": alert, "severity": severity, "application": "a", "job": job}, worse)


def test_inhibitions_name_alerts_that_exist() -> None:
    named = set(re.findall(r"Livefuse[A-Z]\w+", ALERTMANAGER.read_text()))
    assert named <= {*alert_names(), "LivefuseWatchdog", "LivefuseTest"}


def test_the_jobs_of_the_rules_are_scraped() -> None:
    read = yaml.safe_load(PROMETHEUS.read_text())
    jobs = {each["job_name"] for each in read["scrape_configs"]}
    assert jobs >= {"livefuse-intake", "livefuse-worker", "livefuse-pager", "livefuse-console"}
    absent = {job for rule in rules("alert") for job in re.findall(r'absent\(up\{job="([a-z-]+)"\}\)', rule["expr"])}
    assert absent == {"livefuse-intake", "livefuse-worker", "livefuse-pager"}


def test_grafana_is_given_its_source_and_the_folder_of_the_dashboards() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "livefuse.yml").read_text())["datasources"]
    assert [each["type"] for each in sources if each.get("isDefault")] == ["prometheus"]
    provider = yaml.safe_load((provisioning / "dashboards" / "livefuse.yml").read_text())["providers"][0]
    assert provider["options"]["path"] == "$LIVEFUSE_DASHBOARDS"
    assert not provider["allowUiUpdates"]
