"""Follows what the workers write: the fuse states, the fuse events and the watch lists, all partitions, for one reader.

    rebuild    fuse states and watch lists from beginning to end, and the fuse events since the oldest open fuse opened
    follow     all three, on and on

An opening is looked up in the fuse events, because the state of a fuse that is open for hours does not tell in which
room it opened, and what is said of it must be the same before and after a restart. Kafka time is never earlier than
event time by more than what intake lets pass (five minutes), so looking from a while before the event time finds it.

A broker that is away raises nothing: nothing comes until it is back. `heard` tells since when.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ValidationError

from alerts.consumer import REFUSALS, RETRY_S, heard_ms, lanes, open_consumer, reached, start_at
from schemas.errors import BrokerRefused
from schemas.events import FuseEvent, FuseState, Watchlist
from schemas.rights import missing
from schemas.topics import TopicNames

AWAY_AFTER_S: Final = 10.0
LOOK_BACK_MS: Final = 60 * 60_000
SLACK_MS: Final = 10 * 60_000

_FETCH_WAIT_MS: Final = 100
_LOOK_S: Final = 1.0
_RECORDS_AT_ONCE: Final = 2_000
_STATES_AT_ONCE: Final = 500

log = logging.getLogger(__name__)


class Known(NamedTuple):
    """A fuse state or event, and the timestamp (ms) of its Kafka record."""

    value: Any
    known_ms: int


class Source(Protocol):
    """Where to read. `client` are keyword arguments that every aiokafka client takes."""

    @property
    def client(self) -> Mapping[str, Any]:
        """What every client takes."""

    @property
    def topics(self) -> TopicNames:
        """The names."""

    @property
    def partitions(self) -> int:
        """How many partitions the signals, events and states have."""


class Sink(Protocol):
    """Who takes in what the follower reads."""

    async def rebuilt(self, events: Iterable[Known], states: Iterable[Known]) -> None:
        """Take in everything up to now: events in order, the latest state of each product. Called once.

        Both are parsed while they are gone through, once: there may be a million of them. The watch lists of the last
        hour, oldest first, have come before.
        """

    def event(self, event: FuseEvent, known_ms: int) -> None:
        """Take in the next fuse event."""

    def state(self, product_id: str, state: FuseState | None) -> None:
        """Take in a product's latest state."""

    def watchlist(self, partition: int, watchlist: Watchlist | None) -> None:
        """Take in the next watch list of a partition."""


