"""Calibration: how fast the machine is at this moment, so that figures of different hours are not compared unawares."""

import os
import time
from statistics import median
from typing import Final, NamedTuple, Self

from tests.bench.report import Figure

_LOOPS: Final = 15
_STEPS: Final = 500_000


class Conditions(NamedTuple):
    """The CPU time in ms of a loop in pure Python that is always the same, and the load average of a minute.

    CPU time, because that is what the benchmarks count: it does not grow while others have the processor, but it does
    when they share its caches, its clock or its core.
    """

    calibration_ms: float
    load: float

    @classmethod
    def now(cls) -> Self:
        """Measure; takes a third of a second on an idle machine."""
        load = os.getloadavg()[0]
        return cls(median(_loop_ms() for _ in range(_LOOPS)), load)

    def figures(self, when: str) -> tuple[Figure, ...]:
        """Return both for a report; `when` is before or after a part."""
        return Figure(f"calibration loop {when}", self.calibration_ms, "ms"), Figure(f"load {when}", self.load)


def _loop_ms() -> float:
    began_ns = time.process_time_ns()
    total = 0
    for step in range(_STEPS):
        total += step & 7
    return (time.process_time_ns() - began_ns) / 1e6
