"""How intakes and workers stand, asked of the broker: for the console, which must not show old data as new.

    async with Pipeline(settings) as pipeline:
        await pipeline.look()          # {"intakes": 1, "workers": 2, "intake_lag": 0, ..., "inputs": [...]}

What is younger than `SETTLED_S` does not count as lag: there are frames all the time, and what a process has done it
commits a little later. When the last record of an input came is read from the record itself, and only where the end of
a partition has moved since the last look; nothing else of the input topics is read. For how long a frame waits, its own
timestamp tells, which is an intake's; those of the input topics are the shop's, and may be of last year, so for how
long their records wait is told from one look to the next. Intakes write a tick twice a second, day and night; where
none comes, timers wait, and whether anything else does nobody can tell.

Verified on aiokafka 0.14: a partition that is paused is not fetched, and may be sought in; a fetch that waits for
records holds up all questions behind it on the same connection, so there is a consumer for each.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from deploy.admin import Admin
from deploy.kafka import open_admin, open_consumer, partitions_of
from deploy.settings import Settings
from schemas.errors import LivefuseError
from schemas.times import from_ms

SETTLED_S: Final = 3.0
"""A lane at rest flushes once a second, and Faust commits half a second later."""
ANSWER_WITHIN_S: Final = 4.0
READ_WITHIN_S: Final = 1.0
"""How long to wait for single records."""
KEPT_LOOKS: Final = 300
_BACK: Final = 2
"""A marker of a transaction has an offset too, and stands behind its records."""
_AT_ONCE: Final = 100
_FETCH_BYTES: Final = 64 * 1024
"""Single records are wanted; of a larger one Kafka sends the whole all the same."""

Offsets = Mapping[TopicPartition, int]


class Waiting:
    """Since when records of some partitions wait to be read, told from one look to the next.

    A record that was there at a look and is not committed at a later one waits since that look at least.
    """

    def __init__(self, partitions: Iterable[TopicPartition]) -> None:
        self._looks: dict[TopicPartition, deque[tuple[float, int]]] = {each: deque() for each in partitions}
        self.lags: dict[TopicPartition, int] = dict.fromkeys(self._looks, 0)
        """Records of each partition that have waited for longer than `SETTLED_S`."""

    @property
    def lag(self) -> int:
        """Those of all partitions."""
        return sum(self.lags.values())

    def take(self, now_s: float, ends: Offsets, committed: Offsets) -> float:
        """Take a look in; return for how long the oldest record waits, in seconds, 0 when none does."""
        oldest = now_s
        for partition, looks in self._looks.items():
            done = committed[partition]
            looks.append((now_s, ends[partition]))
            while looks and looks[0][1] <= done:
                looks.popleft()
            if looks:
                oldest = min(oldest, looks[0][0])
            self.lags[partition] = max((end - done for at, end in looks if at <= now_s - SETTLED_S), default=0)
            if len(looks) > KEPT_LOOKS:
                # The oldest tells since when, the newest how many.
                del looks[1]
        waited_s = now_s - oldest
        return waited_s if waited_s > SETTLED_S else 0.0


class Pipeline:
    """Asks again and again, over clients of its own, which are opened anew after a failure."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = AsyncExitStack()
        self._clients: _Clients | None = None
        names = settings.topics
        self._topics = {
            "orders": names.orders,
            "returns": names.returns,
            "complaints": names.complaints,
            "stock_levels": names.stock_levels,
        }
        self._last_ms: dict[TopicPartition, int] = {}
        self._read_to: dict[TopicPartition, int] = {}
        self._inputs: list[TopicPartition] = []
        self._signals: list[TopicPartition] = []
        self._by_intakes = Waiting(())
        self._by_workers = Waiting(())
        self._frames = -1
        self._ticked_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def look(self) -> Mapping[str, Any]:
        """Return how things stand, as `Health` of the console has it. Raises KafkaError, OSError or TimeoutError."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                if self._clients is None:
                    self._clients = await self._open()
                return await self._look(self._clients)
        except LivefuseError as error:
            await self._close()
            raise KafkaConnectionError(str(error)) from error
        except BaseException:
            # Also when the one who asked would wait no longer: what is half open is of no use.
            await self._close()
            raise

    async def _open(self) -> "_Clients":
        reached = self._settings.kafka_config()
        admin = Admin(await self._stack.enter_async_context(open_admin(reached)))
        asking = await self._stack.enter_async_context(open_consumer(reached))
        reading = await self._stack.enter_async_context(open_consumer(reached, fetch_bytes=_FETCH_BYTES))
        inputs = await partitions_of(reached, self._topics.values())
        signals = await partitions_of(reached, [self._settings.topics.signals])
        if (inputs, signals) != (self._inputs, self._signals):
            self._inputs, self._signals = inputs, signals
            self._by_intakes, self._by_workers = Waiting(inputs), Waiting(signals)
        reading.assign([*inputs, *signals])
        reading.pause(*inputs, *signals)
        return _Clients(admin, asking, reading)

    async def _close(self) -> None:
        self._clients = None
        stack, self._stack = self._stack, AsyncExitStack()
        try:
            await stack.aclose()
        except (LivefuseError, KafkaError, OSError, TimeoutError):
            # What a client says at its end of a broker that is away is known already.
            return

    async def _look(self, clients: "_Clients") -> Mapping[str, Any]:
        settings = self._settings
        intakes = await clients.admin.group(settings.intake_group)
        workers = await clients.admin.group(settings.worker_group)
        # Offsets before ends: what is committed meanwhile is then no lag.
        read = await _committed(clients, settings.intake_group, self._inputs)
        applied = await _committed(clients, settings.worker_group, self._signals)
        ends = await clients.asking.end_offsets([*self._inputs, *self._signals])
        now_s = time.monotonic()
        waited_s = max(self._by_intakes.take(now_s, ends, read), self._without_ticks(now_s, ends))
        if self._by_workers.take(now_s, ends, applied):
            waited_s = max(waited_s, await self._oldest_frame(clients.reading, applied))
        await self._read_last(clients.reading, ends)
        return {
            "intakes": intakes.members if intakes else 0,
            "workers": workers.members if workers else 0,
            "intake_lag": self._by_intakes.lag,
            "worker_lag": self._by_workers.lag,
            "behind_s": round(waited_s, 1),
            "inputs": [self._input(name, topic) for name, topic in self._topics.items()],
        }

    def _without_ticks(self, now_s: float, ends: Offsets) -> float:
        """Return for how long no intake has said how far time has come, in seconds; 0 when one just has."""
        frames = sum(ends[each] for each in self._signals)
        if frames != self._frames:
            self._frames, self._ticked_s = frames, now_s
        silent_s = now_s - self._ticked_s
        return silent_s if silent_s > SETTLED_S + 2 * self._settings.intake.tick_interval.total_seconds() else 0.0

    def _input(self, name: str, topic: str) -> dict[str, Any]:
        ours = [each for each in self._inputs if each.topic == topic]
        last_ms = max((self._last_ms[each] for each in ours if each in self._last_ms), default=None)
        return {
            "input": name,
            "topic": topic,
            "last_at": None if last_ms is None else from_ms(last_ms),
            "lag": sum(self._by_intakes.lags[each] for each in ours),
        }

    async def _oldest_frame(self, consumer: AIOKafkaConsumer, applied: Offsets) -> float:
        """Return for how long the oldest frame that no worker has applied waits, in seconds by its intake's clock."""
        behind = {each: applied[each] for each, lag in self._by_workers.lags.items() if lag}
        found = [records[0].timestamp for records in (await _read(consumer, behind)).values()]
        return max((self._clock() - at_ms / 1000 for at_ms in found), default=SETTLED_S)

    async def _read_last(self, consumer: AIOKafkaConsumer, ends: Offsets) -> None:
        """Read the last record of each input partition in which something has come."""
        moved = [each for each in self._inputs if ends[each] > self._read_to.get(each, 0)]
        first = await consumer.beginning_offsets(moved) if moved else {}
        wanted = {each: max(first[each], ends[each] - _BACK) for each in moved if ends[each] > first[each]}
        for partition, records in (await _read(consumer, wanted)).items():
            self._last_ms[partition] = max(each.timestamp for each in records)
        # What did not come is a marker: it is not asked for again before something new is there.
        self._read_to |= ends


async def _committed(
    clients: "_Clients", group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return how far a group has come; where it has not begun, the first record that there is."""
    found = await clients.admin.committed(group, partitions)
    fresh = [each for each in partitions if each not in found]
    return found | (await clients.asking.beginning_offsets(fresh) if fresh else {})


async def _read(consumer: AIOKafkaConsumer, offsets: Offsets) -> dict[TopicPartition, list[ConsumerRecord[Any, Any]]]:
    """Return some records of each partition from an offset on, at least one where there is one to be had."""
    found: dict[TopicPartition, list[ConsumerRecord[Any, Any]]] = {}
    if not offsets:
        return found
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)
    consumer.resume(*offsets)
    try:
        deadline = time.monotonic() + READ_WITHIN_S
        while (missing := offsets.keys() - found.keys()) and (left_s := deadline - time.monotonic()) > 0:
            batches = await consumer.getmany(*missing, timeout_ms=int(left_s * 1000), max_records=_AT_ONCE)
            for partition, records in batches.items():
                consumer.pause(partition)
                found[partition] = records
    finally:
        consumer.pause(*offsets)
    return found


class _Clients:
    """Open clients: an admin's, a consumer that asks and one that reads."""

    def __init__(self, admin: Admin, asking: AIOKafkaConsumer, reading: AIOKafkaConsumer) -> None:
        self.admin = admin
        self.asking = asking
        self.reading = reading
