"""Every alert has a page that says what to do, and what the pages say to run exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from deploy.cli.program import app
from tests.alerts.rules.reading import RULES, alert_names, rules
from tests.debian import run

PAGES = sorted((RULES.parent / "runbooks").glob("*.md"))
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
# Sent by the pager; Prometheus knows nothing of them.
OF_THE_PAGER = {"FuseOpen", "FuseNotAcknowledged", "LivefuseWatchdog"}


def blocks(text: str) -> Iterator[str]:
    """Yield the lines of the indented blocks of a page, without comments."""
    for line in text.splitlines():
        if line.startswith("    ") and line.strip():
            yield line.partition("  #")[0].strip()


def commands(text: str) -> Iterator[str]:
    """Yield the livefuse commands of a page, in blocks and in sentences."""
    yield from (line for line in blocks(text) if line.startswith("livefuse "))
    yield from re.findall(r"`(livefuse\s[^`]+)`", text)


def what_is_wrong(command: str) -> str:
    """Return what there is not of a command line; nothing when all of it exists."""
    tree = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    while isinstance(tree, TyperGroup):
        if tree.invoke_without_command and not (words and words[0] in tree.commands):
            break
        if not words or words[0] not in tree.commands:
            return f"no command {' '.join(words[:1])}"
        tree = tree.commands[words.pop(0)]
    known = {name for each in tree.params for name in (*each.opts, *each.secondary_opts)}
    return ", ".join(word for word in words if word.startswith("--") and word not in known)


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {page.stem for page in PAGES} == {*alert_names(), *OF_THE_PAGER}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_has_to_say(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert all(len(part.strip()) > 80 for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])
    diagnosis = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    assert "livefuse " in diagnosis


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_exist(page: Path) -> None:
    found = list(commands(page.read_text()))
    assert found
    assert not [f"{command}: {wrong}" for command in found if (wrong := what_is_wrong(command))]


def test_commands_that_do_not_exist_are_found() -> None:
    assert not what_is_wrong('livefuse fuse resume PRODUCT --reason "..."')
    assert what_is_wrong("livefuse fuse open PRODUCT") == "no command open"
    assert what_is_wrong("livefuse fuse") == "no command "
    assert not what_is_wrong("livefuse console --json")
    assert what_is_wrong("livefuse console user") == "no command "
    assert what_is_wrong("livefuse console --everything") == "--everything"
    assert what_is_wrong("livefuse dlq list --everything") == "--everything"


def test_the_queries_of_the_pages_are_promql_and_their_records_exist(tmp_path: Path) -> None:
    queries = [line for page in PAGES for line in blocks(page.read_text()) if not line.startswith("livefuse ")]
    assert len(queries) > len(PAGES)
    listed = [{"record": f"page:query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": listed}]}))
    assert f"{len(queries)} rules found" in run("promtool", "check", "rules", str(file))
    recorded = {rule["record"] for rule in rules("record")}
    assert {name for query in queries for name in re.findall(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", query)} <= recorded


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: rule["alert"])
def test_runbook_url_points_at_the_page(rule: dict[str, str | dict[str, str]]) -> None:
    annotations = rule["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["runbook_url"] == f"https://livefuse.example/runbooks/{rule['alert']}"


def test_other_pages_that_are_named_exist() -> None:
    known = {page.stem for page in PAGES}
    named = {name for page in PAGES for name in re.findall(r"\b(?:Livefuse|Fuse)[A-Z]\w+", page.read_text())}
    assert named <= known
