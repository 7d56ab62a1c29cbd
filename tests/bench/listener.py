"""A listener: reads fuse events as a console would, committed ones only, and notes when each came."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.report import tell

_FETCH_MS: Final = 50
_TOLD_EVERY_S: Final = 5.0


class Listener:
    """The events of one topic since its beginning, by key.

    `values` are what they say, `written_ms` their timestamps, `arrived_s` (`time.monotonic`) when they came here.
    """

    def __init__(self, consumer: Any) -> None:
        self.values: defaultdict[str, list[bytes]] = defaultdict(list)
        self.written_ms: defaultdict[str, list[int]] = defaultdict(list)
        self.arrived_s: defaultdict[str, list[float]] = defaultdict(list)
        self._consumer = consumer

    @property
    def count(self) -> int:
        """How many events have come."""
        return sum(map(len, self.values.values()))

    async def wait_for(self, keys: Collection[str], number: int, within: timedelta) -> float:
        """Return when the event of this number of each key has come (`time.monotonic`).

        Raises TimeoutError when that is not so `within` the time.
        """
        await self.until(lambda: all(len(self.values[key]) >= number for key in keys), within)
        return max(self.arrived_s[key][number - 1] for key in keys)

    async def until(self, condition: Callable[[], bool], within: timedelta) -> None:
        """Read until the condition holds. Raises TimeoutError when that is not so `within` the time."""
        told_s = time.monotonic()
        async with asyncio.timeout(within.total_seconds()):
            while not condition():
                fetched = await self._consumer.getmany(timeout_ms=_FETCH_MS)
                now_s = time.monotonic()
                for records in fetched.values():
                    for record in records:
                        key = record.key.decode()
                        self.values[key].append(record.value)
                        self.written_ms[key].append(record.timestamp)
                        self.arrived_s[key].append(now_s)
                if now_s - told_s > _TOLD_EVERY_S:
                    told_s = now_s
                    tell(f"{self.count:,} fuse events so far")


@asynccontextmanager
async def listening(bootstrap: str, topic: str, partitions: int) -> AsyncIterator[Listener]:
    """Read a topic of fuse events from its beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=_FETCH_MS,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        yield Listener(consumer)
    finally:
        await consumer.stop()
