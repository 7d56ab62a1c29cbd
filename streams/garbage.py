"""Garbage: when an intake and a worker look for cycles among their objects.

Python looks whenever many objects have been made. Here these are signals and states, by the million; none of them is
part of a cycle, and with hundreds of thousands of products a fifth of the time went into looking at them again and
again. What does make cycles (errors with their tracebacks, connections, tasks) makes them slowly. So the process looks
by the clock.
"""

import asyncio
import gc
import logging
from time import perf_counter
from typing import Final

_EVERY_S: Final = 60.0
_PER_SECOND_OF_LOOKING_S: Final = 1_000.0
"""A look takes a tenth of a second for some ten thousand decoded products, and holds up everything."""

log = logging.getLogger(__name__)


def look_by_the_clock() -> None:
    """Stop looking by the number of objects; what there is now stays to the end and is never looked at."""
    gc.freeze()
    gc.disable()


async def look(every_s: float = _EVERY_S) -> None:
    """Look every minute, and for at most a thousandth of the time. Runs until cancelled."""
    pause_s = every_s
    while True:
        await asyncio.sleep(pause_s)
        began = perf_counter()
        found = gc.collect()
        took = perf_counter() - began
        log.debug("garbage.collected objects=%d seconds=%.3f", found, took)
        pause_s = max(every_s, took * _PER_SECOND_OF_LOOKING_S)
