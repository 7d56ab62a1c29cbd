"""What a process that reads livefuse's own topics waits for before it begins: the broker, its rights, the topics."""

import asyncio
import logging
from collections.abc import Collection

from deploy.acls import rights_of
from deploy.settings import Settings
from schemas.errors import BrokerUnavailable
from schemas.rights import Role
from schemas.topics import topics
from streams import client
from streams.rights import require_rights

log = logging.getLogger(__name__)


async def wait_until_ready(settings: Settings, stop: asyncio.Event, role: Role, read: Collection[str]) -> None:
    """Wait for the broker, and see that the role has its rights and the topics are there; return when `stop` is set.

    `read`: the names of the topics. Raises TopicMismatch, BrokerRefused.
    """
    needed = {each.name: each.partitions for each in topics(settings.topics, settings.partitions) if each.name in read}
    arguments = settings.kafka_config().client
    while await client.wait_for_broker(arguments, stop):
        try:
            await require_rights(arguments, rights_of(settings)[role])
            await client.require_topics(arguments, needed)
        except BrokerUnavailable as error:
            log.warning("broker.unavailable %s Trying again.", error)
            await asyncio.sleep(client.RETRY_S)
        else:
            return
