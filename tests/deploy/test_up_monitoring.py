"""`livefuse up --with-monitoring`: its ports, programs and configurations, and all of it running."""

import asyncio
import json
import signal
import socket
import subprocess
import time
import urllib.request
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from deploy.settings import Settings
from deploy.up import configuration, monitoring, processes
from deploy.up.monitoring import Monitoring
from deploy.up.ports import Ports, choose
from deploy.up.processes import Processes
from deploy.up.programs import Programs, find
from deploy.up.run import BROKER_GRACE, Plan, feeds_simulation, tells_channels
from deploy.up.screen import Dashboard
from schemas.errors import ConfigurationError, LivefuseError
from tests.alerts.rules.reading import rules
from tests.debian import program, run
from tests.deploy.test_cli_up import ENDS_WITHIN_S, ENVIRONMENT, UP, descendants, gone, running, until
from tests.kafka.cluster import LIVEFUSE

PORTS = Ports(intake=1, workers=(2, 3), pager=4, prometheus=5, alertmanager=6, grafana=None, console=7)


def written(directory: Path, ports: Ports = PORTS) -> tuple[Path, Path]:
    return configuration.write(directory, ports, "shop-7")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 (of this machine)
        return json.load(answer)


def test_free_ports_differ_and_given_ones_are_taken() -> None:
    ports = choose(Settings.load(environment={}), 3, pager=True, grafana=True, console=True)
    watching = [ports.prometheus, ports.alertmanager, ports.grafana]
    assert len({ports.intake, *ports.workers, ports.pager, ports.console, *watching}) == 9
    given = {
        "LIVEFUSE_INTAKE__WEB_PORT": "9101",
        "LIVEFUSE_WORKER__WEB_PORT": "9200",
        "LIVEFUSE_MONITORING__PROMETHEUS_PORT": "9090",
        "LIVEFUSE_MONITORING__ALERTMANAGER_PORT": "9093",
    }
    ports = choose(Settings.load(environment=given), 2, pager=False, grafana=False)
    assert ports == Ports(9101, (9200, 9201), None, 9090, 9093, None)


def test_ports_where_somebody_listens_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        first, second = one.getsockname()[1], other.getsockname()[1]
        given = {
            "LIVEFUSE_MONITORING__PROMETHEUS_PORT": str(first),
            "LIVEFUSE_MONITORING__ALERTMANAGER_PORT": str(second),
            "LIVEFUSE_MONITORING__GRAFANA_PORT": str(second),
        }
        with pytest.raises(ConfigurationError) as caught:
            choose(Settings.load(environment=given), 1, pager=True, grafana=False)
    taken = "something listens there already; end it, or name another port"
    assert str(caught.value).splitlines() == [
        f"LIVEFUSE_MONITORING__PROMETHEUS_PORT={first}: {taken}",
        f"LIVEFUSE_MONITORING__ALERTMANAGER_PORT={second}: {taken}",
    ]


async def test_what_others_answer_at_its_ports_is_not_ready() -> None:
    found = Programs(program("prometheus"), program("prometheus-alertmanager"), None)
    settings = Settings.load(environment={})
    ports = choose(settings, 1, pager=False, grafana=False)
    ours, theirs = Monitoring(found, ports, "ours", print), Monitoring(found, ports, "theirs", print)
    try:
        await theirs.start()
        deadline = time.monotonic() + 60
        while not await theirs.answers():
            assert time.monotonic() < deadline, "they do not answer"
            await asyncio.sleep(0.1)
        assert not await ours.answers()
    finally:
        await theirs.stop()
        await ours.stop()


def test_what_is_missing_is_named_with_the_way_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(LivefuseError, match=r"needs prometheus and prometheus-alertmanager\.") as both:
        find(str(tmp_path))
    assert "apt-get install --no-install-recommends prometheus prometheus-alertmanager;" in str(both.value)
    (tmp_path / "alertmanager").touch(mode=0o755)
    with pytest.raises(LivefuseError, match=r"needs prometheus\. "):
        find(str(tmp_path))
    (tmp_path / "prometheus").touch(mode=0o755)
    assert find(str(tmp_path)).alertmanager == str(tmp_path / "alertmanager")


