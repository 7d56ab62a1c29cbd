"""Restoring: from an archive to topics that are empty, in front of processes that are not started yet.

    verify     the whole file is read and its checksums compared, before anything is written
    look       topics there, partitions as they were, nobody at work, nothing in the topics but what this import wrote
    write      in the order of the file, each record with the header `livefuse.import: <archive>/<line>`
    again      the last record of each partition tells how far an import came that was interrupted

The lane's records are written last, and changed: see :meth:`LaneRecord.on_another_log`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.archive.contents import saved
from deploy.archive.file import Entry, Head, Manifest, entries, verified
from deploy.archive.saving import TOLD_EVERY, Progress, nobody_works
from deploy.kafka import open_consumer, open_producer, partitions_of, start_at
from deploy.settings import Settings
from schemas.errors import LivefuseError, TopicMismatch
from schemas.times import from_ms
from schemas.topics import Topic
from streams.client import supports_transactions
from streams.worker.store import LANE_KEY, PLACE_HEADER, LaneRecord

HEADER: Final = "livefuse.import"

_AT_ONCE: Final = 2_000
_LOOKING_S: Final = 15.0
_EARLIER: Final = timedelta(minutes=5)


@dataclass
class Restored:
    """What was done. `written` of `records` were written now, the rest by an import before that was interrupted.

    `left_out` are topics of the archive that this release does not have. `inputs` counts what the shop's topics hold
    already; `since` is where intakes should begin in them (RFC 3339).
    """

    head: Head
    records: int
    written: int = 0
    left_out: list[str] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    since: str = ""


async def restore(
    settings: Settings, path: Path, progress: Progress, *, over: bool = False, dry_run: bool = False
) -> Restored:
    """Write what an archive holds to this cluster's topics; `over` what is there.

    Raises CaptureError for the file, TopicMismatch for the topics, LivefuseError when somebody works or something is
    there already, BrokerError.
    """
    head, manifest = verified(path, _told(progress, "checking"))
    contents = saved(settings.topics, settings.partitions)
    config, names = settings.kafka_config(), settings.topics
    ours = await partitions_of(config, [topic.name for topic in contents.values()])
    signals = await partitions_of(config, [names.signals])
    counts = {topic.name: sum(each.topic == topic.name for each in ours) for topic in contents.values()}
    _check_partitions(head, contents, counts)
    await nobody_works(
        settings,
        {settings.worker_group: "workers are", settings.intake_group: "intakes are"},
        "start nothing before the import is done. Stop them and try again.",
    )
    async with open_consumer(config) as consumer:
        reached = await _reached(consumer, ours, head)
        behind = await consumer.end_offsets(signals)
        frames = {each: behind[each] - first for each, first in (await consumer.beginning_offsets(signals)).items()}
        if not over:
            _check_empty(reached, frames)
        done = _report(head, manifest, contents)
        done.inputs = await _inputs(consumer, settings)
    if not dry_run:
        lines = {each: line or 0 for each, line in reached.items()}
        positions = {each.partition: end - 1 for each, end in behind.items()}
        await _write(settings, path, contents, counts, lines, positions, done, progress)
    return done


def _report(head: Head, manifest: Manifest, contents: Mapping[str, Topic]) -> Restored:
    kept = {name: part.records for name, part in manifest.topics.items() if name in contents}
    done = Restored(head, sum(kept.values()), left_out=sorted(manifest.topics.keys() - kept.keys()))
    done.since = from_ms(max(0, head.log_time - _EARLIER // timedelta(milliseconds=1)))
    return done


def _check_partitions(head: Head, contents: Mapping[str, Topic], counts: Mapping[str, int]) -> None:
    wrong = [
        f"{topic.name} has {counts[topic.name]} partitions, and had {head.topics[name]} when it was saved"
        for name, topic in contents.items()
        if name in head.topics and topic.layout == "lanes" and counts[topic.name] != head.topics[name]
    ]
    if wrong:
        number = max(head.topics.values())
        raise TopicMismatch(
            f"{'; '.join(wrong)}. A product belongs to one partition for ever: make the topics with "
            f"LIVEFUSE_PARTITIONS={number} (`livefuse topics apply`). Nothing was written."
        )


def _check_empty(reached: Mapping[TopicPartition, int | None], frames: Mapping[TopicPartition, int]) -> None:
    full = sorted({each.topic for each, line in reached.items() if line is None})
    full += sorted({each.topic for each, count in frames.items() if count})
    if full:
        raise LivefuseError(
            f"there is something in {', '.join(full)} already, and not from this import. Nothing was written. Import "
            "into new topics (LIVEFUSE_TOPICS__PREFIX, LIVEFUSE_APPLICATION), or say --over: then what is saved is "
            "written behind what is there and counts instead of it, product by product, and frames that are there "
            "already are passed over."
        )


async def _reached(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], head: Head
) -> dict[TopicPartition, int | None]:
    """Return the line of the archive that was last written to each partition; 0 in an empty one, None in others."""
    first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    found: dict[TopicPartition, int | None] = {each: 0 if ends[each] == first[each] else None for each in partitions}
    waiting = {each: ends[each] - 1 for each in partitions if found[each] is None}
    if waiting:
        start_at(consumer, waiting)
    async with asyncio.timeout(_LOOKING_S):
        while waiting:
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    found[partition] = _line(record, head)
            # The mark of a transaction is never handed out: the position tells that it was passed.
            waiting = {each: end for each, end in waiting.items() if await consumer.position(each) <= end}
    return found


def _line(record: Any, head: Head) -> int | None:
    told = dict(record.headers).get(HEADER, b"").decode(errors="replace")
    archive, _, line = told.partition("/")
    return int(line) if archive == head.id and line.isdecimal() else None


async def _inputs(consumer: AIOKafkaConsumer, settings: Settings) -> dict[str, int]:
    """Count what an intake would read of the shop's topics and the commands."""
    names = settings.topics
    shop = [topic for topic in names.inputs if topic != names.rules]
    inputs = await partitions_of(settings.kafka_config(), shop)
    first, ends = await consumer.beginning_offsets(inputs), await consumer.end_offsets(inputs)
    counts = {topic: sum(ends[each] - first[each] for each in inputs if each.topic == topic) for topic in shop}
    return {topic: count for topic, count in counts.items() if count}


