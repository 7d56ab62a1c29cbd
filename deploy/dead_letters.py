"""Dead letters: looked at, counted, and sent back to where they came from.

What was sent back is remembered in the `dlq.` topic itself, by a receipt: a record without a value whose header
`livefuse.replayed` names partition and offset of the letter. So a second replay sends nothing twice, whoever runs it.
What is sent back bears the header `livefuse.replayed-from`, and the intake keeps the headers of what it refuses: so a
letter that comes back is known, and is left alone until somebody asks for it.

aiokafka's `send` takes no record without key and value; a batch does.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from aiokafka import AIOKafkaProducer, ConsumerRecord

from deploy.kafka import open_producer, read
from schemas.errors import DeadLetterError
from schemas.topics import TopicNames
from streams.config import KafkaConfig

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


async def replayed(config: KafkaConfig, topic: str) -> set[Place]:
    """Return the letters of a `dlq.` topic that were sent back."""
    found = set()
    async for record in read(config, [topic]):
        receipt = DeadLetter.of(record).headers.get(RECEIPT)
        if receipt is not None:
            partition, _, offset = receipt.decode().partition("/")
            found.add((int(partition), int(offset)))
    return found


def status(letter: DeadLetter, sent_back: Collection[Place]) -> Status:
    """Return what became of a letter."""
    if letter.place in sent_back:
        return "replayed"
    return "came back" if REPLAYED_FROM in letter.headers else "waiting"


async def letters(config: KafkaConfig, topic: str) -> AsyncIterator[DeadLetter]:
    """Yield all letters of a `dlq.` topic, without the receipts."""
    async for record in read(config, [topic]):
        letter = DeadLetter.of(record)
        if RECEIPT not in letter.headers:
            yield letter


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
            repair = repairs.get(letter.place, Repair(letter.key, letter.value))
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
