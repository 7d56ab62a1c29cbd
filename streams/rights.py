"""Whether this user has the rights that a process needs: asked before it starts, so that all that is missing is named.

Verified on Apache Kafka 4.1: who has no right on a topic is told so when he asks for its metadata by its name, and the
lookup of a coordinator tells the same of a group and of a transactional id. So a resource on which the user has no
right at all comes to light here. Who may write to a topic sees it, so a fetch tells whether he may read it too; whether
he may write beside reading shows when he does, and that message names it, too.

A broker without TLS and login has nobody to give rights to, and is not asked.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from schemas.errors import BrokerRefused
from schemas.rights import Resource, Right, missing_rights
from streams.client import REQUEST_TIMEOUT_MS, addresses, connected, hidden_topics

_FETCH_MS: Final = 300

_COORDINATORS: Final[Mapping[Resource, int]] = {
    "group": CoordinationType.GROUP,
    "transactional-id": CoordinationType.TRANSACTION,
}


async def require_rights(client: Mapping[str, Any], needed: Iterable[Right]) -> None:
    """Raise BrokerRefused, which names the rights on all resources on which this user has none; BrokerUnavailable."""
    if client.get("security_protocol", "PLAINTEXT") == "PLAINTEXT":
        return
    wanted = list(needed)
    async with connected(client) as kafka:
        hidden = await hidden_topics(kafka, {each.name for each in wanted if each.resource == "topic"})
        lacking = [each for each in wanted if each.resource == "topic" and each.name in hidden]
        lacking += [each async for each in _refused_coordinators(kafka, wanted)]
    written = {each.name for each in wanted if (each.operation, each.resource) == ("Write", "topic")} - hidden
    for each in wanted:
        if (each.operation, each.resource) == ("Read", "topic") and each.name in written:
            lacking += [each] if await _is_unreadable(client, each.name) else []
    if lacking:
        who = client.get("sasl_plain_username") or "this certificate"
        raise BrokerRefused(f"the broker at {addresses(client)} refuses {who}: {missing_rights(lacking)}.")


async def _is_unreadable(client: Mapping[str, Any], topic: str) -> bool:
    """Tell whether a fetch from the end of a topic, which brings nothing, is refused."""
    consumer = AIOKafkaConsumer(
        **client, enable_auto_commit=False, fetch_max_wait_ms=1, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_end()
        await consumer.getmany(timeout_ms=_FETCH_MS)
    except TopicAuthorizationFailedError:
        return True
    except (KafkaError, OSError, TimeoutError):
        # It is not for this look to say that the broker is away.
        return False
    finally:
        await consumer.stop()
    return False


async def _refused_coordinators(kafka: AIOKafkaClient, wanted: Iterable[Right]) -> AsyncIterator[Right]:
    for each in wanted:
        kind = _COORDINATORS.get(each.resource)
        if kind is None:
            continue
        # Of what begins with a name the shortest is a name itself: Kafka's prefixes match it, too.
        try:
            await kafka.coordinator_lookup(kind, each.name)
        except (GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed):
            yield each
        except KafkaError:
            # No coordinator yet: whoever joins will ask again.
            continue
