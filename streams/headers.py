"""Records whose headers have names that are not UTF-8: read as if they had no such header.

Kafka's brokers and librdkafka let a header's name be any bytes. aiokafka decodes names while it reads a batch, raises
UnicodeDecodeError at the first that is not UTF-8, and comes to it again with the next fetch: so one record, of anybody,
would end the reading of its partition for ever. Nothing here needs headers to understand a record.

    batch ─▶ aiokafka's compiled reader ─▶ records
                    │ a name that is no text
                    ▼
             the reader below, from there to the end of the batch: slower, without such headers

A consumer may have records by the hundred, in runs: aiokafka hands each record through two generators, an iterator and
a loop, which costs more than reading it.

Verified on aiokafka 0.14: its fetcher looks ``MemoryRecords`` up among the names of its module for each answer, asks it
for ``has_next``, ``next_batch`` and ``size_in_bytes``, and a batch for what `_Batch` has. Of a record it asks nothing
but the ``offset``: behind it the next one is wanted. A reader that raised is done: it stays where it was.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecord
from aiokafka.record.memory_records import MemoryRecords

_LENGTH: Final = struct.Struct(">8x i")
"""Of a batch: its offset, and how many bytes follow."""
_MAGIC_AT: Final = 16
_WITH_HEADERS: Final = 2
_COUNT: Final = struct.Struct(">57x i")
"""What precedes the records: facts that aiokafka has read, and their number."""

RUN: Final = 100
"""Records of a run, at most."""

_DECODE: Final[dict[int, Callable[[bytes], bytes]]] = {
    0: bytes,
    1: gzip_decode,
    2: snappy_decode,
    3: lz4_decode,
    4: zstd_decode,
}
"""By the compression that a batch names; aiokafka has refused others by then."""


def accept_any_names() -> None:
    """Have all consumers of this process read records whatever the names of their headers are."""
    fetcher.MemoryRecords = Batches


class Run(NamedTuple):
    """Records of one batch, in their order; ``offset`` is that of the last. For aiokafka it is a record."""

    offset: int
    records: list[Any]


class Batches:
    """The batches in an answer to a fetch. Takes the place of aiokafka's MemoryRecords.

    ``in_runs`` tells whether the batches from here on consist of runs of records.
    """

    in_runs = False

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._position = 0

    def has_next(self) -> bool:
        """Tell whether there is another whole batch."""
        return bool(self._records.has_next())

    def size_in_bytes(self) -> int:
        """Return the size of the answer."""
        return len(self._data)

    def next_batch(self) -> Any:
        """Return the next batch, aiokafka's own where it can hold no headers. Raises CorruptRecordException."""
        begin = self._position
        batch = self._records.next_batch()
        self._position = begin + _LENGTH.size + _LENGTH.unpack_from(self._data, begin)[0]
        if self._data[begin + _MAGIC_AT] < _WITH_HEADERS or batch.is_control_batch:
            return batch
        kind = _BatchOfRuns if self.in_runs else _Batch
        return kind(batch, memoryview(self._data)[begin : self._position])


class _Batch:
    """A batch of records, as aiokafka's fetcher uses one."""

    is_control_batch: Final = False

    def __init__(self, batch: Any, data: memoryview) -> None:
        self.base_offset: int = batch.base_offset
        self.next_offset: int = batch.next_offset
        self.producer_id: int = batch.producer_id
        self.is_transactional: bool = batch.is_transactional
        self.validate_crc: Callable[[], bool] = batch.validate_crc
        self._batch = batch
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self._batch:
                done += 1
                yield record
        except (UnicodeDecodeError, CorruptRecordException):
            # The second is what aiokafka makes of the first where it is not compiled.
            yield from islice(_read(self._batch, self._data), done, None)


class _BatchOfRuns(_Batch):
    """The same in runs."""

    def __iter__(self) -> Iterator[Run]:
        try:
            records = list(self._batch)
        except (UnicodeDecodeError, CorruptRecordException):
            records = list(_read(self._batch, self._data))
        for begin in range(0, len(records), RUN):
            run = records[begin : begin + RUN]
            yield Run(run[-1].offset, run)


def _read(batch: Any, data: memoryview) -> Iterator[Any]:
    """Yield all records of a batch. Raises CorruptRecordException."""
    buffer = bytearray(_DECODE[batch.compression_type](bytes(data[_COUNT.size :])))
    position = 0
    try:
        for _ in range(_COUNT.unpack_from(data)[0]):
            length, begin = _number(buffer, position)
            position = begin + length
            yield _record(batch, buffer[begin:position])
    except (IndexError, ValueError) as error:
        raise CorruptRecordException(f"offset {batch.base_offset}: a record in this batch is cut off") from error


def _record(batch: Any, buffer: bytearray) -> Any:
    """Return the record in these bytes. Raises ValueError or IndexError when they are something else."""
    # The first byte holds attributes, of which there are none.
    time_delta, position = _number(buffer, 1)
    offset_delta, position = _number(buffer, position)
    key, position = _bytes(buffer, position)
    value, position = _bytes(buffer, position)
    count, position = _number(buffer, position)
    headers = []
    for _ in range(count):
        name, position = _bytes(buffer, position)
        content, position = _bytes(buffer, position)
        if name is not None and (text := _text(name)) is not None:
            headers.append((text, content))
    if position != len(buffer):
        raise ValueError(position)
    appended = batch.timestamp_type == 1
    timestamp = batch.max_timestamp if appended else batch.first_timestamp + time_delta
    return DefaultRecord(batch.base_offset + offset_delta, timestamp, batch.timestamp_type, key, value, headers)


def _bytes(buffer: bytearray, position: int) -> tuple[bytes | None, int]:
    """Return what stands here behind its length (None: -1), and the position behind it."""
    length, position = _number(buffer, position)
    return (None, position) if length < 0 else (bytes(buffer[position : position + length]), position + length)


def _number(buffer: bytearray, position: int) -> tuple[int, int]:
    """Return the number that stands here, seven bits in a byte and zigzag, and the position behind it. IndexError."""
    found = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        found |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return found >> 1 ^ -(found & 1), position


def _text(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None
