"""Saving: from the topics of a cluster whose workers are stopped to an archive.

What is saved must be of one moment: a state that is older than the events would number the next events as others were
numbered before. So it is refused while a worker is in the group.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from time import time_ns
from typing import Any, BinaryIO
from uuid import uuid4

import orjson
from aiokafka import TopicPartition

from deploy.admin import Admin
from deploy.archive.contents import saved
from deploy.archive.file import ArchiveWriter, Entry, Head, Manifest
from deploy.kafka import open_admin, open_consumer, partitions_of, read_partition
from deploy.settings import Settings
from schemas.errors import LivefuseError
from schemas.times import from_ms
from schemas.topics import Topic
from streams.worker.store import LANE_KEY, LaneRecord, Place, ahead_of, note_place

Progress = Callable[[str, int], None]
"""Told now and then: which topic is being worked on, and how many records of it are done."""

TOLD_EVERY = 50_000


@dataclass(frozen=True)
class Saved:
    """What was written."""

    head: Head
    manifest: Manifest


async def nobody_works(settings: Settings, groups: dict[str, str], why: str) -> None:
    """Raise LivefuseError when one of the groups (name, what its members are called) has members."""
    async with open_admin(settings.kafka_config()) as client:
        admin = Admin(client)
        for name, called in groups.items():
            found = await admin.group(name)
            if found is not None and found.members:
                raise LivefuseError(
                    f"{found.members} {called} in group {name}: {why} A process that was killed counts until its "
                    "session has run out."
                )


async def save(settings: Settings, file: BinaryIO, progress: Progress) -> Saved:
    """Write an archive of all that is saved. Raises LivefuseError while workers run, TopicMismatch, BrokerError."""
    config = settings.kafka_config()
    contents = saved(settings.topics, settings.partitions)
    everything = await partitions_of(config, [topic.name for topic in contents.values()])
    await nobody_works(
        settings,
        {settings.worker_group: "workers are"},
        "what is saved must be of one moment. Stop the intakes, wait until the workers have caught up "
        "(`livefuse doctor`), stop the workers, and try again.",
    )
    log_time, waiting = await _lanes(settings)
    head = Head(
        id=uuid4().hex,
        release=_release(),
        application=settings.application,
        made_at=from_ms(time_ns() // 1_000_000),
        topics={name: sum(each.topic == topic.name for each in everything) for name, topic in contents.items()},
        log_time=log_time,
        waiting=waiting,
    )
    writer = ArchiveWriter(file, head)
    for name, topic in contents.items():
        done = 0
        for number in range(head.topics[name]):
            async for record in _records(settings, topic, number):
                writer.add(_entry(name, record))
                done += 1
                if done % TOLD_EVERY == 0:
                    progress(name, done)
        progress(name, done)
    return Saved(head, writer.finish())


async def _lanes(settings: Settings) -> tuple[int, dict[str, int]]:
    """Return up to which time (ms) all lanes have applied their log, and how many frames each has not applied.

    LivefuseError when a lane has not ended in order: then its states are not of one moment.
    """
    config, names = settings.kafka_config(), settings.topics
    signals = await partitions_of(config, [names.signals])
    async with open_consumer(config) as consumer:
        first, ends = await consumer.beginning_offsets(signals), await consumer.end_offsets(signals)
    times: list[int] = []
    waiting: dict[str, int] = {}
    for each in signals:
        record = None
        places: dict[str, Place] = {}
        async for found in read_partition(config, TopicPartition(names.state, each.partition)):
            if found.key == LANE_KEY and found.value:
                record = LaneRecord.decode(found.value)
            else:
                note_place(places, found.key.decode(), found.headers)
        if ahead := ahead_of(record, places):
            raise LivefuseError(
                f"{names.state}[{each.partition}] is not of one moment: the worker that had it last was killed, and "
                f"{len(ahead)} states are ahead of the others. Start a worker, wait until it has caught up (`livefuse "
                "doctor`), stop it in order (SIGTERM), and try again."
            )
        position = first[each] - 1 if record is None else record.position
        if ends[each] > position + 1:
            waiting[str(each.partition)] = ends[each] - position - 1
        if record is not None:
            times.append(orjson.loads(record.partition)["log_time"])
    return min(times, default=0), waiting


async def _records(settings: Settings, topic: Topic, number: int) -> AsyncIterator[Any]:
    """Yield the records of a partition in order; of a compacted topic the latest of each key."""
    records = read_partition(settings.kafka_config(), TopicPartition(topic.name, number))
    if topic.cleanup != "compact":
        async for record in records:
            yield record
        return
    latest: dict[bytes | None, Any] = {}
    async for record in records:
        # Taken out first, so that the records stand in the order of their offsets: the lane's own comes last.
        latest.pop(record.key, None)
        if record.value is not None:
            latest[record.key] = record
    for record in latest.values():
        yield record


def _entry(name: str, record: Any) -> Entry:
    headers = [(key, bytes(value or b"")) for key, value in record.headers]
    return Entry(name, record.partition, record.offset, record.timestamp, record.key, record.value or b"", headers)


def _release() -> str:
    try:
        return version("livefuse")
    except PackageNotFoundError:
        return "unknown"
