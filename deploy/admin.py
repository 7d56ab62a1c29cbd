"""What livefuse asks a broker about itself, its topics and its groups, and what it has it do to topics.

Verified on Apache Kafka 4.1 and on the embedded broker. The embedded one cannot alter topics, creates a topic whose
name it is asked for, and answers "all offsets of a group" with damaged bytes. So metadata is asked for all topics, and
offsets for named partitions.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    IncompatibleBrokerVersion,
    KafkaError,
    NotCoordinatorForGroupError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from schemas.errors import BrokerRefused
from schemas.rights import Operation, missing

_SET_ON_TOPIC: Final = 1
"""The source of a setting that stands at the topic itself, and not at the broker or nowhere."""

_RIGHTS: Final = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)

_COORDINATOR_PATIENCE_S: Final = 10.0


class Layout(NamedTuple):
    """A topic as the broker has it: the number of its partitions and of the replicas of the first."""

    partitions: int
    replicas: int


class TopicConfigs(NamedTuple):
    """A topic's settings in force, and those of them that stand at the topic itself."""

    in_force: dict[str, str]
    own: dict[str, str]


class Group(NamedTuple):
    """A consumer group: its state as Kafka names it (`Stable`, `Empty`, ...) and its number of members."""

    state: str
    members: int


@dataclass(frozen=True)
class Admin:
    """Questions and orders to the broker, over an open admin client."""

    client: AIOKafkaAdminClient

    async def brokers(self) -> list[str]:
        """Return the addresses of all brokers of the cluster."""
        return [f"{each['host']}:{each['port']}" for each in (await self.client.describe_cluster())["brokers"]]

    async def layouts(self) -> dict[str, Layout]:
        """Return all topics."""
        return {
            each["topic"]: Layout(len(each["partitions"]), len(each["partitions"][0]["replicas"]))
            for each in await self.client.describe_topics()
            if each["partitions"]
        }

    async def configs(self, topics: Collection[str]) -> dict[str, TopicConfigs]:
        """Return the settings of the topics; a topic of which the broker tells nothing is left out.

        BrokerRefused names a topic whose settings this user may not see.
        """
        if not topics:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        try:
            answers = await self.client.describe_configs(resources)
        except (IncompatibleBrokerVersion, NotImplementedError):
            return {}
        found: dict[str, TopicConfigs] = {}
        for answer in answers:
            for resource in answer.to_object()["resources"]:
                _allowed(resource["error_code"], "DescribeConfigs", resource["resource_name"])
                if not resource["error_code"]:
                    entries = resource["config_entries"]
                    found[resource["resource_name"]] = TopicConfigs(
                        {each["config_names"]: each["config_value"] or "" for each in entries},
                        {
                            each["config_names"]: each["config_value"] or ""
                            for each in entries
                            if each.get("config_source") == _SET_ON_TOPIC and not each["is_sensitive"]
                        },
                    )
        return found

    async def create(self, name: str, layout: Layout, configs: Mapping[str, str]) -> None:
        """Create a topic; one that exists meanwhile is fine. BrokerRefused says why the broker does not."""
        topic = NewTopic(name, layout.partitions, layout.replicas, topic_configs=dict(configs))
        answer = await self.client.create_topics([topic])
        for entry in answer.topic_errors:
            code, *text = entry[1:]
            _allowed(code, "Create", name)
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise BrokerRefused(f"the broker does not create the topic {name}: {_said(code, text)}.")

    async def alter(self, name: str, configs: Mapping[str, str]) -> None:
        """Give a topic exactly these settings of its own. BrokerRefused says why the broker does not."""
        try:
            answers = await self.client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(configs))])
        except (IncompatibleBrokerVersion, NotImplementedError) as error:
            raise BrokerRefused(f"this broker cannot change the settings of a topic ({name}).") from error
        for answer in answers:
            for code, text, *_ in answer.resources:
                _allowed(code, "AlterConfigs", name)
                if code:
                    raise BrokerRefused(f"the broker does not change the topic {name}: {_said(code, [text])}.")

    async def group(self, name: str) -> Group | None:
        """Return a consumer group; None when the broker does not know it or does not tell. Raises BrokerRefused."""
        try:
            answers = await _patiently(lambda: self.client.describe_consumer_groups([name]))
        except (IncompatibleBrokerVersion, NotImplementedError):
            return None
        except GroupAuthorizationFailedError as error:
            raise _refused(GroupAuthorizationFailedError(name), "Describe", name) from error
        for answer in answers:
            for group in answer.to_object()["groups"]:
                _allowed(group["error_code"], "Describe", name)
                if not group["error_code"] and group["state"] != "Dead":
                    return Group(group["state"], len(group["members"]))
        return None

    async def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group; a partition without one is left out. Raises BrokerRefused."""
        asked = list(partitions)
        if not asked:
            return {}
        try:
            offsets = await _patiently(lambda: self.client.list_consumer_group_offsets(group, partitions=asked))
        except GroupAuthorizationFailedError as error:
            raise _refused(GroupAuthorizationFailedError(group), "Describe", group) from error
        return {partition: found.offset for partition, found in offsets.items() if found.offset >= 0}


async def _patiently(ask: Any) -> Any:
    """Ask again while there is no coordinator yet: a fresh cluster makes its topic of offsets when first asked."""
    deadline = asyncio.get_running_loop().time() + _COORDINATOR_PATIENCE_S
    while True:
        try:
            return await ask()
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.2)


def _allowed(code: int, operation: Operation, name: str) -> None:
    """Raise BrokerRefused where an answer's error code says that a right is missing."""
    error: type[KafkaError] = for_code(code)
    if error in _RIGHTS:
        raise _refused(error(name), operation, name)


def _refused(error: KafkaError, operation: Operation, name: str) -> BrokerRefused:
    return BrokerRefused(f"the broker refuses: {missing(error, operation, name)}.")


def _said(code: int, text: list[str | None]) -> str:
    error: type[KafkaError] = for_code(code)
    return f"{error.__name__} {(text[0] or '').rstrip('.') if text else ''}".strip()
