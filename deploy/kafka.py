"""Clients for the command line: opened, closed, and their errors said in our words.

    async with open_producer(config) as producer: ...        # also open_consumer, open_admin
    async for record in read(config, topics): ...            # all that is there now, committed records only

The commands never leave a group, an offset or a topic behind: consumers here have no group, and metadata is asked for
all topics at once, because to ask some brokers for a topic that does not exist creates it.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from schemas.errors import BrokerError, BrokerRefused, BrokerUnavailable, SendFailed, TopicMismatch
from schemas.rights import Operation, missing
from schemas.topics import LARGEST_DEAD_LETTER_BYTES
from streams import headers
from streams.client import REFUSALS, addresses, connected, fetched_end, partition_counts, refuse_hidden
from streams.config import KafkaConfig

REQUEST_TIMEOUT_MS: Final = 10_000
STALLED_AFTER_S: Final = 15.0
CLOSE_WITHIN_S: Final = 0.3

_SILENCE: Final = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError)
_CHECK_LOGIN: Final = (
    "Check LIVEFUSE_KAFKA__SECURITY_PROTOCOL, the login (LIVEFUSE_KAFKA__SASL_...), the certificates "
    "(LIVEFUSE_KAFKA__SSL_...) and the rights of this user."
)
_CHECK_ADDRESS: Final = (
    "Check that it runs, that this machine can reach it, and LIVEFUSE_BOOTSTRAP_SERVERS; "
    "with TLS or a login also LIVEFUSE_KAFKA__SECURITY_PROTOCOL."
)


@asynccontextmanager
async def in_our_words(config: KafkaConfig, operation: Operation = "Describe") -> AsyncIterator[None]:
    """See that the broker is there; raise aiokafka's errors as ours, with the address and the next step.

    `operation` is what is missing where the broker refuses for lack of a right.
    """
    where = addresses(config.client)
    try:
        async with connected(config.client):
            pass
    except BrokerUnavailable as error:
        raise BrokerUnavailable(f"{error} {_CHECK_ADDRESS}") from error
    except BrokerRefused as error:
        raise BrokerRefused(f"{error}. {_CHECK_LOGIN}") from error
    try:
        yield
    except REFUSALS as error:
        raise BrokerRefused(f"the broker at {where} refuses: {_refusal(error, operation)}. {_CHECK_LOGIN}") from error
    except _SILENCE as error:
        raise BrokerUnavailable(f"the broker at {where} went away: {_said(error)}. {_CHECK_ADDRESS}") from error
    except MessageSizeTooLargeError as error:
        raise SendFailed(f"the broker at {where} does not take a record: {_said(error)}") from error
    except KafkaError as error:
        raise BrokerError(f"the broker at {where} reports: {_said(error)}. `livefuse doctor` may tell more.") from error


async def _close(closing: Coroutine[Any, Any, None]) -> None:
    """Close a client, but do not wait long for a broker that is gone.

    aiokafka may raise here what became of one of its own tasks, even that task's cancellation.
    """
    task = asyncio.ensure_future(closing)
    _, late = await asyncio.wait({task}, timeout=CLOSE_WITHIN_S)
    for each in late:
        each.cancel()


def _refusal(error: Exception, operation: Operation) -> str:
    found = missing(error, operation)
    return _said(error) if found == repr(error) else found


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


@asynccontextmanager
async def open_admin(config: KafkaConfig) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open an admin client. Raises BrokerUnavailable or BrokerRefused."""
    async with in_our_words(config):
        admin = AIOKafkaAdminClient(**config.client, request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            yield admin
        finally:
            await _close(admin.close())


@asynccontextmanager
async def open_consumer(
    config: KafkaConfig, *, fetch_bytes: int = LARGEST_DEAD_LETTER_BYTES
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer without a group that reads what is committed, from the beginning unless it is told otherwise.

    `fetch_bytes`: how much of a partition comes at once.
    """
    headers.accept_any_names()
    async with in_our_words(config, "Read"):
        consumer = AIOKafkaConsumer(
            **config.client,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=fetch_bytes,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await _close(consumer.stop())


@asynccontextmanager
async def open_producer(config: KafkaConfig, *, idempotent: bool = False) -> AsyncIterator[AIOKafkaProducer]:
    """Open a producer whose `send_and_wait` returns when all replicas have the record.

    An `idempotent` one, where the broker has such, writes none twice when an answer is lost.
    """
    async with in_our_words(config, "Write"):
        producer = AIOKafkaProducer(
            **config.client,
            acks="all",
            enable_idempotence=idempotent,
            max_request_size=LARGEST_DEAD_LETTER_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await producer.start()
            yield producer
        finally:
            await _close(producer.stop())


async def partitions_of(
    config: KafkaConfig, topics: Collection[str], operation: Operation = "Read"
) -> list[TopicPartition]:
    """Return all partitions of the topics; TopicMismatch names those that do not exist.

    BrokerRefused names those that are only hidden from this user, as topics that lack the right to `operation`.
    """
    existing = await partition_counts(config.client)
    if unknown := sorted(set(topics) - existing.keys()):
        await refuse_hidden(config.client, unknown, operation)
        raise TopicMismatch(f"there is no topic {', '.join(unknown)}. `livefuse topics apply` creates ours.")
    return [TopicPartition(topic, number) for topic in sorted(topics) for number in range(existing[topic])]


async def read(config: KafkaConfig, topics: Collection[str]) -> AsyncIterator[ConsumerRecord[Any, Any]]:
    """Yield all committed records of the topics, in order within a partition, up to the end as it is now."""
    async with open_consumer(config) as consumer:
        async for record in _read_through(consumer, await partitions_of(config, topics)):
            yield record


async def read_partition(config: KafkaConfig, partition: TopicPartition) -> AsyncIterator[ConsumerRecord[Any, Any]]:
    """Yield all committed records of one partition, up to the end as it is now."""
    async with open_consumer(config) as consumer:
        async for record in _read_through(consumer, [partition]):
            yield record


def start_at(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    """Assign partitions to the consumer and have it read them from these offsets on."""
    consumer.assign(list(offsets))
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)


async def _read_through(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> AsyncIterator[ConsumerRecord[Any, Any]]:
    """Yield what lies in the partitions now."""
    # Asked before anything is assigned: a fetch that waits for records would hold these questions up.
    first = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    waiting = {partition for partition in partitions if ends[partition] > first[partition]}
    # A consumer that is stopped right after it was assigned something may leave a connection open (aiokafka 0.14).
    if waiting:
        start_at(consumer, {partition: first[partition] for partition in waiting})
    loop = asyncio.get_running_loop()
    progress = loop.time()
    unsure = set(waiting)
    while waiting:
        batches = await consumer.getmany(*waiting, timeout_ms=200)
        # The first fetch of a partition tells its end; a later one might tell of what came in meanwhile.
        told = {partition: end for partition in unsure if (end := fetched_end(consumer, partition)) >= 0}
        ends |= {partition: max(ends[partition], end) for partition, end in told.items()}
        unsure -= told.keys()
        for records in batches.values():
            for record in records:
                yield record
        # Markers of transactions and compacted records have offsets too, but are never handed out: the position tells.
        done = {partition for partition in waiting if await consumer.position(partition) >= ends[partition]}
        waiting -= done
        if batches or done:
            progress = loop.time()
        elif loop.time() - progress > STALLED_AFTER_S:
            stuck = ", ".join(f"{each.topic}[{each.partition}]" for each in sorted(waiting))
            raise BrokerUnavailable(f"reading {stuck} does not come to its end: the broker sends nothing. Try again.")
