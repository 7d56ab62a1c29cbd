"""The broker as every process meets it first: does it answer, what can it do, which topics has it.

Verified on aiokafka 0.14: a client that cannot connect logs the reason and raises an error without it, so the reason
is asked for again; metadata of all topics creates none and shows those that the user may describe, metadata of one
topic may create it (Kafka's ``auto.create.topics.enable``, unless it is told not to); the embedded broker lists the
transaction requests among its versions and answers InitProducerId with error -1.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    NoError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from schemas.errors import BrokerRefused, BrokerUnavailable, TopicMismatch

RETRY_S: Final = 2.0
REQUEST_TIMEOUT_MS: Final = 10_000
METADATA_MAX_AGE_MS: Final = 5_000
"""A partition without a committed offset asks its leader for one, and aiokafka goes on asking the old leader, after it
has moved, until it looks at the metadata again: after five minutes, if it is not told otherwise."""

_PRODUCER_ID_ATTEMPTS: Final = 100
_PATIENCE_S: Final = 3.0

REFUSALS: Final = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
    ssl.SSLError,
)
"""Errors of aiokafka that waiting does not cure: the broker is there and says no."""

log = logging.getLogger(__name__)


def addresses(client: Mapping[str, Any]) -> str:
    """Return the configured addresses as a person would write them."""
    servers = client["bootstrap_servers"]
    return servers if isinstance(servers, str) else ",".join(servers)


@asynccontextmanager
async def connected(client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaClient]:
    """Yield a connected client.

    Raises BrokerUnavailable when no broker answers, BrokerRefused when one does and will not have us.
    """
    kafka = AIOKafkaClient(**client, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        try:
            await kafka.bootstrap()
        except KafkaError as error:
            raise await _reason(kafka, client) from error
        yield kafka
    finally:
        await kafka.close()


async def wait_for_broker(client: Mapping[str, Any], stop: asyncio.Event) -> bool:
    """Return True as soon as a broker answers, False if ``stop`` is set before. Raises BrokerRefused."""
    while not stop.is_set():
        try:
            async with connected(client):
                return True
        except BrokerUnavailable as error:
            log.warning("broker.unavailable %s Trying again every %g s.", error, RETRY_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RETRY_S)
    return False


async def supports_transactions(client: Mapping[str, Any]) -> bool:
    """Ask the broker whether it has idempotent and transactional producers. Raises BrokerUnavailable, BrokerRefused."""
    async with connected(client) as kafka:
        for _ in range(_PRODUCER_ID_ATTEMPTS):
            try:
                answer = await kafka.send(kafka.get_random_node(), InitProducerIdRequest(None, REQUEST_TIMEOUT_MS))
            except IncompatibleBrokerVersion:
                return False
            except KafkaError as error:
                raise BrokerUnavailable(f"the broker at {addresses(client)} went away: {error!r}") from error
            verdict = for_code(answer.error_code)
            if verdict is NoError:
                return True
            if verdict is ClusterAuthorizationFailedError:
                raise BrokerRefused(
                    f"the broker at {addresses(client)} gives out no producer id: the right Write on any topic is "
                    "missing (`livefuse topics acls` lists what each role needs)."
                )
            if not verdict.retriable:
                return False
            # A broker that has just started is still loading what it knows about producers.
            await asyncio.sleep(0.1)
    raise BrokerUnavailable(f"the broker at {addresses(client)} gives out no producer ids: {verdict.__name__}")


async def partition_counts(client: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of partitions of every topic. Raises BrokerUnavailable, BrokerRefused."""
    async with connected(client) as kafka:
        try:
            cluster = await kafka.fetch_all_metadata()
        except KafkaError as error:
            raise BrokerUnavailable(f"the broker at {addresses(client)} went away: {error!r}") from error
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}


def fetched_end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    """Return the end of an assigned partition as the last fetch told it, for its isolation level; -1 before any.

    The embedded broker lists an end in the middle of the last batch ("latest" is its first offset + 1). What it tells
    with a fetch is right.
    """
    stable = consumer.last_stable_offset(partition)
    end = consumer.highwater(partition) if stable is None or stable < 0 else stable
    return -1 if end is None else int(end)


async def require_topics(client: Mapping[str, Any], needed: Mapping[str, int | None]) -> None:
    """Raise TopicMismatch when topics are not as needed, and stay so: a new topic is not known to all brokers at once.

    Also raises BrokerUnavailable, and BrokerRefused where a topic is only hidden from this user.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        existing = await partition_counts(client)
        try:
            check_topics(existing, needed)
        except TopicMismatch:
            await refuse_hidden(client, needed.keys() - existing.keys())
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PATIENCE_S / 10)
        else:
            return


async def refuse_hidden(client: Mapping[str, Any], names: Collection[str], operation: str = "Read or Write") -> None:
    """Raise BrokerRefused, which names the topics, when it may be that they are only hidden from this user."""
    if not names or client.get("security_protocol", "PLAINTEXT") == "PLAINTEXT":
        return
    async with connected(client) as kafka:
        hidden = await hidden_topics(kafka, names)
    if hidden:
        wanted = ", ".join(f"{operation} on topic {each}" for each in sorted(hidden))
        raise BrokerRefused(
            f"the broker at {addresses(client)} does not show this user all topics: the right {wanted} is missing "
            "(`livefuse topics acls` lists what each role needs)"
        )


async def hidden_topics(kafka: AIOKafkaClient, names: Collection[str]) -> set[str]:
    """Return the topics that this user may not describe, whether they exist or not; none is created.

    Nothing when the broker does not answer.
    """
    if not names:
        return set()
    try:
        answer = await kafka.send(
            kafka.get_random_node(), MetadataRequest(sorted(names), allow_auto_topic_creation=False)
        )
    except KafkaError:
        return set()
    # What comes with a topic differs from version to version; its error and its name are always in front.
    return {name for code, name, *_ in answer.topics if for_code(code) is TopicAuthorizationFailedError}


def check_topics(existing: Mapping[str, int], needed: Mapping[str, int | None]) -> None:
    """Raise TopicMismatch when topics are missing or have another number of partitions than needed (None: any)."""
    if missing := sorted(name for name in needed if not existing.get(name)):
        raise TopicMismatch(
            f"missing on the broker: {', '.join(missing)}. Run `livefuse topics apply`; the shop's own topics (the "
            "inputs) have to be there first, or name others with LIVEFUSE_TOPICS__ORDERS and so on."
        )
    wrong = [
        f"{name} has {existing[name]} partitions, not {count}"
        for name, count in sorted(needed.items())
        if count is not None and existing[name] != count
    ]
    if wrong:
        raise TopicMismatch(
            f"{'; '.join(wrong)}. A product stays in its partition for ever: set LIVEFUSE_PARTITIONS to the existing "
            "number. `livefuse topics list` shows what is there, `livefuse topics apply` what would have to change."
        )


async def _reason(kafka: AIOKafkaClient, client: Mapping[str, Any]) -> BrokerUnavailable | BrokerRefused:
    options = {key: value for key, value in client.items() if key.startswith(("sasl_", "ssl_", "security_"))}
    reason = "no address"
    for host, port, _ in kafka.hosts:
        try:
            connection = await create_conn(host, port, request_timeout_ms=REQUEST_TIMEOUT_MS, **options)
        except REFUSALS as error:
            return BrokerRefused(f"the broker at {host}:{port} refuses: {error or type(error).__name__}")
        except (OSError, KafkaError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        else:
            connection.close()
            reason = "it accepts connections but does not answer yet"
    return BrokerUnavailable(f"no broker answers at {addresses(client)}: {reason}.")
