"""The file of an archive: a compressed capture between a first line that says what it is and a manifest.

    {"livefuse": "archive", "format": 1, "id": ..., "release": ..., "application": ..., "made_at": ..., "topics": {...}}
    {"topic": "livefuse.state", "partition": 0, "offset": 7, "ts": ..., "key": ..., "payload": ..., "headers": [...]}
    ...
    {"manifest": {"records": ..., "topics": {...}, "sha256": ...}}

The lines between are those of `kcat -C -J`, with the names that topics have in the contract. Bytes that are no UTF-8
stand as `payload_base64`. The manifest counts the records of each topic and has its SHA-256, over its lines, and that
of all lines before the manifest. A file without a manifest was not finished, and nothing of it is used.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Self

import orjson

from deploy.captures import opened_for_reading
from schemas.errors import CaptureError

FORMAT: Final = 1

Headers = list[tuple[str, bytes]]


class Entry(NamedTuple):
    """One record. `ts` is its Kafka timestamp, milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    ts: int
    key: bytes | None
    value: bytes
    headers: Headers

    def line(self) -> bytes:
        """Return the record as a line."""
        facts: dict[str, Any] = {"topic": self.topic, "partition": self.partition, "offset": self.offset, "ts": self.ts}
        facts |= _text("key", self.key) | _text("payload", self.value)
        if self.headers:
            facts["headers"] = [part for name, value in self.headers for part in (name, value.decode("latin-1"))]
        return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        """Inverse of :meth:`line`. Raises KeyError, TypeError, ValueError."""
        headers = facts.get("headers", [])
        return cls(
            facts["topic"],
            facts["partition"],
            facts["offset"],
            facts["ts"],
            _bytes("key", facts),
            _bytes("payload", facts) or b"",
            [(name, value.encode("latin-1")) for name, value in zip(headers[::2], headers[1::2], strict=True)],
        )


@dataclass
class Head:
    """What an archive is. `topics` has, by the contract's name, the number of partitions of each topic in it.

    `made_at` is RFC 3339. `log_time` (ms): up to where the signals had been applied when it was made. `waiting` counts,
    by partition, frames of the signals log that had not been applied, so that nothing of them is in the archive.
    """

    id: str
    release: str
    application: str
    made_at: str
    topics: dict[str, int]
    log_time: int
    waiting: dict[str, int]
    livefuse: str = "archive"
    format: int = FORMAT


@dataclass
class Part:
    """What the manifest says of a topic."""

    records: int
    sha256: str


@dataclass
class Manifest:
    """What the last line says."""

    records: int
    sha256: str
    topics: dict[str, Part] = field(default_factory=dict)


class Tally:
    """Counts and checksums of lines, while they are written or read."""

    def __init__(self) -> None:
        self._all = sha256()
        self._topics: dict[str, Any] = {}
        self._records: dict[str, int] = {}

    def add(self, line: bytes, topic: str | None = None) -> None:
        """Count a line; the first one belongs to no topic."""
        self._all.update(line)
        if topic is not None:
            self._topics.setdefault(topic, sha256()).update(line)
            self._records[topic] = self._records.get(topic, 0) + 1

    @property
    def records(self) -> int:
        """How many records there were."""
        return sum(self._records.values())

    def manifest(self) -> Manifest:
        """Return what the manifest must say."""
        parts = {name: Part(self._records[name], digest.hexdigest()) for name, digest in self._topics.items()}
        return Manifest(self.records, self._all.hexdigest(), parts)


class ArchiveWriter:
    """Writes an archive to a file: the head at once, then records, and the manifest at the end."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._tally = Tally()
        self._write(orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE))

    @property
    def records(self) -> int:
        """How many records have been written."""
        return self._tally.records

    def add(self, entry: Entry) -> None:
        """Write a record."""
        self._write(entry.line(), entry.topic)

    def finish(self) -> Manifest:
        """Write the manifest: only now it is an archive."""
        manifest = self._tally.manifest()
        self._file.write(orjson.dumps({"manifest": manifest}, option=orjson.OPT_APPEND_NEWLINE))
        return manifest

    def _write(self, line: bytes, topic: str | None = None) -> None:
        self._file.write(line)
        self._tally.add(line, topic)


def verified(path: Path, progress: Callable[[int], None] = lambda _: None) -> tuple[Head, Manifest]:
    """Read an archive to its end, return what it says of itself. CaptureError when it is none, cut off or changed."""
    tally = Tally()
    head: Head | None = None
    said: dict[str, Any] | None = None
    with opened_for_reading(path) as lines:
        for number, line in enumerate(lines, 1):
            if said is not None:
                raise CaptureError(f"{path}, line {number}: something stands behind the manifest.")
            facts = _parsed(path, number, line)
            if head is None:
                head = _head(path, facts)
                tally.add(line)
            elif "manifest" in facts:
                said = facts["manifest"]
            else:
                tally.add(line, facts.get("topic"))
                progress(number)
    if head is None or said is None:
        raise CaptureError(f"{path} has no manifest at its end: it is no archive, or was not finished. Export again.")
    found = tally.manifest()
    if orjson.dumps(found, option=orjson.OPT_SORT_KEYS) != orjson.dumps(said, option=orjson.OPT_SORT_KEYS):
        changed = [name for name, part in found.topics.items() if said.get("topics", {}).get(name) != vars(part)]
        raise CaptureError(
            f"{path} is not what was written: the checksums of {', '.join(sorted(changed)) or 'its first line'} differ."
        )
    return head, found


def entries(path: Path) -> Iterator[tuple[int, Entry]]:
    """Yield the records of an archive that is verified, each with the number of its line."""
    with opened_for_reading(path) as lines:
        for number, line in enumerate(lines, 1):
            facts = _parsed(path, number, line)
            if "topic" in facts:
                try:
                    yield number, Entry.of(facts)
                except (KeyError, TypeError, ValueError) as error:
                    raise CaptureError(f"{path}, line {number} is no record: {error!r}") from error


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        facts = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CaptureError(f"{path}, line {number} is not JSON: it is no archive, or was not finished.") from error
    if not isinstance(facts, dict):
        raise CaptureError(f"{path}, line {number} is no JSON object: it is no archive.")
    return facts


def _head(path: Path, facts: dict[str, Any]) -> Head:
    if facts.get("livefuse") != "archive":
        raise CaptureError(f"{path} is no archive of livefuse: `livefuse topics export FILE` makes one.")
    if facts.get("format") != FORMAT:
        raise CaptureError(f"{path} is an archive of format {facts.get('format')}, this livefuse reads {FORMAT}.")
    try:
        return Head(**facts)
    except TypeError as error:
        raise CaptureError(f"{path}: its first line is damaged: {error}") from error


def _text(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(value).decode()}


def _bytes(name: str, facts: dict[str, Any]) -> bytes | None:
    coded = facts.get(f"{name}_base64")
    if coded is not None:
        return b64decode(coded, validate=True)
    value: str | None = facts[name]
    return None if value is None else value.encode()
