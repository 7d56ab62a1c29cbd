"""Reports: what a benchmark found, as a table for people or as JSON, and on what machine."""

import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.kafka.broker import jars_directory

_BEGAN_S: Final = time.monotonic()


class Figure(NamedTuple):
    """One measured number, with its unit."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        if self.value == int(self.value):
            return f"{int(self.value):,} {self.unit}".rstrip()
        digits = 0 if abs(self.value) >= 1000 else 1 if abs(self.value) >= 10 else 3
        return f"{self.value:,.{digits}f} {self.unit}".rstrip()


class Result(NamedTuple):
    """What one benchmark found. `failed` says what makes its figures worthless, if anything does."""

    benchmark: str
    figures: tuple[Figure, ...]
    failed: str | None = None

    def value(self, name: str) -> float:
        """Return a figure's value by its name."""
        return next(figure.value for figure in self.figures if figure.name == name)


def tell(text: str) -> None:
    """Tell the person who waits what goes on, with the seconds since the start."""
    print(f"{time.monotonic() - _BEGAN_S:7.1f} s  {text}", file=sys.stderr, flush=True)  # noqa: T201 (a progress line)


def machine() -> dict[str, str | int | float]:
    """Describe what the figures were measured on. `load` is the load average before."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor() or "unknown",
    )
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": jars_directory().name,
        "load": round(os.getloadavg()[0], 2),
        "taken": time.strftime("%Y-%m-%d"),
    }


def as_json(on: dict[str, Any], results: Iterable[Result]) -> dict[str, Any]:
    """Return machine and results for a program to read."""
    return {
        "machine": on,
        "benchmarks": {
            result.benchmark: {
                "failed": result.failed,
                "figures": {figure.name: {"value": figure.value, "unit": figure.unit} for figure in result.figures},
            }
            for result in results
        },
    }


def as_text(results: Iterable[Result], on: Mapping[str, Any] | None = None) -> str:
    """Return results for people, and the machine if it is given."""
    lines = [", ".join(f"{name} {value}" for name, value in on.items())] if on else []
    for result in results:
        width = max((len(figure.name) for figure in result.figures), default=0)
        lines += ["", result.benchmark]
        lines += [f"  {figure.name:<{width}}  {figure}" for figure in result.figures]
        if result.failed:
            lines.append(f"  WORTHLESS: {result.failed}")
    return "\n".join(lines) + "\n"


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
