"""Replay: captures in, fuse events out, without a broker.

A capture is what ``kcat -C -J`` prints: a JSON line for each record with ``topic``, ``partition``, ``offset``,
``ts``, ``key`` and ``payload`` (text). Records are read as the intake reads them, merged as it merges a backlog, and
decided by the same engine; at the end there is a tick for the last event time. Topic names are those of the
contract; other topics are passed over.

The whole capture is held in memory, because the records of a capture stand partition after partition, not in the
order of time: about 0.5 KB for each signal.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, Final

import orjson

from schemas.errors import CaptureError
from schemas.parse import Refusal
from schemas.rules import RuleSet
from schemas.topics import TopicNames
from streams.engine.events import FUSE_EVENTS, Output
from streams.engine.partition import Partition
from streams.engine.signals import LINES_PER_OFFSET, RULES, Signal
from streams.intake.parse import read, readers
from streams.merge import Merge

_RANKS_PER_TOPIC: Final = 1_000_000
_SLICE: Final = 2_000
PROGRESS_EVERY: Final = 10_000


@dataclass
class Summary:
    """What a replay has read and said. ``opened`` counts the openings of fuses by rule.

    ``repeated`` counts records that stood in the captures twice, with the same offset.
    """

    records: Counter[str] = field(default_factory=Counter)
    other_topics: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    signals: int = 0
    repeated: int = 0
    duplicates: int = 0
    late: int = 0
    requests: int = 0
    products: int = 0


@dataclass(frozen=True)
class DeadLetter:
    """A record of the capture that cannot be used, and why; ``record`` is the line as it was read."""

    reason: str
    message: str
    record: dict[str, Any]


class Replay:
    """One run: :meth:`add` captures, then go through :meth:`outputs` once."""

    def __init__(
        self,
        rules: RuleSet,
        on_dead_letter: Callable[[DeadLetter], None] | None = None,
        names: TopicNames | None = None,
    ) -> None:
        self.summary = Summary()
        topics = names or TopicNames()
        self._readers = readers(topics)
        self._ranks = {topic: rank * _RANKS_PER_TOPIC for rank, topic in enumerate(topics.inputs)}
        self._rules = rules
        self._on_dead_letter = on_dead_letter
        self._sources: list[str] = []
        # Of each source: (offset, None where a line has none; its signals), as they stand in the files.
        self._records: list[list[tuple[int | None, list[Signal]]]] = []
        self._versions: list[int] = []
        self._index: dict[tuple[str, int], int] = {}

    def add(self, name: str, lines: Iterable[bytes], progress: Callable[[int], None] | None = None) -> None:
        """Read a capture; ``name`` is told in errors. CaptureError names the line that kcat did not print."""
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._add(f"{name}, line {number}", line)
            if progress and not number % PROGRESS_EVERY:
                progress(number)

    def outputs(self) -> Iterator[Output]:
        """Yield what the engine says, in order, and last what a tick for the last event time brings."""
        merge = Merge()
        for index, source in enumerate(self._sources):
            topic, _, number = source.rpartition("/")
            records = self._records[index]
            self._put_in_order(records)
            merge.add(source, self._ranks[topic] + int(number))
            merge.mark_caught_up(source, caught_up=True)
            for _, made in records:
                merge.push_signals(source, made)
            records.clear()
        partition = Partition(0, self._first_rules())
        last = merge.latest()
        signals = iter(merge.take_signals())
        while part := list(islice(signals, _SLICE)):
            yield from self._count(partition.apply(self._sources, part))
        yield from self._count(partition.tick(last))
        counts, summary = partition.counts, self.summary
        summary.duplicates = sum(counts.duplicates)
        summary.late = sum(counts.late)
        summary.products = len(partition)

    def _first_rules(self) -> RuleSet:
        """Return the rules in force from the beginning: older than the first rule set of the capture."""
        first = min(self._versions, default=self._rules.version + 1)
        return self._rules.model_copy(update={"version": max(0, min(self._rules.version, first - 1))})

    def _add(self, where: str, line: bytes) -> None:
        record = _parse(where, line)
        topic = record.get("topic")
        if not isinstance(topic, str):
            raise CaptureError(f'{where}: no "topic". A capture is what kcat -C -J prints.')
        reader = self._readers.get(topic)
        if reader is None:
            self.summary.other_topics[topic] += 1
            return
        payload, timestamp = record.get("payload"), record.get("ts")
        if not (payload is None or isinstance(payload, str)):
            raise CaptureError(f'{where}: "payload" is not text. kcat prints it as text without -s.')
        index = self._source(topic, _whole(where, record, "partition") or 0)
        offset = _whole(where, record, "offset")
        self.summary.records[topic] += 1
        number = len(self._records[index])
        found = read(reader, _bytes(payload), timestamp if isinstance(timestamp, int) else None, index, number)
        if isinstance(found, Refusal):
            self.summary.dead_letters[found.reason] += 1
            if self._on_dead_letter:
                self._on_dead_letter(DeadLetter(found.reason, found.message, record))
            return
        self.summary.signals += len(found)
        if found[0][0] == RULES:
            self._versions.append(found[0][5]["version"])
        self._records[index].append((offset, found))

    def _put_in_order(self, records: list[tuple[int | None, list[Signal]]]) -> None:
        """Put the records of a source in the order of their offsets; they stay as they are if one has none."""
        offsets = [offset for offset, _ in records if offset is not None]
        if len(offsets) < len(records) or all(before < after for before, after in pairwise(offsets)):
            return
        by_offset: dict[int, list[Signal]] = {}
        for offset, signals in records:
            if offset is not None:
                by_offset.setdefault(offset, signals)
        self.summary.repeated += len(records) - len(by_offset)
        records[:] = sorted(by_offset.items())
        for number, (_, signals) in enumerate(records):
            for signal in signals:
                signal[2] = number * LINES_PER_OFFSET + signal[2] % LINES_PER_OFFSET

    def _source(self, topic: str, partition: int) -> int:
        index = self._index.get((topic, partition))
        if index is None:
            index = self._index[topic, partition] = len(self._sources)
            self._sources.append(f"{topic}/{partition}")
            self._records.append([])
        return index

    def _count(self, outputs: list[Output]) -> list[Output]:
        summary = self.summary
        for output in outputs:
            if output.topic != FUSE_EVENTS:
                summary.requests += 1
                continue
            summary.events[output.event["type"]] += 1
            if output.event["type"] == "fuse.opened":
                summary.opened[output.event["rule"]] += 1
        return outputs


def _parse(where: str, line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        # A payload that is not UTF-8 is printed as it is; its bytes are kept, and the record becomes a dead letter.
        try:
            record = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            raise CaptureError(f"{where}: not JSON. A capture is what kcat -C -J prints, one record a line.") from None
    if not isinstance(record, dict):
        raise CaptureError(f"{where}: not a JSON object. A capture is what kcat -C -J prints, one record a line.")
    return record


def _bytes(payload: str | None) -> bytes | None:
    if payload is None:
        return None
    try:
        return payload.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a surrogate pair that was written as an escape: no bytes were it, but those of no text either.
        return payload.encode("utf-8", "surrogatepass")


def _whole(where: str, record: dict[str, Any], key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise CaptureError(f'{where}: "{key}" is not a whole number.')
    return value
