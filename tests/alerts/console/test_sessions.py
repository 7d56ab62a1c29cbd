"""Sessions: what ends one, and what does not."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.console.accounts import Accounts, AccountsFile
from alerts.console.config import Secret
from alerts.console.sessions import Sessions
from tests.alerts.console.doorway import QUICK, accounts_in

NOON = 1_762_862_400.0
KEY = "a secret of some length"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Callable[..., Sessions]:
    def made(key: Secret | None = lambda: KEY, application: str = "show") -> Sessions:
        return Sessions(key, timedelta(hours=12), application, Accounts(accounts_in(tmp_path), QUICK), clock)

    return made


def opened(sessions: Sessions, tmp_path: Path, name: str = "mei") -> str:
    account = AccountsFile(accounts_in(tmp_path)).all()[name]
    return sessions.open(name, account.role, "password", account)[0]


def test_a_session_outlives_the_console_that_opened_it(sessions: Callable[..., Sessions], tmp_path: Path) -> None:
    token = opened(sessions(), tmp_path)
    identity = sessions().read(token)
    assert identity is not None
    assert (identity.name, identity.role, identity.way) == ("mei", "operator", "password")
    assert sessions().csrf(identity.session_id) == sessions().csrf(identity.session_id)


def test_without_a_key_it_ends_with_the_console(sessions: Callable[..., Sessions], tmp_path: Path) -> None:
    one = sessions(key=None)
    token = opened(one, tmp_path)
    assert one.read(token)
    assert sessions(key=None).read(token) is None


def test_it_is_of_one_application_and_one_key(sessions: Callable[..., Sessions], tmp_path: Path) -> None:
    token = opened(sessions(), tmp_path)
    assert sessions(application="another").read(token) is None
    assert sessions(key=lambda: "another").read(token) is None


def test_it_ends_with_its_time_and_so_do_its_streams(
    sessions: Callable[..., Sessions], clock: Clock, tmp_path: Path
) -> None:
    one = sessions()
    token = opened(one, tmp_path)
    identity = one.read(token)
    assert identity is not None
    clock.now += 12 * 3600 - 1
    assert one.holds(identity)
    clock.now += 1
    assert one.read(token) is None
    assert not one.holds(identity)


@pytest.mark.parametrize("what", ["signed out", "another password", "removed"])
def test_it_ends_before_its_time(sessions: Callable[..., Sessions], tmp_path: Path, what: str) -> None:
    one = sessions()
    token = opened(one, tmp_path)
    identity = one.read(token)
    assert identity is not None
    assert one.holds(identity)
    file = AccountsFile(accounts_in(tmp_path), QUICK)
    if what == "signed out":
        one.revoke(identity.session_id)
    elif what == "removed":
        file.remove("mei")
    else:
        file.set_password("mei", "another password")
    assert one.read(token) is None
    assert not one.holds(identity)


def test_a_key_that_cannot_be_read_for_a_while_ends_nothing(sessions: Callable[..., Sessions], tmp_path: Path) -> None:
    there = True

    def key() -> str:
        if not there:
            raise FileNotFoundError
        return KEY

    one = sessions(key=key)
    token = opened(one, tmp_path)
    there = False
    assert one.read(token)


def test_what_is_sealed_is_no_session_and_not_for_ever(
    sessions: Callable[..., Sessions], clock: Clock, tmp_path: Path
) -> None:
    one = sessions()
    sealed = one.seal({"state": "x"}, timedelta(minutes=10))
    assert one.read(sealed) is None
    assert one.unseal(opened(one, tmp_path)) is None
    content = one.unseal(sealed)
    assert content is not None
    assert content["state"] == "x"
    clock.now += 600
    assert one.unseal(sealed) is None


def test_signing_out_at_the_console_does_not_cut_off_whom_a_proxy_lets_in(sessions: Callable[..., Sessions]) -> None:
    one = sessions()
    identity = one.proxied("mei", "operator")
    one.revoke(identity.session_id)
    assert one.holds(one.proxied("mei", "operator"))
