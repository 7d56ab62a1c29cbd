"""Dead letters: looked at, counted, and sent back to where they came from.

What was sent back is remembered in the `dlq.` topic itself, by a receipt: a record without a value whose header
`livefuse.replayed` names partition and offset of the letter. So a second replay sends nothing twice, whoever runs it.
What is sent back bears the header `livefuse.replayed-from`, and the intake keeps the headers of what it refuses: so a
letter that comes back is known, and is left alone until somebody asks for it.

aiokafka's `send` takes no record without key and value; a batch does.
"""

import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Self

from aiokafka import AIOKafkaProducer, ConsumerRecord

from deploy.kafka import open_producer, read
from schemas.errors import DeadLetterError
from schemas.parse import Refusal
from schemas.topics import TopicNames
from streams.config import KafkaConfig
from streams.intake import parse

RECEIPT: Final = "livefuse.replayed"
REPLAYED_FROM: Final = "livefuse.replayed-from"

_SOURCE: Final = "__streams.errors."
_OURS: Final = (_SOURCE, "livefuse.")

Place = tuple[int, int]
"""(partition, offset) in a `dlq.` topic"""

Status = Literal["waiting", "replayed", "came back"]


@dataclass(frozen=True)
class DeadLetter:
    """A record that the intake could not use, byte for byte, and what the intake said of it."""

    topic: str
    place: Place
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @classmethod
    def of(cls, record: "ConsumerRecord[Any, Any]") -> Self:
        """Return the letter in a Kafka record."""
        headers = {name: bytes(value or b"") for name, value in record.headers}
        return cls(record.topic, (record.partition, record.offset), record.timestamp, record.key, record.value, headers)

    @property
    def name(self) -> str:
        """What messages call it: `dlq.live.orders[0]@17`."""
        return f"{self.topic}[{self.place[0]}]@{self.place[1]}"

    @property
    def reason(self) -> str:
        """Why it is here: `not_json`, `invalid`, ..."""
        return self._text("livefuse.reason") or "unknown"

    @property
    def message(self) -> str:
        """What exactly was wrong, with the name of the field."""
        return self._text(f"{_SOURCE}message")

    def source(self) -> tuple[str, int, int]:
        """Return topic, partition and offset where it was read. DeadLetterError when its headers do not say."""
        try:
            partition, offset = int(self._text(f"{_SOURCE}partition")), int(self._text(f"{_SOURCE}offset"))
            topic = self.headers[f"{_SOURCE}topic"].decode()
        except (KeyError, ValueError) as error:
            raise DeadLetterError(f"{self.name} does not say where it came from; its headers are damaged.") from error
        return topic, partition, offset

    def _text(self, header: str) -> str:
        return self.headers.get(header, b"").decode(errors="backslashreplace")


class Tally(NamedTuple):
    """Dead letters of one topic and reason. Those that neither wait nor came back were sent back."""

    topic: str
    reason: str
    letters: int
    waiting: int
    came_back: int
    newest_ms: int


async def tally(config: KafkaConfig, names: TopicNames) -> list[Tally]:
    """Count the dead letters of all topics."""
    found: dict[tuple[str, str], list[tuple[Status, int]]] = {}
    for topic in map(names.dead_letters, names.inputs):
        # The receipt stands behind its letter, so what became of one is known at the end; its bytes are not kept.
        heads: dict[Place, tuple[str, bool, int]] = {}
        sent_back = set()
        async for letter, receipt in _read(config, topic):
            if receipt is None:
                heads[letter.place] = letter.reason, REPLAYED_FROM in letter.headers, letter.time_ms
            else:
                sent_back.add(receipt)
        for place, (reason, again, time_ms) in heads.items():
            found.setdefault((topic, reason), []).append((_status(place, sent_back, again=again), time_ms))
    return [
        Tally(
            topic,
            reason,
            len(each),
            sum(status == "waiting" for status, _ in each),
            sum(status == "came back" for status, _ in each),
            max(time_ms for _, time_ms in each),
        )
        for (topic, reason), each in sorted(found.items())
    ]


async def letters(
    config: KafkaConfig, topic: str, wanted: Callable[[DeadLetter], bool]
) -> list[tuple[DeadLetter, Status]]:
    """Return the letters of a `dlq.` topic that are wanted, in order, and what became of each."""
    kept = []
    sent_back = set()
    async for letter, receipt in _read(config, topic):
        if receipt is not None:
            sent_back.add(receipt)
        elif wanted(letter):
            kept.append(letter)
    return [(letter, status(letter, sent_back)) for letter in kept]


