import asyncio
import re
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from deploy.drill.picture import drawn
from deploy.drill.steps import Steps
from tests.kafka.cluster import until


class Terminal:
    """A terminal of so many lines."""

    def __init__(self, height: int = 25) -> None:
        self._written = StringIO()
        self.console = Console(file=self._written, force_terminal=True, width=100, height=height)

    @property
    def shown(self) -> str:
        """What was written, without what steers the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._written.getvalue())

    async def until(self, text: str) -> None:
        """Wait for a text."""

        async def is_shown() -> bool:
            return text in self.shown

        await until(is_shown, text, within=timedelta(seconds=30), between=timedelta(0), state=lambda: self.shown)


async def test_a_step_is_shown_as_soon_as_it_has_finished() -> None:
    terminal, steps = Terminal(), Steps(60.0, clock=lambda: 0.25)
    async with drawn(steps, terminal.console):
        first, second, third = (steps.add(name) for name in ("first", "second", "third"))
        await terminal.until("third")
        assert "ok" not in terminal.shown
        steps.arrived(first, "51 records in [live]\x1b[2J")
        await terminal.until(r"250  ok: 51 records in [live]\x1b[2J")
        steps.failed(second, "nobody answers")
        await terminal.until("missing: nobody answers")
        assert "missing: what" not in terminal.shown, "the third has not failed, it only has not finished"
    assert "third   -    missing: what comes before it did not happen" in terminal.shown
    assert third.ms is None


async def test_all_steps_are_shown_at_the_end_however_low_the_terminal_is() -> None:
    terminal, steps = Terminal(height=5), Steps(60.0)
    async with drawn(steps, terminal.console):
        for number in range(20):
            steps.skipped(steps.add(f"step {number}"), "not today")
    assert "step 19" in terminal.shown


async def test_an_interruption_leaves_what_was_there() -> None:
    terminal, steps = Terminal(), Steps(60.0)

    async def interrupted() -> None:
        async with drawn(steps, terminal.console):
            steps.begin()
            steps.arrived(steps.add("first"), "in Kafka")
            steps.add("second")
            await terminal.until("second")
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await interrupted()
    assert "ok: in Kafka" in terminal.shown
    assert "missing" not in terminal.shown