def test_without_the_programs_nothing_is_started(tmp_path: Path) -> None:
    done = subprocess.run(
        [*UP, "--with-monitoring"],
        env=ENVIRONMENT | {"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "apt-get install" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_tools_accept_what_is_written(tmp_path: Path) -> None:
    prometheus, alertmanager = written(tmp_path)
    assert "2 rule files found" in run("promtool", "check", "config", str(prometheus))
    assert "9 receivers" in run("amtool", "check-config", str(alertmanager))


def test_targets_are_the_processes_of_this_machine(tmp_path: Path) -> None:
    read = yaml.safe_load(written(tmp_path)[0].read_text())
    targets = {each["job_name"]: each["static_configs"][0]["targets"] for each in read["scrape_configs"]}
    assert targets == {
        "livefuse-intake": ["127.0.0.1:1"],
        "livefuse-worker": ["127.0.0.1:2", "127.0.0.1:3"],
        "livefuse-pager": ["127.0.0.1:4"],
        "livefuse-console": ["127.0.0.1:7"],
        "alertmanager": ["127.0.0.1:6"],
        "prometheus": ["127.0.0.1:5"],
    }
    assert read["global"]["external_labels"] == {"application": "shop-7"}
    assert read["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:6"]


def test_runbooks_are_those_that_are_installed(tmp_path: Path) -> None:
    written(tmp_path)
    text = (tmp_path / "rules" / "alerts.yml").read_text()
    pages = [line.split("runbook_url: ")[1] for line in text.splitlines() if "runbook_url: " in line]
    assert len(pages) == len(rules("alert"))
    assert all(Path(page.removeprefix("file://")).is_file() for page in pages)


def test_receivers_keep_their_names_and_tell_nobody(tmp_path: Path) -> None:
    read = yaml.safe_load(written(tmp_path)[1].read_text())
    assert {"name": "fuse-critical"} in read["receivers"]
    assert all(set(each) == {"name"} for each in read["receivers"])


def test_a_pager_is_run_where_it_has_a_port() -> None:
    settings = Settings.load(environment={})
    names = [each.name for each in Processes(settings, None, 2, print, PORTS).shown]
    assert names == ["intake", "worker-1", "worker-2", "pager"]
    without = Ports(intake=1, workers=(2,), pager=None, prometheus=5, alertmanager=6, grafana=None)
    assert [each.name for each in Processes(settings, None, 1, print, without).shown] == ["intake", "worker"]


def test_everything_runs_and_ends_in_order(tmp_path: Path) -> None:
    program("prometheus")
    program("prometheus-alertmanager")
    with running("--with-monitoring", "--no-demo", TMPDIR=str(tmp_path)) as process:
        urls = until(process, "ready")["monitoring"]
        names = {each["name"] for each in until(process, "status")["processes"]}
        assert names >= {"intake", "worker", "console", "prometheus", "alertmanager"}
        found = until_told(urls["alertmanager"], "Watchdog")
        assert found["labels"]["application"] == "livefuse"
        assert found["receivers"] == [{"name": "dead-mans-switch"}]
        tried = pager_check(urls["alertmanager"])
        assert tried.returncode == 0, tried.stdout + tried.stderr
        jobs = {each["labels"]["job"] for each in get(f"{urls['prometheus']}/api/v1/targets")["data"]["activeTargets"]}
        assert jobs >= {"livefuse-intake", "livefuse-worker", "livefuse-console", "alertmanager", "prometheus"}
        groups = get(f"{urls['prometheus']}/api/v1/rules")["data"]["groups"]
        assert all(rule["health"] in {"ok", "unknown"} for group in groups for rule in group["rules"])
        started = descendants(process.pid)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert time.monotonic() - asked < ENDS_WITHIN_S
        assert gone(started, 30)
        assert process.returncode == 0
    assert list(tmp_path.glob("livefuse-monitoring-*")) == []


def test_all_graces_together_are_less_than_five_seconds() -> None:
    flow = (processes.SIMULATOR_GRACE_S, processes.INTAKE_GRACE_S, processes.WORKER_GRACE_S, processes.PAGER_GRACE_S)
    assert sum(flow) + monitoring.ALERTMANAGER_GRACE_S + BROKER_GRACE.total_seconds() < 5
    assert max(processes.CONSOLE_GRACE_S, monitoring.LOOKING_GRACE_S) < sum(flow)


def test_what_it_leaves_when_it_is_killed_the_next_one_removes_and_only_a_real_sale_is_told_to_the_channels(
    tmp_path: Path,
) -> None:
    program("prometheus")
    program("prometheus-alertmanager")
    file = tmp_path / "livefuse.toml"
    file.write_text('[[pager.channel]]\nname = "night"\nkind = "webhook"\nurl = "http://127.0.0.1:9"\n')
    for options, told in ((), (None, ["night"])), (("--real-channels",), (["night"], None)):
        given = ("--with-monitoring", "--no-demo", "--config", str(file), *options)
        with running(*given, TMPDIR=str(tmp_path)) as process:
            ready = until(process, "ready")
            (left,) = tmp_path.glob("livefuse-monitoring-*")
            assert (ready.get("channels"), ready.get("channels_left_out")) == told
            (pager,) = [each["pid"] for each in until(process, "status")["processes"] if each["name"] == "pager"]
            command = Path(f"/proc/{pager}/cmdline").read_bytes().split(b"\0")
            assert (b"--channels" in command, b"--no-channels" in command) == (bool(options), not options)
            started = descendants(process.pid)
            process.kill()
            assert gone(started, 30)
        assert left.exists()


def test_the_ready_line_says_who_is_told() -> None:
    facts = {"bootstrap_servers": "b:1", "embedded": False, "workers": 1, "seconds": 2.0}
    for more, said in (
        ({}, ""),
        ({"channels": ["night", "room-1"]}, "channels that are told: night, room-1"),
        ({"channels_left_out": ["night"]}, "channels that are not told, as this is no real sale: night; see --real-"),
    ):
        ready = StringIO()
        Dashboard(Console(file=ready, width=200)).ready(facts | more)
        assert said in ready.getvalue()
        assert ("channels" in ready.getvalue()) == bool(more)


@pytest.mark.parametrize(
    ("embedded", "demo", "records", "asked", "told"),
    [
        (True, False, 0, False, False),
        (True, False, 0, True, True),
        (False, None, 0, False, False),
        (False, True, 5, False, False),
        (False, None, 5, False, True),
        (False, False, 0, False, True),
        (False, True, 0, True, True),
    ],
)
def test_a_sale_is_real_on_a_broker_of_the_shop_without_a_simulation(
    records: int, *, embedded: bool, demo: bool | None, asked: bool, told: bool
) -> None:
    plan = Plan(Settings.load(environment={}), None, 1, demo, monitoring=True, pager=True, real_channels=asked)
    feeds = feeds_simulation(plan, records)
    assert tells_channels(plan, feeds=feeds, embedded=embedded) == told


def pager_check(url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*LIVEFUSE, "pager", "--check"],
        env=ENVIRONMENT | {"LIVEFUSE_PAGER__ALERTMANAGER__URLS": url},
        capture_output=True,
        text=True,
        check=False,
    )


def until_told(url: str, alert: str, seconds: float = 90.0) -> Any:
    """Return an alert as soon as an Alertmanager has been told of it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [each for each in get(f"{url}/api/v2/alerts") if each["labels"]["alertname"] == alert]
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no {alert} within {seconds} s")
