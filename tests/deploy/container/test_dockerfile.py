"""The Dockerfile: what it says, and its commands run without a container engine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.container.dockerfile import read, run

PROJECT: Final = Path(__file__).resolve().parents[3]
DOCKERFILE: Final = PROJECT / "deploy" / "container" / "Dockerfile"
NOBODY: Final = "65534"


def test_the_image_is_nobody_s_and_holds_only_what_the_build_made() -> None:
    stages = read(DOCKERFILE)
    final = stages[""]
    assert final.of("USER") == ["65534:65534"]
    assert final.of("ENTRYPOINT") == ['["livefuse"]']
    assert final.of("RUN") == []
    assert all("--from=build" in each for each in final.of("COPY"))
    assert final.base == stages["build"].base


def test_what_is_installed_is_locked() -> None:
    installs = [each for each in read(DOCKERFILE)["build"].of("RUN") if "pip install" in each]
    assert installs
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_no_secret_can_come_into_it() -> None:
    allowed = {line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"}
    assert "*" in allowed
    given = {line[1:] for line in allowed if line[0] == "!"}
    assert given == {
        "LICENSE", "README.md", "alerts", "deploy", "hatch_build.py", "pyproject.toml", "requirements.lock",
        "requirements.run.lock", "schemas", "streams",
    }  # fmt: skip


def test_what_runs_is_locked_as_what_is_tested() -> None:
    def pins(name: str) -> set[str]:
        lines = (PROJECT / name).read_text().splitlines()
        return {line.partition(" ")[0] for line in lines if "==" in line and line[0] not in " #"}

    running, tested = pins("requirements.run.lock"), pins("requirements.lock")
    assert running < tested
    assert not any(each.startswith(("pytest==", "mypy==", "ruff==")) for each in running)


@pytest.mark.faults_long
@pytest.mark.timeout(1500)
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="to be nobody, one must be root")
def test_its_commands_make_a_livefuse_that_nobody_can_run_and_not_change(tmp_path: Path) -> None:
    run(read(DOCKERFILE)["build"], PROJECT, tmp_path, sys.executable, {"PIP_NO_INPUT": "1"})
    home = tmp_path / "opt" / "livefuse"
    assert not (home / "bin" / "pip").exists()
    assert list(home.glob("lib/python*/site-packages/streams/engine/*.so"))
    environment = {"PATH": f"{home}/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    for directory in (tmp_path, *tmp_path.parents[:2]):
        # pytest's directories are closed for others.
        directory.chmod(directory.stat().st_mode | 0o011)
    read_only = f"mount --bind {home} {home} && mount -o remount,bind,ro {home} && exec "
    nobody = (
        f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "
    )
    as_nobody = ["unshare", "--mount", "sh", "-c", f'{read_only}{nobody}"$@"', "sh"]
    as_root = ["unshare", "--mount", "sh", "-c", f'{read_only}"$@"', "sh"]
    for arguments in (["livefuse", "--version"], ["livefuse", "topics", "acls"], ["livefuse", "replay", "/dev/null"]):
        done = said([*as_nobody, *arguments], environment)
        assert done.returncode == 0, done.stderr
    assert "Read-only" in said([*as_root, "touch", str(home / "x")], environment).stderr
    assert said([*as_nobody, "touch", str(home / "x")], environment).returncode != 0


def said(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