async def _read(config: KafkaConfig, topic: str) -> AsyncIterator[tuple[DeadLetter, Place | None]]:
    """Yield the records of a `dlq.` topic; of a receipt also the letter that it is for."""
    async for record in read(config, [topic]):
        letter = DeadLetter.of(record)
        receipt = letter.headers.get(RECEIPT)
        if receipt is None:
            yield letter, None
        else:
            partition, _, offset = receipt.decode().partition("/")
            yield letter, (int(partition), int(offset))


def status(letter: DeadLetter, sent_back: Collection[Place]) -> Status:
    """Return what became of a letter."""
    return _status(letter.place, sent_back, again=REPLAYED_FROM in letter.headers)


def _status(place: Place, sent_back: Collection[Place], *, again: bool) -> Status:
    if place in sent_back:
        return "replayed"
    return "came back" if again else "waiting"


def topic_of(names: TopicNames, asked: str) -> str:
    """Return the `dlq.` topic that a person means: by its name, the input topic's, or `orders`, `stock-levels`, ..."""
    short = {
        "orders": names.orders,
        "returns": names.returns,
        "complaints": names.complaints,
        "stock-levels": names.stock_levels,
        "commands": names.commands,
        "rules": names.rules,
    }
    known = {names.dead_letters(each): each for each in names.inputs}
    if asked in known:
        return asked
    found = short.get(asked, asked)
    if found not in names.inputs:
        raise DeadLetterError(f'there are no dead letters of "{asked}". Topics: {", ".join(sorted(known))}.')
    return names.dead_letters(found)


@dataclass(frozen=True)
class Repair:
    """What is sent in place of a letter's own bytes."""

    key: bytes | None
    value: bytes | None


def refusals(names: TopicNames, chosen: Iterable[DeadLetter], repairs: Mapping[Place, Repair]) -> dict[Place, Refusal]:
    """Return which letters the intake would refuse again if they were sent now, and why; it is asked by its parser."""
    known = parse.readers(names)
    found = {}
    now_ms = time.time_ns() // 1_000_000
    for letter in chosen:
        reader = known.get(letter.headers.get(f"{_SOURCE}topic", b"").decode(errors="replace"))
        if reader is not None:
            result = parse.read(reader, _sent_for(letter, repairs).value, now_ms, 0, 0)
            if isinstance(result, Refusal):
                found[letter.place] = result
    return found


def _sent_for(letter: DeadLetter, repairs: Mapping[Place, Repair]) -> Repair:
    return repairs.get(letter.place, Repair(letter.key, letter.value))


async def send_back(
    config: KafkaConfig, names: TopicNames, chosen: Collection[DeadLetter], repairs: Mapping[Place, Repair]
) -> list[DeadLetterError]:
    """Send letters to the topic and partition that they came from, each followed by its receipt.

    Returns what could not be sent, because it does not say where it came from; the others are sent.
    """
    failed = []
    async with open_producer(config) as producer:
        for letter in chosen:
            try:
                topic, partition = _destination(letter, names)
            except DeadLetterError as error:
                failed.append(error)
                continue
            repair = _sent_for(letter, repairs)
            headers = [(name, value) for name, value in letter.headers.items() if not name.startswith(_OURS)]
            headers.append((REPLAYED_FROM, letter.name.encode()))
            await _send(producer, topic, partition, repair, headers)
            # In the letter's own partition, so that it stays as long as the letter and is always read after it.
            receipt = [(RECEIPT, b"%d/%d" % letter.place), ("livefuse.reason", b"replayed")]
            await _send(producer, letter.topic, letter.place[0], Repair(letter.key, None), receipt)
    return failed


def _destination(letter: DeadLetter, names: TopicNames) -> tuple[str, int]:
    topic, partition, _ = letter.source()
    if topic not in names.inputs:
        raise DeadLetterError(f"{letter.name} came from {topic}, which is no input topic now.")
    return topic, partition


async def _send(
    producer: AIOKafkaProducer, topic: str, partition: int, record: Repair, headers: list[tuple[str, bytes]]
) -> None:
    numbers = await producer.partitions_for(topic)
    batch = producer.create_batch()
    batch.append(key=record.key, value=record.value, timestamp=None, headers=headers)
    batch.close()
    # Answers when the batch is queued, with a future of its acknowledgement.
    await (await producer.send_batch(batch, topic, partition=partition % len(numbers)))
