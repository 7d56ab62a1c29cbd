"""compose.yaml: taken by Compose's own model, current, and with no more rights than it needs."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from compose_spec import PyCompose

from deploy.cli.program import app
from deploy.settings import Settings
from schemas.rights import ROLES
from tests.deploy.settings_given import unknown

PROJECT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = PROJECT / "deploy" / "compose"
PROCESSES: Final = {"intake", "worker", "pager", "console"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    # With its anchors and merges resolved as YAML has them, and variables as they are when nobody sets them.
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (FOLDER / "compose.yaml").read_text())
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.fixture(scope="module")
def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services that run livefuse."""
    return {name: each for name, each in compose["services"].items() if each["image"].startswith("livefuse:")}


def test_compose_takes_it(compose: dict[str, Any]) -> None:
    PyCompose.from_yaml(yaml.safe_dump(compose)).validate()


def test_compose_s_model_refuses_what_is_wrong(compose: dict[str, Any]) -> None:
    broken = compose | {"services": compose["services"] | {"kafka": {"image": "x", "portz": ["1:1"]}}}
    with pytest.raises(ValueError, match="portz"):
        PyCompose.from_yaml(yaml.safe_dump(broken)).validate()


def test_it_runs_all_five_services(compose: dict[str, Any], ours: dict[str, dict[str, Any]]) -> None:
    assert {each["command"][0] for each in ours.values() if "profiles" not in each} == PROCESSES | {"topics"}
    assert ours["rights"]["command"] == ["topics", "acls", "--grant"]
    assert ours["topics"]["command"] == ["topics", "apply", "--create-inputs"]
    images = {each["image"].partition(":")[0] for each in compose["services"].values()}
    assert images == {"livefuse", "apache/kafka", "prom/prometheus", "prom/alertmanager", "grafana/grafana"}
    assert all(":" in each["image"] and not each["image"].endswith(":latest") for each in compose["services"].values())


def test_nobody_runs_it_on_a_root_that_cannot_be_written(ours: dict[str, dict[str, Any]]) -> None:
    for name, each in ours.items():
        assert each["user"] == "65534:65534", name
        assert each["read_only"], name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name


def test_only_this_machine_reaches_it_and_kafka_nobody(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ())), name
    assert compose["networks"]["inside"]["internal"]
    assert compose["services"]["kafka"]["networks"] == ["inside"]
    assert "ports" not in compose["services"]["kafka"]


def test_each_logs_in_over_tls_as_itself_with_a_password_from_a_file(ours: dict[str, dict[str, Any]]) -> None:
    for name, each in ours.items():
        environment = each["environment"]
        assert environment["LIVEFUSE_KAFKA__SECURITY_PROTOCOL"] == "SASL_SSL", name
        role = "root" if name in {"rights", "topics"} else name.removeprefix("livefuse-").rstrip("-12")
        assert environment["LIVEFUSE_KAFKA__SASL_USERNAME"] == f"livefuse-{role}"
        assert environment["LIVEFUSE_KAFKA__SASL_PASSWORD_FILE"] == f"/run/secrets/kafka-{role}"
        assert each["secrets"] == ["ca.crt", f"kafka-{role}"]
        assert not any(variable.endswith("PASSWORD") for variable in environment)


def test_secrets_sh_makes_what_it_names_and_changes_nothing_that_is_there(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    command = [str(FOLDER / "secrets.sh"), str(folder)]
    subprocess.run(command, check=True)
    made = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
    assert {each["file"] for each in compose["secrets"].values()} == {f"./secrets/{name}" for name in made}
    assert {f"kafka-{role}" for role in ROLES} | {"kafka-root"} == {name for name in made if name.startswith("kafka-")}
    assert len(set(made.values())) == len(made)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "alertmanager").is_dir()
    subprocess.run(command, check=True)
    assert made == {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def test_its_settings_are_settings(ours: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    given = {name for each in ours.values() for name in each["environment"]}
    if "console" not in Settings.model_fields:
        given = {name for name in given if not name.startswith("LIVEFUSE_CONSOLE__")}
    assert unknown(given) == []
    for name in ("ca.crt", *(f"kafka-{role}" for role in (*ROLES, "root"))):
        (tmp_path / name).write_text("x")
    for each in ours.values():
        environment = {
            name: value.replace("/run/secrets", str(tmp_path)).replace("/etc/livefuse", str(FOLDER))
            for name, value in each["environment"].items()
        }
        Settings.load(None, environment)


def test_its_commands_are_commands(ours: dict[str, dict[str, Any]]) -> None:
    known = {each.name for each in app.registered_commands} | {each.name for each in app.registered_groups}
    if "console" in known:
        assert {each["command"][0] for each in ours.values()} <= known
    assert PROCESSES - {"console"} <= known


def test_prometheus_knows_the_services_by_name_and_port(compose: dict[str, Any]) -> None:
    configured = yaml.safe_load((PROJECT / "deploy/monitoring/prometheus.yml").read_text())
    for job in configured["scrape_configs"]:
        for target in (each for group in job["static_configs"] for each in group["targets"]):
            host, _, port = target.partition(":")
            if host == "localhost":
                continue
            service = compose["services"][host]
            web = [value for name, value in service.get("environment", {}).items() if name.endswith("__WEB_PORT")]
            assert web == [port] or host.startswith("alertmanager-"), target


def test_what_it_mounts_is_there(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        for volume in each.get("volumes", ()):
            source = volume.split(":")[0]
            if source == "./secrets/alertmanager":
                continue  # the user's own
            if source.startswith("."):
                assert (FOLDER / source).exists(), f"{name}: {source}"
            else:
                assert source in compose["volumes"], f"{name}: {source}"
