"""Batches of records as librdkafka would send them when a header's name is no UTF-8; aiokafka only writes text."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

GARBLED: Final = b"\xff\xfetrace"

Header = tuple[bytes, bytes | None]


class Written(NamedTuple):
    """A record that is to be sent."""

    value: bytes | None
    headers: Sequence[Header] = ()
    key: bytes | None = b"key"


class _Name(str):
    """A name that is written as the bytes that it stands for."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


def batch(records: Sequence[Written], *, codec: int = 0, timestamp: int = 1_000) -> bytes:
    """Return a batch of records. `codec` as Kafka counts them."""
    builder: Any = _DefaultRecordBatchBuilderPy(
        2, codec, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=16_777_216
    )
    for number, (value, headers, key) in enumerate(records):
        written = [(_Name(name.decode("latin-1")), content) for name, content in headers]
        builder.append(number, timestamp + number, key, value, written)
    return bytes(builder.build())


async def send(bootstrap: str, topic: str, partition: int, records: Sequence[Written], *, timestamp: int) -> None:
    """Send records; return when they are acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        # What is appended only makes aiokafka count the records; the buffer is what it sends.
        counted = producer.create_batch()
        for each in records:
            counted.append(key=each.key, value=each.value, timestamp=timestamp)
        counted.close()
        counted._buffer = bytearray(batch(records, timestamp=timestamp))  # noqa: SLF001
        await (await producer.send_batch(counted, topic, partition=partition))
    finally:
        await producer.stop()
