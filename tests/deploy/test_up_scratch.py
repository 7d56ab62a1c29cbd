import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.up.scratch import Scratch, remove_leftovers

PREFIX = "livefuse-of-a-test-"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where temporary files are made in this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def killed(directory: Path) -> Path:
    """Return what a process that was killed has left."""
    code = f'import os; from deploy.up.scratch import Scratch; print(Scratch("{PREFIX}").path, flush=True); os._exit(9)'
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Path(done.stdout.strip())


def test_it_goes_when_it_is_told_to(directory: Path) -> None:
    scratch = Scratch(PREFIX)
    (scratch.path / "data").mkdir()
    scratch.remove()
    assert list(directory.iterdir()) == []


def test_what_a_killed_process_has_left_is_removed_and_nothing_else(directory: Path) -> None:
    left = killed(directory)
    (left / "data").mkdir()
    (left / "data" / "wal").write_bytes(b"x")
    alive = Scratch(PREFIX)
    for name in (f"{PREFIX}new", "others"):
        (directory / name).mkdir()
    (directory / "others" / "lock").touch()
    (directory / f"{PREFIX}file").touch()
    (directory / f"{PREFIX}link").symlink_to(directory / "others")
    remove_leftovers(PREFIX)
    assert not left.exists()
    assert {each.name for each in directory.iterdir()} == {
        alive.path.name, f"{PREFIX}new", f"{PREFIX}file", f"{PREFIX}link", "others"
    }  # fmt: skip
    assert (directory / "others" / "lock").exists()
    alive.remove()
