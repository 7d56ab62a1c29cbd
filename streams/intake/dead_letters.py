"""Dead letters: records that cannot be used, sent to ``dlq.<input topic>`` as they came, with the facts in headers.

    __streams.errors.topic | partition | offset | message     where it came from and what is wrong, without what it held
    livefuse.reason                                           empty, not_json, invalid, too_large or future_timestamp

Verified on aiokafka 0.14: ``send`` takes no record without key and value, a batch does; the first record of a batch may
be larger than the batch.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from schemas.parse import Refusal
from schemas.topics import TopicNames
from streams.intake.counts import IntakeCounts
from streams.intake.record import Header, Record

MOST_QUEUED: Final = 1_000
_PREFIX: Final = "__streams.errors."
_FACTS: Final = 5
"""Headers of a letter that are ours, behind those of its record."""

log = logging.getLogger(__name__)


class Letter(NamedTuple):
    """A record for a dead-letter topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]


class Batch(Protocol):
    """aiokafka's batch: ``append`` returns None when the record does not fit any more."""

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Sequence[Header]
    ) -> object | None:
        """Add a record."""


Send = Callable[[str, Batch], Awaitable[None]]
"""Write a batch to a topic and wait until it is acknowledged."""


class DeadLetters:
    """Writes dead letters, a batch at a time. ``queued`` and ``acknowledged`` count them since the start."""

    def __init__(self, names: TopicNames, new_batch: Callable[[], Batch], send: Send, counts: IntakeCounts) -> None:
        self.queued = 0
        self.acknowledged = 0
        self._names = names
        self._new_batch = new_batch
        self._send = send
        self._counts = counts
        self._letters: deque[tuple[TopicPartition, Record, Refusal]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, partition: TopicPartition, record: Record, refusal: Refusal) -> None:
        """Queue a record that cannot be used."""
        self._letters.append((partition, record, refusal))
        self.queued += 1
        self._wake.set()
        if len(self._letters) >= MOST_QUEUED:
            self._room.clear()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    async def run(self) -> None:
        """Write letters until cancelled. Raises what ``send`` raises, but not for a record that is too large."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._letters:
                await self._write()

    async def _write(self) -> None:
        """Write the letters at the head of the queue that go to one topic and fit into one batch."""
        source = self._letters[0][0].topic
        topic = self._names.dead_letters(source)
        batch = self._new_batch()
        count = 0
        for partition, record, refusal in self._letters:
            if partition.topic != source or not _append(batch, self._letter(partition, record, refusal)):
                break
            count += 1
        try:
            await self._send(topic, batch)
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            for each in list(islice(self._letters, count)):
                await self._write_alone(self._letter(*each))
        for _ in range(count):
            *_, refusal = self._letters.popleft()
            self._counts.dead_letters[source, refusal.reason] += 1
        self.acknowledged += count
        if len(self._letters) < MOST_QUEUED // 2:
            self._room.set()

    async def _write_alone(self, letter: Letter) -> None:
        try:
            await self._send_one(letter)
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            where = {name.removeprefix(_PREFIX): value.decode() for name, value in letter.headers[-_FACTS:]}
            log.exception(
                "dead_letter.without_value %s[%s]@%s: the record of %d bytes is larger than %s takes; only its headers "
                "go there, the record stays in its own topic. Raise max.message.bytes of %s.",
                where["topic"],
                where["partition"],
                where["offset"],
                len(letter.value or b""),
                letter.topic,
                letter.topic,
            )
            size = ("livefuse.value_left_out", str(len(letter.value or b"")).encode())
            try:
                await self._send_one(letter._replace(value=None, headers=[*letter.headers, size]))
            except (MessageSizeTooLargeError, RecordListTooLargeError):
                # It is the key or a header of the record that is so large: where it lies is still worth a letter.
                await self._send_one(Letter(letter.topic, None, None, [*letter.headers[-_FACTS:], size]))

    async def _send_one(self, letter: Letter) -> None:
        batch = self._new_batch()
        _append(batch, letter)
        await self._send(letter.topic, batch)

    def _letter(self, partition: TopicPartition, record: Record, refusal: Refusal) -> Letter:
        facts = {
            "topic": partition.topic,
            "partition": str(partition.partition),
            "offset": str(record.offset),
            "message": refusal.message,
        }
        headers = [*record.headers, *((f"{_PREFIX}{name}", fact.encode()) for name, fact in facts.items())]
        headers.append(("livefuse.reason", refusal.reason.encode()))
        return Letter(self._names.dead_letters(partition.topic), record.key, record.value, headers)


def _append(batch: Batch, letter: Letter) -> bool:
    return batch.append(timestamp=None, key=letter.key, value=letter.value, headers=letter.headers) is not None
