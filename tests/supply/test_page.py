import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.supply.page import LOCK, parts, with_page

PROJECT: Final = Path(__file__).resolve().parents[2]


def test_what_the_page_loads_is_what_is_named_and_no_tool_is() -> None:
    sources = "".join(each.read_text() for each in (LOCK.parent / "src").rglob("*.ts*"))
    imported = set(re.findall(r'from "(@?[a-z][^"./]*(?:/[a-z]+)?)"', sources))
    loaded = {"/".join(name.split("/")[: 2 if name.startswith("@") else 1]) for name in imported}
    named = {each.name for each in parts()}
    assert loaded <= named
    # What they stand on themselves.
    assert named - loaded == {"@preact/signals-core"}


def test_everything_in_the_lock_has_a_digest() -> None:
    found = json.loads(LOCK.read_text())["packages"]
    assert all("integrity" in each for path, each in found.items() if path)


def test_the_bill_of_materials_names_all_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    command += ["--pyproject", "pyproject.toml", "--output-file", str(path), "requirements.run.lock"]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    bill = with_page(json.loads(path.read_text()), parts())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    names = {each["purl"].rpartition("@")[0] for each in bill["components"]}
    assert {"pkg:pypi/aiokafka", "pkg:npm/preact", "pkg:npm/%40preact/signals"} <= names
