"""The console of `up`: where it serves, and with which accounts people try it out.

Where the settings name no way to sign in there are two accounts for as long as `up` runs, an operator and a viewer,
with passwords that nobody could guess. They and the key of the sessions lie in a directory that goes when `up` ends, or
with the next `up` if it was killed, so a console that is started again signs nobody out.
"""

import asyncio
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from alerts.console.accounts import AccountsFile
from alerts.console.identity import Role
from deploy.embedded import HOST, free_port
from deploy.settings import Settings
from deploy.up.scratch import Scratch, remove_leftovers

PREFIX: Final = "livefuse-console-"
TRIAL: Final[tuple[Role, ...]] = ("operator", "viewer")
"""The accounts for trying it out; each is named like its role."""
ANSWER_S: Final = 1.0
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 (to be told apart, not to be bound)


@dataclass(frozen=True)
class SignIn:
    """Where the console is, how to get in, and what its process has to be told."""

    url: str
    host: str
    port: int
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: dict[str, str] = field(default_factory=dict)
    scratch: Scratch | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What `up` tells of it."""
        return {"url": self.url, "accounts": [{"name": name, "password": it} for name, it in self.passwords.items()]}

    async def answers(self) -> bool:
        """Tell whether somebody serves there."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                _, writer = await asyncio.open_connection(self.host, self.port)
                writer.close()
                return True
        return False

    def forget(self) -> None:
        """Remove the temporary accounts."""
        if self.scratch:
            self.scratch.remove()


def sign_in(settings: Settings) -> SignIn:
    """Choose the port, and make accounts where there is no way to sign in."""
    console = settings.console
    port = console.port if "port" in console.model_fields_set else _free_or(console.port, console.host)
    port = port or free_port()
    host = HOST if console.host in _EVERYWHERE else console.host.strip("[]")
    shown = f"[{host}]" if ":" in host else host
    url = console.url or f"http{'s' if console.certfile else ''}://{shown}:{port}"
    environment = {"LIVEFUSE_CONSOLE__PORT": str(port)}
    if console.accounts_file or console.proxy.trusted or console.oidc.issuer:
        return SignIn(url, host, port, environment=environment)
    remove_leftovers(PREFIX)
    scratch = Scratch(PREFIX)
    accounts = AccountsFile(scratch.path / "accounts")
    passwords: dict[str, str] = {name: secrets.token_urlsafe(9) for name in TRIAL}
    for name in TRIAL:
        accounts.add(name, name, passwords[name])
    environment["LIVEFUSE_CONSOLE__ACCOUNTS_FILE"] = str(accounts.path)
    if console.key_file is None:
        key = scratch.path / "key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32), encoding="utf-8")
        environment["LIVEFUSE_CONSOLE__KEY_FILE"] = str(key)
    return SignIn(url, host, port, passwords, environment, scratch)


def _free_or(port: int, host: str) -> int:
    """Return the port if nobody has it; else 0."""
    try:
        with socket.create_server((host.strip("[]"), port)):
            return port
    except OSError:
        return 0
