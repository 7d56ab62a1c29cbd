"""The steps of a drill on a terminal, drawn again whenever one has finished; the last picture stays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from deploy.cli.output import printable
from deploy.drill.steps import Step, Steps

COLUMNS: Final = ("step", "ms", "result")
LOOK_S: Final = 0.1
WAITING: Final = "..."


def row(step: Step) -> list[str]:
    """Return the row of a step at the end of a drill."""
    told = ": ".join(filter(None, (step.outcome, printable(step.told))))
    return [step.name, "-" if step.ms is None else str(step.ms), told]


@asynccontextmanager
async def drawn(steps: Steps, console: Console | None = None) -> AsyncIterator[None]:
    """Draw the steps while entered, those that have not finished as waiting; at an orderly end as they are."""
    with Live(console=console or Console(), auto_refresh=False) as live:
        drawing = asyncio.create_task(_draw(live, steps))
        try:
            yield
            # All of it has to be seen, also on a terminal that is lower than the table.
            live.vertical_overflow = "visible"
            live.update(_table(steps, row), refresh=True)
        finally:
            drawing.cancel()


async def _draw(live: Live, steps: Steps) -> None:
    while True:
        live.update(_table(steps, _row_so_far), refresh=True)
        await asyncio.sleep(LOOK_S)


def _row_so_far(step: Step) -> list[str]:
    return row(step) if step.is_over else [step.name, "", WAITING]


def _table(steps: Steps, of: Callable[[Step], list[str]]) -> Table:
    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    for step in steps.all:
        table.add_row(*map(escape, of(step)))
    return table
