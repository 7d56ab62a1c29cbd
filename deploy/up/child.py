"""A process that `up` has started: its log, its end, its next start."""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from deploy.tether import tethered

KEPT_LINES: Final = 50
TOLD_LINES: Final = 5
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
SETTLED_AFTER_S: Final = 30.0
REPEAT_AFTER_S: Final = 30.0

OURS: Final = ("alerts.", "streams.", "deploy.", "schemas.")

USAGE: Final = 2
"""The exit code of a process whose settings are wrong: another start would not help."""

LIVEFUSE: Final = (sys.executable, "-m", "deploy.cli")

Tell = Callable[[str], None]


class Child:
    """A process of its own session, `livefuse` if no other `program` is named.

    Ctrl-C in the terminal does not reach it, and it cannot outlive us. `tell` is called with what an operator should
    see: warnings, errors, an unexpected end. `environment` is all that it is given.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        tell: Tell,
        *,
        program: Sequence[str] = LIVEFUSE,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.exit_code: int | None = None
        self._command = tethered([*program, *arguments])
        self.environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._tell = tell
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._started_at = 0.0
        self._warned: dict[str, float] = {}
        self._pause = FIRST_PAUSE_S
        self._next_start = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def last_lines(self) -> list[str]:
        """The end of its log."""
        return list(self._lines)[-TOLD_LINES:]

    async def start(self) -> None:
        """Start the process. Call it from the main thread: the child is bound to the thread that starts it."""
        self._lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )
        self.exit_code = None
        self._started_at = asyncio.get_running_loop().time()
        if self._process.stderr:
            self._reader = asyncio.create_task(self._read(self._process.stderr))

    async def look_after(self) -> None:
        """Tell when the process has ended by itself, and start it again after a pause that grows from end to end."""
        now = asyncio.get_running_loop().time()
        if self.pid is not None or self._process is None:
            return
        if self.exit_code is None:
            self.exit_code = await self._process.wait()
            if self._reader:
                await self._reader
            settled = now - self._started_at > SETTLED_AFTER_S
            self._pause = FIRST_PAUSE_S if settled else min(2 * self._pause, LONGEST_PAUSE_S)
            self._next_start = now + self._pause
            again = f"; it is started again in {self._pause:g} s" if self.may_restart else ""
            self._tell("\n    ".join([f"{self.name} has ended ({_ending(self.exit_code)}){again}", *self.last_lines]))
        elif self.may_restart and now >= self._next_start:
            self.restarts += 1
            await self.start()

    @property
    def may_restart(self) -> bool:
        """Whether another start may help."""
        return self.exit_code not in {0, USAGE}

    async def stop(self, grace_s: float) -> None:
        """End the process: SIGTERM, and SIGKILL when it has not ended within `grace_s` seconds."""
        if self._process is None:
            return
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), grace_s)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        if self._reader:
            self._reader.cancel()
        self._process = None

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await _line(stream):
            text = line.decode(errors="backslashreplace").rstrip()
            told = _told(text)
            self._lines.append(told or text)
            if told and _is_trouble(text):
                self._warn(told)

    def _warn(self, told: str) -> None:
        """Tell a warning of the child, but not the same one over and over."""
        now = asyncio.get_running_loop().time()
        if now - self._warned.get(told, -REPEAT_AFTER_S) >= REPEAT_AFTER_S:
            self._warned[told] = now
            self._tell(f"{self.name}: {told}")


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:
        # Longer than asyncio's limit; what is left of it comes next.
        return b"(a very long line)\n"


def _parsed(text: str) -> dict[str, str]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _told(text: str) -> str:
    """Return a line of a child's log as a person reads it; "" when it is no log line."""
    data = _parsed(text)
    if "next" in data:
        # How a command tells why it ends.
        return data["error"]
    rest = [
        f"{name}={value}" for name, value in data.items() if name not in {"at", "level", "logger", "event", "message"}
    ]
    return " ".join(filter(None, [data.get("event", ""), data.get("message", ""), *rest]))


def _is_trouble(text: str) -> bool:
    """Tell whether a line is a warning of ours; those of libraries are for the log."""
    data = _parsed(text)
    return data.get("level") in {"warning", "error", "critical"} and data.get("logger", "").startswith(OURS)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
