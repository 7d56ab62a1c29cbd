"""The comparison as a table for people: a row for each program, in the order in which they were measured."""

from collections.abc import Sequence
from typing import Final

from tests.bench.report import Result

PREFIX: Final = "compare: "
"""What the names of these results begin with."""

_COLUMNS: Final = (
    ("records/CPU s", ("records per CPU second",), "{:,.0f}"),
    ("start-up apart", ("records per CPU second, start-up apart",), "{:,.0f}"),
    ("records", ("records",), "{:,.0f}"),
    ("found", ("incidents found", "incidents"), "{:.0f} of {:.0f}"),
    ("false", ("false alarms",), "{:.0f}"),
    ("p50 ms", ("latency p50",), "{:,.1f}"),
    ("p99 ms", ("latency p99",), "{:,.1f}"),
    ("peak MiB", ("peak memory",), "{:,.0f}"),
    ("back s", ("second start to the first new event",), "{:.1f}"),
    ("caught up s", ("second start to all applied",), "{:.1f}"),
    ("found", ("incidents around the crash found", "incidents"), "{:.0f} of {:.0f}"),
    ("twice", ("events that came twice",), "{:.0f}"),
    ("lines", ("lines of code",), "{:,.0f}"),
)


def table(results: Sequence[Result]) -> str:
    """Return the results of `measure` as a table in Markdown, nothing where there are none."""
    head = ["", *(title for title, _, _ in _COLUMNS)]
    rows = [_row(result) for result in results if result.benchmark.startswith(PREFIX)]
    if not rows:
        return ""
    return "\n" + "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def _row(result: Result) -> list[str]:
    cells = ["failed"] if result.failed else [form.format(*map(result.value, names)) for _, names, form in _COLUMNS]
    return [result.benchmark.removeprefix(PREFIX), *cells, *[""] * (len(_COLUMNS) - len(cells))]
