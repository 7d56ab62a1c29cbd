"""The configurations that monitoring runs with on one machine: those of the repository, with the addresses of `up`.

They are read from the packages and written into a directory:

deploy/monitoring/prometheus.yml      other targets, other rule files
deploy/monitoring/alertmanager.yml    same routes and inhibitions; the receivers keep their names and tell nobody
alerts/rules/*.yml                    `runbook_url` points at the pages that are installed here
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

import alerts
from deploy.embedded import HOST
from deploy.up.ports import Ports

_HERE: Final = Path(__file__).resolve().parents[1] / "monitoring"
_ALERTS: Final = Path(alerts.__file__).resolve().parent
PROVISIONING: Final = _HERE / "grafana" / "provisioning"
DASHBOARDS: Final = _ALERTS / "dashboards" / "generated"
RUNBOOK: Final = re.compile(r"https://livefuse\.example/runbooks/(\w+)")


def write(directory: Path, ports: Ports, application: str) -> tuple[Path, Path]:
    """Write all files into an existing directory; return the configurations of Prometheus and of Alertmanager."""
    rules = directory / "rules"
    rules.mkdir()
    for path in sorted((_ALERTS / "rules").glob("*.yml")):
        pages = (_ALERTS / "runbooks").as_uri()
        (rules / path.name).write_text(RUNBOOK.sub(rf"{pages}/\1.md", path.read_text()))
    prometheus, alertmanager = directory / "prometheus.yml", directory / "alertmanager.yml"
    prometheus.write_text(yaml.safe_dump(_prometheus(rules, ports, application)))
    alertmanager.write_text(yaml.safe_dump(_alertmanager(directory)))
    return prometheus, alertmanager


def _prometheus(rules: Path, ports: Ports, application: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((_HERE / "prometheus.yml").read_text())
    targets = {
        "livefuse-intake": [ports.intake],
        "livefuse-worker": ports.workers,
        # Without a pager nothing is expected of it, but the job has to be there: its absence is an alert.
        "livefuse-pager": [ports.pager] if ports.pager else [],
        "livefuse-console": [ports.console] if ports.console else [],
        "alertmanager": [ports.alertmanager],
        "prometheus": [ports.prometheus],
    }
    read["global"]["external_labels"]["application"] = application
    read["rule_files"] = [str(rules / "*.yml")]
    read["alerting"]["alertmanagers"] = [{"static_configs": _targets([ports.alertmanager])}]
    for job in read["scrape_configs"]:
        job["static_configs"] = _targets(targets[job["job_name"]])
    return read


def _targets(ports: Sequence[int]) -> list[dict[str, list[str]]]:
    return [{"targets": [f"{HOST}:{port}" for port in ports]}] if ports else []


def _alertmanager(directory: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((_HERE / "alertmanager.yml").read_text())
    read["receivers"] = [{"name": each["name"]} for each in read["receivers"]]
    # There are no templates: an Alertmanager tells its configuration, and this tells whose it is.
    read["templates"] = [str(directory / "*.tmpl")]
    return read
