"""Consumers of livefuse's own topics: partitions are known, nobody shares them, so there is no group to join.

Verified on aiokafka 0.14: a consumer with a group id and assigned partitions joins no group and may still commit; a
broker that goes away raises nothing, records simply do not come until it is back; a request for a commit is repeated
until it succeeds.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from schemas.topics import LARGEST_RECORD_BYTES

RETRY_S: Final = 2.0
REQUEST_TIMEOUT_MS: Final = 10_000
METADATA_MAX_AGE_MS: Final = 5_000
"""Who asks where a partition begins or ends goes on asking its old leader, after it has moved, until aiokafka looks at
the metadata again: after five minutes, if it is not told otherwise."""

_CLOSE_S: Final = 0.3

REFUSALS: Final = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
"""Errors that waiting does not cure: the broker is there and says no."""


@asynccontextmanager
async def open_consumer(
    client: Mapping[str, Any], *, group: str | None = None, wait_ms: int = 500
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer that reads what is committed. `wait_ms`: how long a fetch waits for records.

    A partition that a fetch does not name waits for it to end, so that is also how late a record may be.
    """
    consumer = AIOKafkaConsumer(
        **client,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=wait_ms,
        max_partition_fetch_bytes=4 * LARGEST_RECORD_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        # aiokafka may raise here what became of one of its own tasks, even that task's cancellation; and a broker that
        # is away must not hold up the end.
        closing = asyncio.ensure_future(consumer.stop())
        _, late = await asyncio.wait({closing}, timeout=_CLOSE_S)
        for each in late:
            each.cancel()


def lanes(topic: str, partitions: int) -> list[TopicPartition]:
    """Return all partitions of a topic."""
    return [TopicPartition(topic, number) for number in range(partitions)]


def start_at(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    """Assign partitions to the consumer and have it read them from these offsets on."""
    consumer.assign(list(offsets))
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)


async def reached(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    """Tell whether the consumer has come to these offsets."""
    # Markers of transactions and compacted records have offsets too, but are never handed out: the position tells.
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True


def heard_ms(consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> int:
    """Return when the broker last answered a fetch of the partition that waits the longest; 0 when one never was."""
    return min((consumer.last_poll_timestamp(each) or 0 for each in partitions), default=0)
