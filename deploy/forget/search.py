"""The search: through every topic that may name an order or a complaint, and until when each record lives.

a topic that is deleted from     at the latest its timestamp, retention.ms and segment.ms together: whole segments go
a compacted topic                until the product is heard of again and the cleaner has been there
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from deploy.admin import Admin, TopicConfigs
from deploy.forget.subject import Subject
from deploy.kafka import open_admin, read
from deploy.settings import Settings
from schemas.topics import Topic, topics
from streams.client import partition_counts
from streams.worker.store import LANE_KEY

TOLD_EVERY: Final = 100_000

Progress = Callable[[str, int], None]
"""Told now and then: which topic is searched, and how many of its records have been."""

Status = Literal["kept", "deleted", "overwritten"]

Recognise = Callable[[Any], str | None]
"""Say how a Kafka record names the subject, None if it does not."""


@dataclass
class Trace:
    """A record that names the subject. `how`: as an id, in a signal, as evidence, in a text, ...

    `until` is when it is gone at the latest (ms), None where time alone does not end it. `status`: whether it is there,
    was deleted, or a later record of its key has taken its place. `why`: what was done, or why nothing was.
    """

    topic: str
    partition: int
    offset: int
    time_ms: int
    how: str
    product_id: str | None = None
    until: int | None = None
    status: Status = "kept"
    why: str = ""


@dataclass
class Search:
    """What was found, by topic, and the topics that do not exist."""

    traces: list[Trace] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    searched: int = 0

    def of(self, topic: str) -> list[Trace]:
        """Return the traces in a topic."""
        return [each for each in self.traces if each.topic == topic]


async def search(settings: Settings, subject: Subject, progress: Progress) -> Search:
    """Look through all topics. Raises BrokerError, and StateError for a state of a newer release."""
    config, names = settings.kafka_config(), settings.topics
    existing = await partition_counts(config.client)
    every = [each for each in topics(names, settings.partitions) if each.name != names.watchlist]
    found = Search(missing=[each.name for each in every if each.name not in existing])
    present = [each for each in every if each.name in existing]
    async with open_admin(config) as client:
        configs = await Admin(client).configs([each.name for each in present])
    for topic in present:
        recognise = _recogniser(topic, settings, subject)
        count = 0
        async for record in read(config, [topic.name]):
            count += 1
            if count % TOLD_EVERY == 0:
                progress(topic.name, count)
            how = recognise(record) if record.value else None
            if how is not None:
                until = _until(configs.get(topic.name), record.timestamp)
                product = (record.key or b"").decode(errors="replace") if topic.key == "product_id" else None
                found.traces.append(
                    Trace(record.topic, record.partition, record.offset, record.timestamp, how, product, until)
                )
        found.searched += count
    return found


def _recogniser(topic: Topic, settings: Settings, subject: Subject) -> Recognise:
    names = settings.topics
    if topic.name == names.signals:
        return lambda record: subject.in_frame(record.value)
    if topic.name == names.state:
        return lambda record: None if record.key == LANE_KEY else subject.in_state(record.key.decode(), record.value)
    if topic.name in {names.fuse_events, names.fuse_state}:
        return lambda record: subject.in_event(record.value)
    return lambda record: subject.in_record(record.value)


def _until(configs: TopicConfigs | None, time_ms: int) -> int | None:
    """Return when a record is gone at the latest (ms)."""
    if configs is None or "delete" not in configs.in_force.get("cleanup.policy", ""):
        return None
    retention = int(configs.in_force.get("retention.ms", "-1"))
    if retention < 0:
        return None
    return time_ms + retention + int(configs.in_force.get("segment.ms", "0"))
