"""Reading what a cluster wrote, and waiting until it has read everything that was written to it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.kafka.cluster import Cluster, until

Record = Any
"""A record as aiokafka returns it."""

_STALLED: Final = timedelta(seconds=90)
"""Longer than a transaction that nobody ends stays open."""

_LOOK_MS: Final = 10


async def committed(bootstrap: str, topic: str) -> list[Record]:
    """Return all committed records of a topic, up to its end as it is now, in order within each partition.

    A producer is told that its transaction is committed before the broker has written so into the partitions, and until
    then no reader sees the records; so this waits until no transaction is open that was open at the beginning.
    """
    return await records_of(bootstrap, topic, "read_committed")


async def records_of(bootstrap: str, topic: str, isolation: str) -> list[Record]:
    """Return the records of a topic up to its end as it is now; `isolation` is that of the consumer."""
    partitions = await partitions_of(bootstrap, topic)
    async with _consumer(bootstrap, partitions, isolation) as consumer:
        records: list[Record] = []
        ends: dict[TopicPartition, int] = {}

        async def all_read() -> bool:
            for batch in (await consumer.getmany(timeout_ms=_LOOK_MS)).values():
                records.extend(batch)
            # The first answer tells the end as it is now, whatever the isolation lets through.
            _take_ends(consumer, ends)
            return len(ends) == len(partitions) and all(
                [await consumer.position(each) >= end for each, end in ends.items()]
            )

        await until(
            all_read,
            f"{topic} can be read to its end",
            within=_STALLED,
            between=timedelta(0),
            state=lambda: f"Its ends: {ends}",
        )
        return [each for each in records if each.offset < ends[TopicPartition(topic, each.partition)]]


async def end_offsets(bootstrap: str, *topics: str) -> dict[TopicPartition, int]:
    """Return the end of each partition of the topics; what is in a transaction that is not over yet counts.

    The embedded broker, asked for the end, names the beginning of the last batch; what it tells with records is right.
    """
    partitions = await partitions_of(bootstrap, *topics)
    async with _consumer(bootstrap, partitions, "read_uncommitted") as consumer:
        await consumer.seek_to_end(*partitions)
        ends: dict[TopicPartition, int] = {}

        async def are_told() -> bool:
            _take_ends(consumer, ends)
            return len(ends) == len(partitions)

        await until(
            are_told, f"the broker tells the ends of {topics}", within=_STALLED, between=timedelta(milliseconds=2)
        )
        return ends


def _take_ends(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
    """Note the end of each partition that a fetch has told of for the first time."""
    for each in consumer.assignment():
        if each not in ends and (high := consumer.highwater(each)) is not None:
            ends[each] = high


async def partitions_of(bootstrap: str, *topics: str) -> list[TopicPartition]:
    """Return all partitions of topics that exist."""
    async with admin_of(bootstrap) as admin:
        described = await admin.describe_topics(list(topics))
    counts = {each["topic"]: len(each["partitions"]) for each in described}
    assert all(counts.get(topic) for topic in topics), f"of {topics} there are only {counts}"
    return [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]


async def drained(cluster: Cluster, within: timedelta) -> None:
    """Return when all that is in the input topics now was applied by the workers and its outputs are committed.

    The intakes have committed all source offsets, so all signals stand in the signals log; and the workers have
    committed that log up to where it ended then, which they do after the outputs.
    """
    await forwarded(cluster, within)
    async with admin_of(cluster.bootstrap) as admin:
        signals = await end_offsets(cluster.bootstrap, cluster.names.signals)
        await _reached(admin, cluster.worker_group, signals, within)


async def forwarded(cluster: Cluster, within: timedelta) -> None:
    """Return when the signals of all that is in the input topics now stand in the signals log."""
    sources = await end_offsets(cluster.bootstrap, *cluster.names.inputs)
    async with admin_of(cluster.bootstrap) as admin:
        await _reached(admin, cluster.intake_group, sources, within)


async def replicated(bootstrap: str, within: timedelta = timedelta(seconds=120)) -> None:
    """Return when every partition of every topic has all its replicas in sync."""

    async def are_in_sync() -> bool:
        try:
            async with admin_of(bootstrap) as admin:
                described = await admin.describe_topics()
        except KafkaError:
            return False
        partitions = [each for topic in described for each in topic["partitions"]]
        return bool(partitions) and all(len(each["isr"]) == len(each["replicas"]) for each in partitions)

    await until(are_in_sync, "all replicas are in sync", within=within, between=timedelta(seconds=0.5))


async def decided(cluster: Cluster, count: int, within: timedelta = timedelta(seconds=120)) -> None:
    """Return when there are about `count` fuse events (the ends of transactions are counted too)."""

    async def are_there() -> bool:
        return sum((await end_offsets(cluster.bootstrap, cluster.names.fuse_events)).values()) >= count

    await until(are_there, f"{count} fuse events are there", within=within)


async def _reached(
    admin: AIOKafkaAdminClient, group: str, ends: Mapping[TopicPartition, int], within: timedelta
) -> None:
    lag: dict[str, int] | None = None

    async def has_reached() -> bool:
        nonlocal lag
        try:
            offsets = await admin.list_consumer_group_offsets(group, partitions=list(ends))
        except KafkaError:
            # The group is not there yet, or the broker is away.
            return False
        behind = {each: end - max(0, offsets[each].offset if each in offsets else 0) for each, end in ends.items()}
        lag = {f"{each.topic}[{each.partition}]": count for each, count in behind.items() if count > 0}
        return not lag

    what = f"group {group} has committed all that it has to read"
    await until(has_reached, what, within=within, between=timedelta(seconds=0.2), state=lambda: f"its lag: {lag}")


@asynccontextmanager
async def admin_of(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield an admin client that is connected."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _consumer(
    bootstrap: str, partitions: Iterable[TopicPartition], isolation: str
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation,
        max_partition_fetch_bytes=16 * 1_048_576,
        # What is there is told at once, and that there is nothing soon.
        fetch_max_wait_ms=_LOOK_MS,
    )
    await consumer.start()
    try:
        consumer.assign(list(partitions))
        yield consumer
    finally:
        await consumer.stop()
