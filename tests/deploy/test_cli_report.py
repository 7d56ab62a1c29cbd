"""`livefuse report` and `livefuse drill` as a person calls them, where no broker is needed."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app


@pytest.fixture(autouse=True)
def a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("LIVEFUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LIVEFUSE_BOOTSTRAP_SERVERS", "127.0.0.1:1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="livefuse")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "--from"),
        (["report", "--from", "yesterday"], "yesterday: must be RFC 3339 text with an offset"),
        (["report", "--from", "2026-11-11T12:00:00"], "with an offset"),
        (["report", "--from", "99999999d"], "or a duration, such as 2h"),
        (["report", "--from", "2h", "--to", "3h"], "must be before --to"),
        (["report", "--from", "2026-11-11T12:00:00Z", "--to", "2026-11-11T12:00:00Z"], "must be before --to"),
        (["report", "--from", "2h", "--zone", "Mars/Base"], "Mars/Base: must be the name of a time zone"),
        (["report", "--from", "2h", "--zone", "../etc"], "must be the name of a time zone"),
        (["report", "--from", "2h", "--language", "fr"], "--language"),
        (["drill", "--timeout", "0"], "--timeout"),
        (["drill", "--timeout", "soon"], "--timeout"),
        (["drill", "p42"], "p42"),
        (["drill", "--timeout", "5"], "--hold: must be less than --timeout, 5"),
    ],
)
def test_what_is_given_wrongly_is_said_before_anything_is_read(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.stderr
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["report", "--from", "2h"], ["drill"]])
def test_a_broker_that_is_away_is_named(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, *(["--out", str(tmp_path / "report.md")] if "report" in arguments else []))
    assert result.exit_code == 3
    assert "127.0.0.1:1" in result.stderr
    assert not list(tmp_path.iterdir())
