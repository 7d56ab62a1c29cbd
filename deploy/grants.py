"""Give users their rights at Kafka, all in one request: `kafka-acls.sh` starts a Java machine for each.

    await grant(admin_client, {"livefuse-worker": rights_of(settings)["worker"], ...})

What a user may do already stays, also what is not in the list. Said once more it changes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, IncompatibleBrokerVersion, SecurityDisabled, for_code
from aiokafka.protocol.admin import CreateAclsRequest, CreateAclsRequest_v1

from schemas.errors import BrokerRefused
from schemas.rights import Operation, Pattern, Resource, Right

# Kafka's numbers for what an ACL says.
_RESOURCES: Final[Mapping[Resource, int]] = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
_PATTERNS: Final[Mapping[Pattern, int]] = {"literal": 3, "prefixed": 4}
_OPERATIONS: Final[Mapping[Operation, int]] = {
    "Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11
}  # fmt: skip
_ALLOW: Final = 3


async def grant(client: AIOKafkaAdminClient, found: Mapping[str, Iterable[Right]]) -> None:
    """Give users rights. BrokerRefused says why the broker does not."""
    try:
        answer = await client._client.send(client._client.get_random_node(), _Grants(found))  # noqa: SLF001
    except IncompatibleBrokerVersion as error:
        raise BrokerRefused("this broker knows no rights.") from error
    for code, text in answer.creation_responses:
        kind = for_code(code)
        if kind is ClusterAuthorizationFailedError:
            raise BrokerRefused("the broker refuses: to grant rights needs the right Alter on the cluster.")
        if kind is SecurityDisabled:
            raise BrokerRefused("the broker keeps no rights: it has no authorizer.class.name.")
        if code:
            raise BrokerRefused(f"the broker does not grant the rights: {kind.__name__} {text or ''}".rstrip() + ".")


class _Grants(CreateAclsRequest):  # type: ignore[misc]
    """aiokafka's request with more than one ACL in it."""

    def __init__(self, found: Mapping[str, Iterable[Right]]) -> None:
        self._rows = [
            (
                _RESOURCES[each.resource],
                each.name,
                _PATTERNS[each.pattern],
                f"User:{user}",
                "*",
                _OPERATIONS[each.operation],
                _ALLOW,
            )
            for user, held in found.items()
            for each in held
        ]

    def build(self, request_struct_class: Any) -> CreateAclsRequest_v1:
        del request_struct_class
        return CreateAclsRequest_v1(self._rows)
