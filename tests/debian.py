"""Programs of Debian packages that tests run: promtool and amtool, Prometheus and Alertmanager, Chromium."""

import os
import shutil
import subprocess
from typing import Final

import pytest

PACKAGES: Final = {
    "chromium": "chromium",
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}


def program(name: str) -> str:
    """Return the path of a program. Without it the test is skipped, except where CI is set: there it fails."""
    found = shutil.which(name)
    if found is None:
        text = f"{name} is not installed: run `make monitoring browser`, or apt-get install {PACKAGES[name]}"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return found


def run(name: str, *arguments: str) -> str:
    """Run a program that must succeed; return its standard output."""
    done = subprocess.run(
        [program(name), *arguments],
        # Programs in Go that run for seconds need not save memory: a fifth less work.
        env=os.environ | {"GOGC": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{name} {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout
