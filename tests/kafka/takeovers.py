"""How long a partition waits for its first decision when its worker has gone, as a reader of Kafka sees it.

    gone         the moment at which the worker was dead
    decided      a `read_committed` reader has the first record in `livefuse.state` that was written after that, and
                 tells of a later frame than all before it: the lane's own by its position, a state by its header

A lane writes one or the other in every transaction with outputs: when a reader has it, it has the fuse events too. The
dead write nothing any more, so whoever wrote it has taken over. What was in a transaction of the dead does not count:
it bears an earlier time. Nor does one that decides nothing, because its signals wait for an intake.
"""

import asyncio
import re
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from math import ceil
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer

from streams.worker.store import LANE_KEY, LaneRecord, place_of
from tests.kafka.cluster import Service, until
from tests.kafka.reading import partitions_of

_LANE: Final = re.compile(r"lane\.(opened|closed|fenced|flush_failed) (?:message=\"?)?partition=(\d+)")


class Takeover(NamedTuple):
    """One partition of one worker that went. `again`: the next one went before it was decided."""

    cause: str
    partition: int
    seconds: float
    again: bool = False


class Gone(NamedTuple):
    """A worker that went: why, when (wall clock, seconds), and the partitions that it had."""

    cause: str
    at_s: float
    partitions: frozenset[int]


class Decisions:
    """The decisions of all lanes: when each was written and when it was seen (wall clock, seconds)."""

    def __init__(self) -> None:
        self.gone: list[Gone] = []
        self._written: defaultdict[int, list[float]] = defaultdict(list)
        self._seen: defaultdict[int, list[float]] = defaultdict(list)
        self._positions: dict[int, int] = {}

    def note(self, cause: str, partitions: Iterable[int]) -> None:
        """Remember that a worker went just now."""
        self.gone.append(Gone(cause, time.time(), frozenset(partitions)))

    def add(self, partition: int, written_ms: int, position: int) -> None:
        """Take down a transaction that has just been read, if it has decided anything."""
        if position <= self._positions.get(partition, -1):
            return
        self._positions[partition] = position
        # Lanes that follow each other run on one clock here, but the last one's may be read late: keep them in order.
        self._written[partition].append(max([written_ms / 1000, *self._written[partition][-1:]]))
        self._seen[partition].append(time.time())

    def first_after(self, partition: int, moment_s: float) -> float | None:
        """Return when the first decision was seen that was written after a moment; None when there is none."""
        written = self._written[partition]
        # Kafka's times are whole milliseconds, cut off.
        place = bisect_right(written, moment_s)
        return self._seen[partition][place] if place < len(written) else None

    def longest_wait(self, partition: int, from_s: float, to_s: float) -> float:
        """Return the longest time between two decisions that were seen between two moments."""
        seen = [each for each in self._seen[partition] if from_s <= each <= to_s]
        return max((later - earlier for earlier, later in zip([from_s, *seen], [*seen, to_s], strict=True)), default=0)

    async def all_decided(self, within: timedelta) -> None:
        """Return when every partition of those that went has been decided since."""

        async def are() -> bool:
            return all(self.first_after(each, gone.at_s) is not None for gone in self.gone for each in gone.partitions)

        await until(are, "all partitions that moved are decided again", within=within)

    def takeovers(self) -> list[Takeover]:
        """Return all of them, in the order in which the workers went."""
        found = []
        for gone in self.gone:
            for partition in sorted(gone.partitions):
                seen_s = self.first_after(partition, gone.at_s)
                if seen_s is not None:
                    again = any(gone.at_s < later.at_s < seen_s for later in self.gone if partition in later.partitions)
                    found.append(Takeover(gone.cause, partition, seen_s - gone.at_s, again))
        return found


@asynccontextmanager
async def watched(bootstrap: str, state_topic: str) -> AsyncIterator[Decisions]:
    """Follow the topic from its end, for as long as it is entered."""
    partitions = await partitions_of(bootstrap, state_topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=16 * 1_048_576,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    decisions = Decisions()
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    following = asyncio.create_task(_follow(consumer, decisions))
    try:
        yield decisions
        if following.done():
            following.result()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await consumer.stop()


async def _follow(consumer: Any, decisions: Decisions) -> None:
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                lane = record.key == LANE_KEY
                frame = None if lane else place_of(record.headers)
                if lane or frame is not None:
                    position = LaneRecord.decode(record.value).position if frame is None else frame.offset
                    decisions.add(partition.partition, record.timestamp, position)


def lanes_of(worker: Service) -> frozenset[int]:
    """Return the partitions whose lanes the present life of a worker says it has open."""
    open_now: set[int] = set()
    for what, number in _LANE.findall(worker.said):
        (open_now.add if what == "opened" else open_now.discard)(int(number))
    return frozenset(open_now)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
