"""The audit: lines are written to Kafka and never changed, and those of the last day are kept in memory.

    write   returns when Kafka has the lines for good: before a command goes out, before the audit itself is exported
    note    the lines follow as soon as Kafka takes them: what has happened already and cannot be held back
    follow  lines of other consoles, and of this one's former lives, come in by reading the topic

A line may be there twice if the broker went away while it was written; it is then known by its `entry_id`.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from alerts.console.flood import Flood, Key
from alerts.console.identity import Identity
from alerts.console.writer import NotWritten, Writer
from alerts.consumer import REFUSALS, RETRY_S, open_consumer, reached, start_at
from schemas.audit import AuditEntry, What
from schemas.durations import milliseconds
from schemas.errors import BrokerRefused
from schemas.rights import missing

KEPT_MS: Final = 24 * 3_600_000
WRITE_WITHIN_S: Final = 5.0

_MOST_KEPT: Final = 50_000
_MOST_NOTED: Final = 20_000
_AT_ONCE: Final = 200
_FOLD_S: Final = 1.0

log = logging.getLogger(__name__)


class AuditUnavailable(Exception):  # noqa: N818 (says what is the matter)
    """Kafka has not said that it has the lines: what they tell of must not happen."""


def line(what: What, who: Identity | None, client: str, now_ms: int, **facts: Any) -> AuditEntry:
    """Return a line of what somebody does at a time."""
    return AuditEntry(
        entry_id=facts.pop("entry_id", None) or uuid4(),
        at=now_ms,
        what=what,
        actor=facts.pop("actor", who.name if who else None),
        role=who.role if who else None,
        way=facts.pop("way", who.way if who else None),
        client=client,
        session_id=who.session_id if who else None,
        **facts,
    )


class Audit:
    """Writes, follows and remembers. `clock` returns seconds since 1970; `session` is how long sessions last."""

    def __init__(
        self, client: Mapping[str, Any], topic: str, writer: Writer, session: timedelta, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self.topic = topic
        self._writer = writer
        self._look_back_ms = max(KEPT_MS, milliseconds(session))
        self._clock = clock
        self._flood = Flood(clock)
        self._lines: OrderedDict[UUID, AuditEntry] = OrderedDict()
        self._notes: deque[AuditEntry] = deque()
        self._noted = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()
        self._dropped = 0
        self._failing_since: float | None = None
        self.complete = True
        """Whether all lines of the last day are in memory."""
        self.ready = asyncio.Event()
        self.listeners: list[Callable[[AuditEntry], None]] = []
        """Called with each line once: of this console, of others, of former lives."""

    @property
    def now_ms(self) -> int:
        """Now, in milliseconds since 1970."""
        return int(self._clock() * 1000)

    def problem(self) -> str | None:
        """Return why nothing can be ordered; None when lines can be written."""
        if self._failing_since is None:
            return None
        silent_s = self._clock() - self._failing_since
        return f"The audit cannot be written for {silent_s:.0f} s, so nothing can be ordered."

    async def write(self, *lines: AuditEntry) -> None:
        """Write lines; return when they are safe. Raises AuditUnavailable."""
        try:
            await self._writer.send(self.topic, [_record(each) for each in lines], WRITE_WITHIN_S)
        except NotWritten as error:
            self._failed(str(error))
            raise AuditUnavailable from error
        self._succeeded()
        for each in lines:
            self._take(each)

    def note(self, *lines: AuditEntry) -> None:
        """Have lines written as soon as that is possible."""
        for each in lines:
            if len(self._notes) >= _MOST_NOTED:
                self._dropped += 1
                continue
            self._notes.append(each)
            # What happened has happened: a session that was ended is ended, whether Kafka is there or not.
            self._take(each)
        if self._notes:
            self._written.clear()
            self._noted.set()

    def note_often(self, key: Key, entry: AuditEntry) -> None:
        """Have a line written that somebody could cause very often: folded with others of the same key."""
        if self._flood.admits(key, entry):
            self.note(entry)

    def newest(self) -> Iterator[AuditEntry]:
        """Yield the lines of the last day, newest first."""
        return reversed(self._lines.values())

    def of_product(self, product_id: str, most: int) -> list[AuditEntry]:
        """Return the newest lines about a product, oldest first."""
        found = [each for each in self.newest() if each.product_id == product_id]
        return found[:most][::-1]

    async def run(self) -> None:
        """Follow the topic and write what is noted, until cancelled. Raises BrokerRefused."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_on())
            tasks.create_task(self._write_notes())
            tasks.create_task(self._fold())

    async def settle(self) -> None:
        """Have everything noted that is folded, and wait until all notes are written."""
        self.note(*self._flood.due(all_of_them=True))
        await self._written.wait()

    async def _write_notes(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            while self._notes:
                batch = [self._notes[index] for index in range(min(_AT_ONCE, len(self._notes)))]
                try:
                    await self._writer.send(self.topic, [_record(each) for each in batch], WRITE_WITHIN_S)
                except NotWritten as error:
                    self._failed(str(error))
                    await asyncio.sleep(RETRY_S)
                else:
                    self._succeeded()
                    for _ in batch:
                        self._notes.popleft()
            self._written.set()

    async def _fold(self) -> None:
        while True:
            await asyncio.sleep(_FOLD_S)
            for each in self._flood.due():
                self.note(each.model_copy(update={"entry_id": uuid4(), "at": self.now_ms}))

    async def _follow_on(self) -> None:
        partition = TopicPartition(self.topic, 0)
        position: int | None = None
        while True:
            try:
                async with open_consumer(self._client, wait_ms=200) as consumer:
                    if position is None:
                        position = await self._recall(consumer, partition)
                        self.ready.set()
                    start_at(consumer, {partition: position})
                    while True:
                        for records in (await consumer.getmany(timeout_ms=1000, max_records=_AT_ONCE)).values():
                            for record in records:
                                self._take_record(record.value)
                                position = record.offset + 1
            except REFUSALS as error:
                raise BrokerRefused(f"the audit cannot be read: {missing(error, 'Read', self.topic)}") from error
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("audit.broker_away error=%s", type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _recall(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
        """Read the lines of the last day; return the offset after them."""
        began = time.monotonic()
        end = await consumer.end_offsets([partition])
        since = await consumer.offsets_for_times({partition: max(0, self.now_ms - self._look_back_ms)})
        found = since.get(partition)
        start_at(consumer, {partition: end[partition] if found is None else found.offset})
        while not await reached(consumer, end):
            for records in (await consumer.getmany(timeout_ms=200, max_records=2_000)).values():
                for record in records:
                    self._take_record(record.value)
        log.info("audit.read lines=%d seconds=%.1f", len(self._lines), time.monotonic() - began)
        return int(await consumer.position(partition))

    def _take_record(self, value: bytes | None) -> None:
        if (entry := entry_of(value)) is not None:
            self._take(entry)

    def _take(self, entry: AuditEntry) -> None:
        if entry.entry_id in self._lines:
            return
        self._lines[entry.entry_id] = entry
        since_ms = self.now_ms - self._look_back_ms
        while self._lines and (len(self._lines) > _MOST_KEPT or next(iter(self._lines.values())).at < since_ms):
            _, gone = self._lines.popitem(last=False)
            self.complete = self.complete and gone.at < since_ms
        for each in self.listeners:
            each(entry)

    def _failed(self, why: str) -> None:
        if self._failing_since is None:
            self._failing_since = self._clock()
            log.warning("audit.unavailable %s. Trying again, and not saying so again.", why)

    def _succeeded(self) -> None:
        if self._failing_since is not None:
            log.info("audit.back dropped=%d", self._dropped)
        self._failing_since = None


def entry_of(value: bytes | None) -> AuditEntry | None:
    """Return the line that a record holds; None when somebody else has written there."""
    try:
        return AuditEntry.model_validate_json(value or b"")
    except ValidationError:
        return None


def records_of(lines: Sequence[AuditEntry]) -> list[tuple[bytes, bytes]]:
    """Return lines as Kafka keeps them."""
    return [_record(each) for each in lines]


def _record(entry: AuditEntry) -> tuple[bytes, bytes]:
    return (entry.actor or "").encode(), entry.model_dump_json().encode()
