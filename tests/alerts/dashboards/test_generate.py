import ast
import subprocess
import sys
from pathlib import Path

from alerts.dashboards.generate import generated, stale, write
from tests.test_architecture import OURS, imported

PROJECT = Path(__file__).resolve().parents[3]


def test_generated_dashboards_are_current() -> None:
    assert stale() == [], "run: python -m alerts.dashboards"


def test_the_command_tells_what_is_stale_and_writes_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "alerts.dashboards", "--check"]
    done = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / "en").mkdir()
    (tmp_path / "en/room.json").write_text("{}")
    (tmp_path / "en/old.json").write_text("{}")
    assert set(write(tmp_path)) == {"en/old.json", *generated()}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")} == set(generated())
    assert stale(tmp_path) == []


def test_there_is_each_dashboard_in_each_language() -> None:
    names = ("livefuse", "product", "room")
    assert list(generated()) == [f"{language}/{name}.json" for language in ("en", "zh") for name in names]


def test_nothing_of_the_product_imports_the_generator() -> None:
    found = []
    for path in (path for package in OURS - {"tests"} for path in (PROJECT / package).rglob("*.py")):
        parts = path.relative_to(PROJECT).with_suffix("").parts
        if parts[:2] == ("alerts", "dashboards"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, name in imported(".".join(parts), tree, is_package=parts[-1] == "__init__"):
            if name.startswith(("grafana_foundation_sdk", "alerts.dashboards")):
                found.append(f"{path}:{line}")
    assert found == []
