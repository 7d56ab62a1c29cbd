"""What a running process has used, as Linux tells it in /proc."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
# Positions behind the command's name, which may hold spaces and brackets: see proc_pid_stat(5).
_USER, _SYSTEM, _REAPED_USER, _REAPED_SYSTEM = 11, 12, 13, 14


class Memory(NamedTuple):
    """Resident memory in bytes: now, and the most that it ever was."""

    now: int
    peak: int


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process since its start, user and system, in all its threads and ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[place]) for place in (_USER, _SYSTEM, _REAPED_USER, _REAPED_SYSTEM)) / _TICKS_PER_S


def memory(pid: int) -> Memory:
    """Return the resident memory of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Memory(_bytes(status["VmRSS"]), _bytes(status["VmHWM"]))


def written_bytes(pid: int) -> int:
    """Return how many bytes a process has caused to be written to disk since its start."""
    counts = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counts["write_bytes"])


@contextmanager
def hurried() -> Iterator[None]:
    """Give this process and its children real-time priority for a while (Linux, root), so that they wait for nobody.

    For a pipeline that is mostly idle on a machine that is not. Raises PermissionError.
    """
    _schedule(os.SCHED_RR)
    try:
        yield
    finally:
        _schedule(os.SCHED_OTHER)


def _schedule(policy: int) -> None:
    parameters = os.sched_param(os.sched_get_priority_min(policy))
    for pid in (os.getpid(), *_children(os.getpid())):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(thread.name), policy, parameters)


def _children(pid: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def _bytes(text: str) -> int:
    number, unit = text.split()
    if unit != "kB":
        raise ValueError(f"/proc tells memory in {unit}")
    return int(number) * 1024
