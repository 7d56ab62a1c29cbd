"""Captures: records of Kafka as `kcat -C -J` prints them, one JSON object a line (contract, section 7)."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import orjson

from schemas.errors import CaptureError


class CaptureRecord(NamedTuple):
    """One record of a topic. `ts` is its Kafka timestamp, milliseconds since 1970: when it arrived."""

    topic: str
    partition: int
    offset: int
    ts: int
    key: bytes | None
    value: bytes


def line(record: CaptureRecord) -> bytes:
    """Return the record as a line of a capture. Raises UnicodeDecodeError when key or value is not UTF-8."""
    return orjson.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "ts": record.ts,
            "key": None if record.key is None else record.key.decode(),
            "payload": record.value.decode(),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def write(records: Iterable[CaptureRecord], file: BinaryIO) -> int:
    """Write the records as a capture and return how many there were."""
    count = 0
    for record in records:
        file.write(line(record))
        count += 1
    return count


def read(lines: Iterable[bytes]) -> Iterator[CaptureRecord]:
    """Yield the records of a capture that has all six fields, in the order of its lines.

    Raises CaptureError at the first line that is none. (`livefuse replay` reads captures by other rules: it orders them
    as intake would. This is for sending them.)
    """
    for number, text in enumerate(lines, 1):
        try:
            data = orjson.loads(text)
            key, payload = data["key"], data["payload"]
            yield CaptureRecord(
                topic=data["topic"],
                partition=data["partition"],
                offset=data["offset"],
                ts=data["ts"],
                key=None if key is None else key.encode(),
                value=payload.encode(),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CaptureError(f"line {number} of the capture is no record that kcat printed: {error!r}") from error
