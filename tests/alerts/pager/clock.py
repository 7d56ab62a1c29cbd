"""Time that a test owns."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


async def until(condition: Callable[[], bool]) -> None:
    """Let the tasks go on until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what is waited for is other tasks' turns, not an event)
            await asyncio.sleep(0)


@dataclass
class Clock:
    """Time that passes only while the delivery sleeps."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
