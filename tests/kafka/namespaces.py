"""Network namespaces: processes of a test behind cables of their own, which can be pulled out and put back.

    host    bridge 198.18.N.1 ── where the brokers listen
              ├── veth ══ veth   namespace 1, 198.18.N.2      cut: the host's end is set down; what is on its way is
              └── veth ══ veth   namespace 2, 198.18.N.3      dropped, nobody is told, connections stay as they are

Needs root, and `ip` of Debian's iproute2. Everything is made here, under names of its own, and removed in the end.
198.18.0.0/15 is set aside for tests like these (RFC 2544).
"""

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest

from tests.kafka.cluster import LIVEFUSE

_IP: Final = shutil.which("ip") or ""
_NETS: Final = range(1, 255)
_TAKEN: Final = re.compile(r"inet 198\.18\.(\d+)\.")


class NoNamespacesError(RuntimeError):
    """This process may not make network namespaces; the message says why."""


class Cable:
    """A namespace, and the cable between it and the host. `program` runs livefuse in it."""

    def __init__(self, name: str, link: str) -> None:
        self.program = (_IP, "netns", "exec", name, *LIVEFUSE)
        self._link = link

    def cut(self) -> None:
        """Pull it out: nothing gets through any more, in either direction."""
        _ip("link", "set", self._link, "down")

    def heal(self) -> None:
        """Put it back."""
        _ip("link", "set", self._link, "up")


class Network:
    """The host's side. Brokers that listen at `address` are reached from every namespace."""

    def __init__(self, name: str, number: int) -> None:
        self.address = f"198.18.{number}.1"
        self.name = name
        self._number = number
        self._cables = 0

    @contextmanager
    def cable(self) -> Iterator[Cable]:
        """Make one more namespace."""
        self._cables += 1
        name, host, inside = (f"{self.name}{letter}{self._cables}" for letter in "nhi")
        with ExitStack() as stack:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "delete", name)
            # Its other end goes with it.
            _ip("link", "add", host, "type", "veth", "peer", "name", inside, "netns", name)
            stack.callback(_ip, "link", "delete", host)
            _ip("link", "set", host, "master", self.name, "up")
            _ip("-n", name, "address", "add", f"198.18.{self._number}.{self._cables + 1}/24", "dev", inside)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", inside, "up")
            yield Cable(name, host)


@contextmanager
def network() -> Iterator[Network]:
    """Make a bridge with an address of its own. Raises NoNamespacesError."""
    if sys.platform != "linux" or os.geteuid() != 0 or not _IP:
        raise NoNamespacesError("network namespaces need Linux, root and `ip` (Debian: iproute2)")
    taken = {int(number) for number in _TAKEN.findall(_ip("-o", "address", "show"))}
    number = random.choice([each for each in _NETS if each not in taken])
    name = f"lf{os.getpid() % 100_000}x"
    try:
        _ip("link", "add", name, "type", "bridge")
    except subprocess.CalledProcessError as error:
        raise NoNamespacesError(f"this machine makes no bridge: {error.stderr}") from error
    try:
        _ip("address", "add", f"198.18.{number}.1/24", "dev", name)
        _ip("link", "set", name, "up")
        yield Network(name, number)
    finally:
        _ip("link", "delete", name)


@contextmanager
def skipped_without_namespaces() -> Iterator[None]:
    """Skip the test where no namespaces can be made; where CI is set, that is a failure."""
    try:
        yield
    except NoNamespacesError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _ip(*arguments: str) -> str:
    command = [_IP, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
