"""What `up` shows, asked of the broker as anybody could ask it: throughput, lag, what is paused, what happened."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from deploy.admin import Admin, Group
from deploy.kafka import partitions_of, start_at
from deploy.settings import Settings
from schemas.events import FuseEvent, FuseState

LAST_EVENTS: Final = 200
ANSWER_WITHIN_S: Final = 1.5
SETTLED_S: Final = 3.0
"""A lane at rest flushes once a second, and Faust commits half a second later."""


@dataclass
class Picture:
    """How things stand. Rates are records a second; `intake_lag` is in records, `worker_lag` in frames.

    What is younger than `SETTLED_S` does not count as lag: there are frames all the time, and what a process has done
    it commits a little later.
    """

    records: int = 0
    rate: float = 0.0
    intake_lag: int = 0
    worker_lag: int = 0
    events: int = 0
    states: dict[str, FuseState] = field(default_factory=dict)
    last_events: deque[FuseEvent] = field(default_factory=lambda: deque(maxlen=LAST_EVENTS))

    def held_back(self) -> list[FuseState]:
        """Return the products that are paused in whole or in part, the latest first."""
        found = [state for state in self.states.values() if state.paused.product or state.paused.skus]
        return sorted(found, key=_since, reverse=True)


def _since(state: FuseState) -> int:
    times = [fuse.since for fuse in state.fuses if fuse.state == "open"]
    if state.override:
        times.append(state.override.since)
    return max(times, default=0)


class Watcher:
    """Keeps a picture up to date. `on_event` is called for every fuse event, once."""

    def __init__(
        self,
        settings: Settings,
        admin: Admin,
        consumers: tuple[AIOKafkaConsumer, AIOKafkaConsumer],
        on_event: Callable[[FuseEvent], None],
    ) -> None:
        self.picture = Picture()
        self._settings = settings
        self._admin = admin
        # Two, because a fetch that waits for records holds up all questions behind it.
        self._asking, self._listening = consumers
        self._on_event = on_event
        self._sequences: dict[str, int] = {}
        self._inputs: list[TopicPartition] = []
        self._signals: list[TopicPartition] = []
        self._looked_at = 0.0
        self._ends: deque[tuple[float, dict[TopicPartition, int]]] = deque()

    async def begin(self) -> None:
        """Find the partitions; read states from the beginning and events from now on."""
        names = self._settings.topics
        reached = self._settings.kafka_config()
        shop = (names.orders, names.returns, names.complaints, names.stock_levels)
        self._inputs = await partitions_of(reached, shop)
        self._signals = await partitions_of(reached, [names.signals])
        states = await partitions_of(reached, [names.fuse_state])
        events = await partitions_of(reached, [names.fuse_events])
        offsets = await self._asking.beginning_offsets(states) | await self._asking.end_offsets(events)
        start_at(self._listening, offsets)
        ends = await self._asking.end_offsets([*self._inputs, *self._signals])
        self.picture.records = sum(ends[each] for each in self._inputs)
        self._looked_at = asyncio.get_running_loop().time()
        self._ends.append((self._looked_at, ends))

    async def groups(self) -> tuple[Group | None, Group | None]:
        """Return the consumer groups of the intakes and of the workers; None while the broker does not tell."""
        settings = self._settings
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._admin.group(settings.intake_group), await self._admin.group(settings.worker_group)
        except (KafkaError, TimeoutError):
            return None, None

    async def look(self) -> str:
        """Bring rates and lags up to date; return why not when the broker does not answer, else ""."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._look()
        except (KafkaError, TimeoutError) as error:
            return f"the broker does not tell how things stand: {str(error) or 'no answer'}"
        return ""

    async def _look(self) -> None:
        ends = await self._asking.end_offsets([*self._inputs, *self._signals])
        read = await self._admin.committed(self._settings.intake_group, self._inputs)
        applied = await self._admin.committed(self._settings.worker_group, self._signals)
        now = asyncio.get_running_loop().time()
        picture = self.picture
        records = sum(ends[each] for each in self._inputs)
        picture.rate = (records - picture.records) / max(now - self._looked_at, 0.001)
        picture.records, self._looked_at = records, now
        self._ends.append((now, ends))
        while self._ends[1][0] <= now - SETTLED_S:
            self._ends.popleft()
        _, settled = self._ends[0]
        picture.intake_lag = _lag(settled, read, self._inputs)
        picture.worker_lag = _lag(settled, applied, self._signals)

    async def listen(self) -> None:
        """Take fuse states and events in until cancelled."""
        events = self._settings.topics.fuse_events
        while True:
            batches = await self._listening.getmany(timeout_ms=500)
            for partition, records in batches.items():
                for record in records:
                    try:
                        if partition.topic == events:
                            self._take_event(FuseEvent.model_validate_json(record.value))
                        else:
                            self._take_state(record.key.decode(), record.value)
                    except ValidationError:
                        # Of another version, or not written by livefuse: nothing that `up` could show.
                        continue

    def _take_event(self, event: FuseEvent) -> None:
        if event.sequence > self._sequences.get(event.product_id, 0):
            self._sequences[event.product_id] = event.sequence
            self.picture.events += 1
            self.picture.last_events.append(event)
            self._on_event(event)

    def _take_state(self, product_id: str, value: bytes | None) -> None:
        if value is None:
            self.picture.states.pop(product_id, None)
        else:
            self.picture.states[product_id] = FuseState.model_validate_json(value)


def _lag(
    ends: Mapping[TopicPartition, int], committed: Mapping[TopicPartition, int], partitions: Iterable[TopicPartition]
) -> int:
    return sum(max(0, ends[each] - committed.get(each, 0)) for each in partitions)
