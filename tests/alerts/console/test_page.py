"""The page's pure parts: what it knows, when an order is sent, what it says. Their tests are TypeScript, beside it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_WEB: Final = Path(__file__).resolve().parents[3] / "alerts" / "console" / "web"
_NODE: Final = Path(sys.executable).with_name("node")


def test_the_pure_parts_do_what_their_tests_say() -> None:
    tests = sorted(str(path) for path in (_WEB / "tests").glob("*.test.ts"))
    assert tests
    done = subprocess.run([_NODE, "--test", *tests], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_text_is_said_somewhere() -> None:
    sources = "\n".join(path.read_text() for path in (_WEB / "src").rglob("*.ts*") if path.parent.name != "words")
    made = re.findall(r"`(\w+_)\$\{", sources) + re.findall(r'sayCode\((?:telling\.)?say, "(\w+_)"', sources)
    made += ["outcome_"]
    keys = re.findall(r"^  (\w+):", (_WEB / "src" / "words" / "en.ts").read_text(), re.MULTILINE)
    unsaid = [key for key in keys if f'"{key}"' not in sources and not key.startswith(tuple(made))]
    assert unsaid == []


@pytest.mark.parametrize("what", ["innerHTML", "dangerouslySet", "eval(", "insertAdjacentHTML", "document.write"])
def test_nothing_that_comes_in_is_ever_markup(what: str) -> None:
    assert [path.name for path in (_WEB / "src").rglob("*.ts*") if what in path.read_text()] == []


def test_the_page_asks_nobody_else() -> None:
    texts = {path.name: path.read_text() for path in (_WEB / "src").rglob("*") if path.is_file()}
    assert {name for name, text in texts.items() if re.search(r"https?://", text)} == set()
