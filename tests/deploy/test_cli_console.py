"""`livefuse console` as a person calls it: the accounts, and what keeps it from running."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerts.console.accounts import AccountsFile
from deploy.cli import app
from tests.kafka.cluster import LIVEFUSE, PROJECT

PASSWORD = "correct horse battery"


def console(*arguments: str, accounts: Path | None = None, given: str = "", **settings: str) -> Result:
    """Run the command to its end."""
    environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("LIVEFUSE_")}
    if accounts:
        settings["LIVEFUSE_CONSOLE__ACCOUNTS_FILE"] = str(accounts)
    environment |= {"LIVEFUSE_BOOTSTRAP_SERVERS": "127.0.0.1:1", **settings}
    return CliRunner().invoke(app, ["console", *arguments], input=given, env=environment, prog_name="livefuse")


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    return tmp_path / "accounts"


def test_accounts_are_made_listed_changed_and_removed(accounts: Path) -> None:
    made = console("user", "add", "mei", "--role", "operator", "--password-stdin", accounts=accounts, given=PASSWORD)
    assert (made.exit_code, made.stdout) == (0, "mei may sign in as operator.\n"), made.stderr
    console("user", "add", "jun", "--role", "admin", "--password-stdin", accounts=accounts, given=f"{PASSWORD}\n")
    before = AccountsFile(accounts).all()["mei"]
    assert accounts.stat().st_mode & 0o777 == 0o600
    listed = console("user", "list", accounts=accounts)
    assert listed.stdout.split() == ["NAME", "ROLE", "jun", "admin", "mei", "operator"]
    changed = console("user", "password", "mei", "--password-stdin", accounts=accounts, given="another password")
    assert changed.exit_code == 0
    assert AccountsFile(accounts).all()["mei"].stamp != before.stamp
    gone = console("user", "remove", "jun", "--json", accounts=accounts)
    assert json.loads(gone.stdout) == {"name": "jun"}
    listed = console("user", "list", "--json", accounts=accounts)
    assert json.loads(listed.stdout) == [{"name": "mei", "role": "operator"}]
    assert PASSWORD not in accounts.read_text() + made.stdout + made.stderr + listed.stdout


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["add", "mei", "--role", "captain", "--password-stdin"], PASSWORD, "viewer, operator or admin"),
        (["add", "mei", "--role", "viewer", "--password-stdin"], "short", "a password has 10 to 1024 characters"),
        (["add", "m i", "--role", "viewer", "--password-stdin"], PASSWORD, "a name has 1 to 64 letters"),
        (["add", "mei", "--role", "viewer"], PASSWORD, "use --password-stdin"),
        (["remove", "nobody"], "", "there is no account nobody"),
        (["password", "nobody", "--password-stdin"], PASSWORD, "there is no account nobody"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(accounts: Path, arguments: list[str], given: str, said: str) -> None:
    done = console("user", *arguments, accounts=accounts, given=given)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not accounts.exists()


def test_a_name_is_taken_once(accounts: Path) -> None:
    first, second = (
        console("user", "add", "mei", "--role", role, "--password-stdin", accounts=accounts, given=PASSWORD)
        for role in ("viewer", "admin")
    )
    assert (first.exit_code, second.exit_code) == (0, 2)
    assert "there is an account mei already" in second.stderr
    assert AccountsFile(accounts).all()["mei"].role == "viewer"


def test_a_terminal_is_asked_twice_and_shows_nothing(accounts: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "LIVEFUSE_CONSOLE__ACCOUNTS_FILE": str(accounts)}
    process = subprocess.Popen(
        [*LIVEFUSE, "console", "user", "add", "mei", "--role", "viewer"],
        cwd=PROJECT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # The prompt opens the terminal of its session.
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for answered in (b"Password: ", b"Repeat for confirmation: "):
        while not shown.endswith(answered):
            shown += os.read(ours, 1024)
        os.write(ours, f"{PASSWORD}\n".encode())
    while b"may sign in" not in shown:
        shown += os.read(ours, 1024)
    assert process.wait(60) == 0
    os.close(ours)
    assert PASSWORD.encode() not in shown


def test_without_a_file_it_says_what_to_set(tmp_path: Path) -> None:
    done = console("user", "list")
    assert done.exit_code == 2
    assert "LIVEFUSE_CONSOLE__ACCOUNTS_FILE" in done.stderr
    done = console("user", "list", accounts=tmp_path / "nowhere" / "accounts")
    assert done.exit_code == 2
    assert "there is no directory" in done.stderr


def test_it_does_not_run_when_nobody_could_sign_in(accounts: Path) -> None:
    done = console()
    assert done.exit_code == 2
    assert "nobody could sign in" in done.stderr
    done = console(accounts=accounts)
    assert done.exit_code == 2
    assert f"there is no account in {accounts}" in done.stderr