class Follower:
    """Reads for one sink. `clock` returns seconds since 1970."""

    def __init__(self, source: Source, sink: Sink, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._sink = sink
        self._clock = clock
        self._states = lanes(source.topics.fuse_state, source.partitions)
        self._events = lanes(source.topics.fuse_events, source.partitions)
        self._watchlists = lanes(source.topics.watchlist, 1)
        self._positions: dict[TopicPartition, int] = {}
        self._away = False
        self.heard = 0.0
        """When the broker last answered for every partition, in seconds since 1970; 0: not yet."""
        self.ready = asyncio.Event()

    @property
    def is_away(self) -> bool:
        """Whether the broker has not answered for a while."""
        return self._clock() - self.heard > AWAY_AFTER_S

    async def run(self) -> None:
        """Rebuild, then follow, until cancelled. Raises BrokerRefused."""
        while True:
            try:
                async with open_consumer(self._source.client, wait_ms=_FETCH_WAIT_MS) as consumer:
                    if not self.ready.is_set():
                        await self._rebuild(consumer)
                    start_at(consumer, self._positions)
                    await self._follow(consumer)
            except REFUSALS as error:
                raise BrokerRefused(f"the fuse events cannot be read: {missing(error, 'Read')}") from error
            except (KafkaError, OSError, TimeoutError) as error:
                self._say_away(type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _rebuild(self, consumer: AIOKafkaConsumer) -> None:
        began = time.monotonic()
        # The ends of the events are asked for first: what a state tells is then in the events that are read, or after.
        events_end = await consumer.end_offsets(self._events)
        compacted = [*self._states, *self._watchlists]
        latest: dict[TopicPartition, dict[bytes, Known]] = {each: {} for each in self._states}
        watchlists: list[Any] = []
        begin = await consumer.beginning_offsets(compacted)
        end = await consumer.end_offsets(compacted)
        start_at(consumer, begin)
        while not await reached(consumer, end):
            for partition, records in (await consumer.getmany(timeout_ms=200, max_records=_RECORDS_AT_ONCE)).items():
                if partition in latest:
                    latest[partition].update({each.key: Known(each.value, each.timestamp) for each in records})
                else:
                    watchlists += records
        self._positions = {each: await consumer.position(each) for each in compacted}
        self._take_past_watchlists(watchlists)
        kept = [each for partition in self._states for each in latest.pop(partition).values() if each.value is not None]
        events = await self._past_events(consumer, await _oldest_opening_ms(kept), events_end)
        await self._sink.rebuilt(in_order(events), _states(kept))
        self.heard = self._clock()
        self.ready.set()
        log.info(
            "follower.rebuilt states=%d events=%d seconds=%.1f",
            len(kept),
            sum(map(len, events)),
            time.monotonic() - began,
        )

    async def _past_events(
        self, consumer: AIOKafkaConsumer, opened_ms: int | None, end: dict[TopicPartition, int]
    ) -> list[list[Known]]:
        """Read the events since the oldest open fuse opened, and those of the last hour, for each partition."""
        now_ms = int(self._clock() * 1000)
        since_ms = min(now_ms - LOOK_BACK_MS, now_ms if opened_ms is None else opened_ms) - SLACK_MS
        found = await consumer.offsets_for_times(dict.fromkeys(self._events, max(0, since_ms)))
        first = {each: at.offset if (at := found.get(each)) is not None else end[each] for each in self._events}
        start_at(consumer, first)
        events: dict[TopicPartition, list[Known]] = {each: [] for each in self._events}
        while not await reached(consumer, end):
            batches = await consumer.getmany(timeout_ms=200, max_records=_RECORDS_AT_ONCE)
            for partition, records in batches.items():
                events[partition] += [Known(each.value, each.timestamp) for each in records]
        self._positions |= {each: await consumer.position(each) for each in self._events}
        return list(events.values())

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        began = self._clock()
        looked = 0.0
        while True:
            batches = await consumer.getmany(timeout_ms=1000, max_records=_RECORDS_AT_ONCE)
            for partition, records in batches.items():
                for record in records:
                    self._take(partition, record)
                self._positions[partition] = records[-1].offset + 1
            if time.monotonic() - looked >= _LOOK_S:
                looked = time.monotonic()
                self.heard = max(self.heard, heard_ms(consumer, tuple(self._positions)) / 1000)
                if self.is_away and self._clock() - began > AWAY_AFTER_S:
                    self._say_away("it does not answer")
                elif self._away and not self.is_away:
                    self._away = False
                    log.info("broker.back")

    def _take(self, partition: TopicPartition, record: Any) -> None:
        if partition.topic == self._source.topics.fuse_events:
            event = _parsed(FuseEvent, record.value)
            if event is None:
                log.warning("follower.unreadable_event partition=%d offset=%d", partition.partition, record.offset)
            else:
                self._sink.event(event, record.timestamp)
        elif partition.topic == self._source.topics.fuse_state:
            self._sink.state((record.key or b"").decode(errors="replace"), _parsed(FuseState, record.value))
        else:
            self._take_watchlist(record.key, record.value)

    def _take_past_watchlists(self, records: list[Any]) -> None:
        """Hand over the watch lists of the last hour, and older ones where there is none since."""
        since_ms = int(self._clock() * 1000) - LOOK_BACK_MS
        newest = {each.key: number for number, each in enumerate(records)}
        for number, each in enumerate(records):
            if each.timestamp >= since_ms or newest[each.key] == number:
                self._take_watchlist(each.key, each.value)

    def _take_watchlist(self, key: bytes | None, value: bytes | None) -> None:
        if key is not None and key.isdigit():
            self._sink.watchlist(int(key), _parsed(Watchlist, value))

    def _say_away(self, why: str) -> None:
        if not self._away:
            log.warning("broker.unavailable %s. Trying again, and not saying so again.", why)
        self._away = True


def _parsed(model: type[BaseModel], value: bytes | None) -> Any:
    """Return the record as a model; None for a tombstone, or for what somebody else has written there."""
    if value is None:
        return None
    try:
        return model.model_validate_json(value)
    except ValidationError:
        return None


def _states(records: Iterable[Known]) -> Iterator[Known]:
    for value, known_ms in records:
        state = _parsed(FuseState, value)
        if state is not None:
            yield Known(state, known_ms)


def in_order(partitions: Iterable[list[Known]]) -> Iterator[Known]:
    """Yield the events of all partitions by time, and never two of one partition in another order than theirs."""
    for _, (value, known_ms) in merge(*map(_by_time, partitions), key=itemgetter(0)):
        event = _parsed(FuseEvent, value)
        if event is not None:
            yield Known(event, known_ms)


def _by_time(records: list[Known]) -> Iterator[tuple[int, Known]]:
    # Workers have clocks of their own: within a partition a later record may bear an earlier time.
    latest = 0
    for each in records:
        latest = max(latest, each.known_ms)
        yield latest, each


async def _oldest_opening_ms(records: list[Known]) -> int | None:
    """Return the oldest opening of these states. Others have their turn in between, and no state is kept."""
    oldest: int | None = None
    for begin in range(0, len(records), _STATES_AT_ONCE):
        found = oldest_opening_ms(each.value for each in _states(records[begin : begin + _STATES_AT_ONCE]))
        oldest = min((each for each in (oldest, found) if each is not None), default=None)
        await asyncio.sleep(0)
    return oldest


def oldest_opening_ms(states: Iterable[FuseState]) -> int | None:
    """Return the event time of the oldest opening among the open fuses of these states, None when none is open."""
    return min(
        (entry.since for state in states for entry in state.fuses if entry.state == "open" and not entry.shadow),
        default=None,
    )
