"""The file of accounts, and how a console reads it."""

import asyncio
import json
import stat
import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from alerts.console.accounts import AccountError, Accounts, AccountsFile, Busy
from tests.alerts.console.doorway import QUICK

PASSWORD = "correct horse"


@pytest.fixture
def file(tmp_path: Path) -> AccountsFile:
    return AccountsFile(tmp_path / "accounts.json", QUICK)


def test_it_is_written_for_its_owner_only_and_holds_no_password(file: AccountsFile) -> None:
    file.add("mei", "operator", PASSWORD)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert PASSWORD not in file.path.read_text()
    assert "$argon2id$" in file.path.read_text()
    assert [path.name for path in file.path.parent.iterdir()] == ["accounts.json"]


def test_accounts_come_change_and_go(file: AccountsFile) -> None:
    file.add("mei", "operator", PASSWORD)
    file.add("ann", "admin", PASSWORD)
    assert {name: each.role for name, each in file.all().items()} == {"ann": "admin", "mei": "operator"}
    before = file.all()["mei"].stamp
    file.set_password("mei", "another one!")
    assert file.all()["mei"].stamp != before
    file.remove("ann")
    assert list(file.all()) == ["mei"]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65, "a\n", "<script>", "=1"])
def test_not_everything_is_a_name(file: AccountsFile, name: str) -> None:
    with pytest.raises(AccountError, match="name"):
        file.add(name, "viewer", PASSWORD)
    assert not file.path.exists()


@pytest.mark.parametrize("password", ["short", "x" * 1025])
def test_a_password_is_neither_short_nor_endless(file: AccountsFile, password: str) -> None:
    with pytest.raises(AccountError, match="10 to 1024"):
        file.add("mei", "viewer", password)


def test_there_is_one_account_of_a_name_however_it_is_typed(file: AccountsFile) -> None:
    file.add("mei", "operator", PASSWORD)
    with pytest.raises(AccountError, match="already"):
        file.add("ｍｅｉ", "admin", PASSWORD)
    with pytest.raises(AccountError, match="no account"):
        file.remove("bo")


def test_a_damaged_file_is_not_written_over(file: AccountsFile) -> None:
    file.path.write_text("{")
    with pytest.raises(AccountError, match="holds no accounts"):
        file.add("mei", "operator", PASSWORD)
    assert file.path.read_text() == "{"


def test_changes_of_two_at_once_are_both_kept(file: AccountsFile) -> None:
    threads = [threading.Thread(target=file.add, args=(f"user{each}", "viewer", PASSWORD)) for each in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(file.all()) == 8


async def test_a_console_sees_changes_and_keeps_what_it_knows_of_a_damaged_file(file: AccountsFile) -> None:
    accounts = Accounts(file.path, QUICK)
    assert await accounts.check("mei", PASSWORD) is None
    file.add("mei", "operator", PASSWORD)
    assert await accounts.check("mei", PASSWORD) == file.all()["mei"]
    assert await accounts.check("mei", PASSWORD + "x") is None
    good = file.path.read_text()
    file.path.write_text(good[:-9])
    assert accounts.of("mei") is not None
    file.path.write_text(json.dumps({"version": 1, "accounts": {}}))
    assert accounts.of("mei") is None
    file.path.write_text(good)
    assert accounts.of("mei") is not None
    file.path.unlink()
    assert accounts.of("mei") is None
    accounts.close()


async def test_who_is_not_there_costs_as_much_as_a_wrong_password(
    file: AccountsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, hashed: str, password: str) -> bool:
        looked_at.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return bool(verify(self, hashed, password))

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    file.add("mei", "operator", PASSWORD)
    accounts = Accounts(file.path, QUICK)
    for name in ("mei", "bo", ""):
        assert await accounts.check(name, "wrong password") is None
    assert looked_at == ["$argon2id$v=19$m=8,t=1,p=1"] * 3, "one hash each, of the same cost"
    accounts.close()


async def test_too_many_at_once_have_to_come_again(file: AccountsFile) -> None:
    file.add("mei", "operator", PASSWORD)
    accounts = Accounts(file.path, QUICK)
    answers = await asyncio.gather(*(accounts.check("mei", PASSWORD) for _ in range(40)), return_exceptions=True)
    assert {type(each) for each in answers} <= {Busy, type(file.all()["mei"])}
    assert sum(isinstance(each, Busy) for each in answers) == 24
    accounts.close()