async def _write(
    settings: Settings,
    path: Path,
    contents: Mapping[str, Topic],
    counts: Mapping[str, int],
    lines: Mapping[TopicPartition, int],
    positions: Mapping[int, int],
    done: Restored,
    progress: Progress,
) -> None:
    config = settings.kafka_config()
    known = config.transactions
    idempotent = await supports_transactions(config.client) if known is None else known
    pending: list[Any] = []
    async with open_producer(config, idempotent=idempotent) as producer:
        for number, entry in entries(path):
            topic = contents.get(entry.topic)
            if topic is None:
                continue
            place = TopicPartition(topic.name, entry.partition % counts[topic.name])
            if number <= lines[place]:
                continue
            pending.append(
                await producer.send(
                    topic.name,
                    _value(entry, topic.name == settings.topics.state, positions),
                    key=entry.key,
                    partition=place.partition,
                    timestamp_ms=entry.ts,
                    headers=[*_foreign(entry), (HEADER, f"{done.head.id}/{number}".encode())],
                )
            )
            done.written += 1
            if len(pending) >= _AT_ONCE:
                await asyncio.gather(*pending)
                pending.clear()
            if done.written % TOLD_EVERY == 0:
                progress(entry.topic, done.written)
        await asyncio.gather(*pending)


def _value(entry: Entry, is_state: bool, positions: Mapping[int, int]) -> bytes:  # noqa: FBT001 (a fact, not a switch)
    if is_state and entry.key == LANE_KEY:
        return LaneRecord.decode(entry.value).on_another_log(positions[entry.partition]).encode()
    return entry.value


def _foreign(entry: Entry) -> list[tuple[str, bytes]]:
    """Return the headers of a record but that of an earlier import, and that which holds in the old cluster's log."""
    return [(name, value) for name, value in entry.headers if name not in {HEADER, PLACE_HEADER}]


def _told(progress: Progress, what: str) -> Any:
    def told(number: int) -> None:
        if number % TOLD_EVERY == 0:
            progress(what, number)

    return told
