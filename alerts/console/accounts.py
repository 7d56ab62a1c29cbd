"""The console's own accounts: names, roles and argon2id hashes in one file that only its owner may read.

    {"version": 1, "accounts": {"mei": {"role": "operator", "hash": "$argon2id$..."}}}

`livefuse console user ...` writes the file, whole and at once; a console that runs reads it again when it has changed.
A file that cannot be understood leaves the accounts as they were; one that is gone leaves nobody.
"""

import asyncio
import fcntl
import hashlib
import json
import logging
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, ValidationError

from alerts.console.identity import Role
from schemas.errors import ConfigurationError

SHORTEST_PASSWORD: Final = 10
LONGEST_PASSWORD: Final = 1024

_NAME: Final = re.compile(r"[\w.@-]{1,64}")
_AT_ONCE: Final = 2
_WAITING: Final = 16

log = logging.getLogger(__name__)


class Busy(Exception):  # noqa: N818 (no fault: come again)
    """More passwords wait to be looked at than is good for the page."""


class AccountError(ConfigurationError):
    """Cause: an account that cannot be made, changed or removed as asked, or a file that holds no accounts.

    Effect: the file is as it was. Action: the message says it.
    """

    next_step = "See the accounts with `livefuse console user list`."


class Account(BaseModel):
    """A person who may sign in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    role: Role
    hash: str

    @property
    def stamp(self) -> str:
        """What a session bears: it ends when the password or the role changes, or the account is removed."""
        return hashlib.sha256(f"{self.role}\n{self.hash}".encode()).hexdigest()[:24]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    accounts: dict[str, Account] = {}


class _Seen(NamedTuple):
    """How a file looked when it was read."""

    changed_ns: int
    size: int
    inode: int


def account_name(text: str) -> str:
    """Return a name as it is written: what looks the same is the same. ValueError when it is no name."""
    name = unicodedata.normalize("NFKC", text)
    if not _NAME.fullmatch(name):
        raise ValueError("a name has 1 to 64 letters, digits, and . _ - @")
    return name


class AccountsFile:
    """The file, for whoever keeps the accounts. Every change is on disk, whole, when a method returns."""

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self.path = path
        self._hasher = hasher or PasswordHasher()

    def all(self) -> Mapping[str, Account]:
        """Return the accounts by name; none when there is no file. Raises AccountError, OSError."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return dict(sorted(_File.model_validate_json(text).accounts.items()))
        except ValidationError as error:
            raise AccountError(f"{self.path} holds no accounts: {error.error_count()} errors in it") from None

    def add(self, name: str, role: Role, password: str) -> None:
        """Add an account. Raises AccountError, also when there is one of this name."""
        name = _checked(name)
        with self._changing() as accounts:
            if name in accounts:
                raise AccountError(f"there is an account {name} already")
            accounts[name] = Account(role=role, hash=self._hash(password))

    def set_password(self, name: str, password: str) -> None:
        """Change a password; the sessions of the account end. Raises AccountError."""
        with self._changing() as accounts:
            account = _existing(accounts, name)
            accounts[_checked(name)] = account.model_copy(update={"hash": self._hash(password)})

    def remove(self, name: str) -> None:
        """Remove an account; its sessions end. Raises AccountError."""
        with self._changing() as accounts:
            _existing(accounts, name)
            del accounts[_checked(name)]

    def _hash(self, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        return self._hasher.hash(_same(password))

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Account]]:
        """Hand out the accounts to be changed, and write them unless that fails. One at a time, over all processes."""
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            accounts = dict(self.all())
            yield accounts
            self._write(accounts)
            os.fsync(directory)
        finally:
            os.close(directory)

    def _write(self, accounts: Mapping[str, Account]) -> None:
        content = {"version": 1, "accounts": {name: each.model_dump() for name, each in sorted(accounts.items())}}
        # Made with mode 0600 from the beginning, and put in place whole.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class Accounts:
    """The accounts as a console sees them. Passwords are looked at two at a time, in threads of their own."""

    def __init__(self, path: Path | None, hasher: PasswordHasher | None = None) -> None:
        self._path = path
        self._hasher = hasher or PasswordHasher()
        # A name that nobody has must take as long to refuse as a wrong password.
        self._nobody = self._hasher.hash(os.urandom(16).hex())
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="password")
        self._before = 0
        self._accounts: Mapping[str, Account] = {}
        self._seen: _Seen | None = None

    def of(self, name: str) -> Account | None:
        """Return the account of a name, as the file has it now."""
        self._refresh()
        return self._accounts.get(name)

    async def check(self, name: str, password: str) -> Account | None:
        """Return the account if the password is right; None otherwise. Raises Busy."""
        if self._before >= _WAITING:
            raise Busy
        account = self.of(name)
        self._before += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._is_right, account.hash if account else self._nobody, password
            )
        finally:
            self._before -= 1
        return account if is_right else None

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _is_right(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _same(password))
        except (VerificationError, InvalidHashError):
            return False

    def _refresh(self) -> None:
        if self._path is None:
            return
        seen = _look(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._accounts = AccountsFile(self._path).all()
        except (AccountError, OSError) as error:
            log.warning("accounts.unreadable path=%s error=%s", self._path, type(error).__name__)
        else:
            log.info("accounts.read accounts=%d", len(self._accounts))


def _look(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Seen(found.st_mtime_ns, found.st_size, found.st_ino)


def _same(password: str) -> str:
    """Return the password in one form of Unicode: keyboards differ in how they make a letter."""
    return unicodedata.normalize("NFKC", password)


def _checked(name: str) -> str:
    try:
        return account_name(name)
    except ValueError as error:
        raise AccountError(str(error)) from None


def _existing(accounts: Mapping[str, Account], name: str) -> Account:
    account = accounts.get(_checked(name))
    if account is None:
        raise AccountError(f"there is no account {_checked(name)}")
    return account
