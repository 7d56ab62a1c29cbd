"""The image of the Dockerfile, built once without a container engine."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.container.dockerfile import Image, built, read

PROJECT: Final = Path(__file__).resolve().parents[3]
_BASE: Final = PROJECT / ".cache" / "container" / "bookworm"
_PROGRAMS: Final = ("debootstrap", "unshare", "setpriv", "ip")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Build the image. In place of python:3.11-slim-bookworm stands Debian 12 with its own Python 3.11."""
    missing = [each for each in _PROGRAMS if shutil.which(each) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"to build an image one must be root, and have {', '.join(missing or _PROGRAMS)}")
    directory = tmp_path_factory.mktemp("image")
    for each in (directory, *directory.parents[:2]):
        # pytest's directories are closed for others, and what runs in the image is somebody else.
        each.chmod(each.stat().st_mode | 0o011)
    return built(read(PROJECT / "deploy/container/Dockerfile"), PROJECT, _base(), directory)


def _base() -> Path:
    if not _BASE.exists():
        partial = _BASE.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        packages = "python3,python3-venv,python3-dev,ca-certificates"
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        partial.rename(_BASE)
    return _BASE
