"""Cycles are looked for by the clock."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from streams.garbage import look, look_by_the_clock


class Cycle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def undone() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("undone")
async def test_a_cycle_goes_by_the_clock_and_not_before() -> None:
    look_by_the_clock()
    gone = asyncio.Event()
    weakref.finalize(Cycle(), gone.set)
    kept = [[] for _ in range(10_000)]  # type: ignore[var-annotated]  # more than Python waits for
    assert (len(kept), gone.is_set()) == (10_000, False)
    looking = asyncio.create_task(look(0.01))
    async with asyncio.timeout(60):
        await gone.wait()
    looking.cancel()
