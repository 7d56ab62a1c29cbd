"""What a container engine does for a service, without one: a root that cannot be written, nobody's user, no rights.

    with Network("lf-1") as network:
        network.done(box, ["livefuse", "--version"])             # runs to its end
        network.started(box, ["livefuse", "worker"], log)        # until the network ends

All boxes of a network have one loopback interface of their own, so they reach each other at the ports of compose.yaml.
"""

import shlex
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from deploy.tether import tethered

_NO_RIGHTS: Final = "--no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all"


@dataclass(frozen=True)
class Box:
    """A root, the directories and files that are laid over it, variables, and who runs there: `uid:gid`.

    Of `mounts` those of `writable` may be written, and /tmp.
    """

    root: Path
    mounts: dict[str, Path] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "65534:65534"
    directory: str = "/"

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return what runs a command in it; it has process 1, as in a container."""
        uid, gid = self.user.split(":")
        root = shlex.quote(str(self.root))
        steps = ["set -e", f"mount --bind {root} {root}"]
        for path, source in self.mounts.items():
            point = self.root / path.lstrip("/")
            self._make(point, source)
            steps.append(f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(point))}")
            if path not in self.writable:
                steps.append(f"mount -o remount,bind,ro {shlex.quote(str(point))}")
        for path in ("proc", "tmp"):
            (self.root / path).mkdir(exist_ok=True)
        steps += [
            f"cd {root}",
            "mount -t tmpfs -o size=64m,mode=1777 tmpfs tmp",
            "mount -t proc proc proc",
            f"mount -o remount,bind,ro {root}",
            f'exec chroot {root} setpriv --reuid {uid} --regid {gid} --clear-groups {_NO_RIGHTS} env -i "$@"',
        ]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["sh", "-c", f'cd {self.directory} && exec "$@"', "sh", *arguments]
        unshared = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "\n".join(steps), "sh"]
        return [*unshared, *variables, *inside]

    @staticmethod
    def _make(point: Path, source: Path) -> None:
        if source.is_dir():
            point.mkdir(parents=True, exist_ok=True)
        else:
            point.parent.mkdir(parents=True, exist_ok=True)
            point.touch()


class Network:
    """A network namespace with nothing but a loopback interface, and what runs in it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: list[subprocess.Popen[bytes]] = []

    def done(self, box: Box, arguments: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with a text as its standard input."""
        command = self._within(box.command(arguments))
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)

    def started(self, box: Box, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a command that runs until the network ends."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                tethered(self._within(box.command(arguments))),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def _within(self, command: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self._name, *command]

    def __enter__(self) -> Self:
        self._ip("netns", "add", self._name)
        self._ip("-n", self._name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._ip("netns", "delete", self._name)

    @staticmethod
    def _ip(*arguments: str) -> None:
        command = ["ip", *arguments]
        subprocess.run(command, check=True)
