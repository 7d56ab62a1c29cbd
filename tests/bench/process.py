"""What a running process has used, as Linux tells it in /proc."""

import os
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


def _bytes(text: str) -> int:
    number, unit = text.split()
    if unit != "kB":
        raise ValueError(f"/proc tells memory in {unit}")
    return int(number) * 1024
