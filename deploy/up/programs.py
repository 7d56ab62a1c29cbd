"""The programs of monitoring, which are not part of livefuse: where they are, or what to install."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import LivefuseError

# Debian's name first, then the name in the projects' own archives.
PROMETHEUS: Final = ("prometheus",)
ALERTMANAGER: Final = ("prometheus-alertmanager", "alertmanager")
GRAFANA: Final = ("grafana-server",)
GRAFANA_HOME: Final = Path("/usr/share/grafana")
PACKAGES: Final = {PROMETHEUS: "prometheus", ALERTMANAGER: "prometheus-alertmanager"}


@dataclass(frozen=True)
class Programs:
    """Paths. `grafana` is None where it is not installed, and can be done without."""

    prometheus: str
    alertmanager: str
    grafana: str | None


def find(path: str | None = None) -> Programs:
    """Find them on PATH. LivefuseError says what to install."""
    found = {names: _first(names, path) for names in (PROMETHEUS, ALERTMANAGER)}
    missing = [PACKAGES[names] for names, each in found.items() if each is None]
    if missing:
        what = " ".join(missing)
        raise LivefuseError(
            f"--with-monitoring needs {' and '.join(missing)}. Install that and try again. Debian, Ubuntu: "
            f"sudo apt-get install --no-install-recommends {what}; elsewhere: https://prometheus.io/download"
        )
    grafana = _first(GRAFANA, path) if GRAFANA_HOME.is_dir() else None
    return Programs(found[PROMETHEUS] or "", found[ALERTMANAGER] or "", grafana)


def _first(names: tuple[str, ...], path: str | None) -> str | None:
    return next(filter(None, (shutil.which(name, path=path) for name in names)), None)
