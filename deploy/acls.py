"""The rights of each role as Kafka and Strimzi take them: commands of kafka-acls.sh, and KafkaUser resources.

    for line in kafka_acls(found, "livefuse"): ...             # kafka-acls.sh ... --add --allow-principal ...
    for user in kafka_users(found, "livefuse", "kafka"): ...   # {"kind": "KafkaUser", ...}

A role logs in as `<application>-<role>`. Operations on one resource share one entry.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from deploy.settings import Settings
from schemas.rights import Pattern, Resource, Right, Role, rights

STRIMZI_API: Final = "kafka.strimzi.io/v1"
_STRIMZI_KINDS: Final[Mapping[Resource, str]] = {
    "topic": "topic",
    "group": "group",
    "transactional-id": "transactionalId",
    "cluster": "cluster",
}
_STRIMZI_PATTERNS: Final[Mapping[Pattern, str]] = {"literal": "literal", "prefixed": "prefix"}


class Entry(NamedTuple):
    """All that a role may do on one resource."""

    resource: Resource
    name: str
    pattern: Pattern
    operations: tuple[str, ...]


def rights_of(settings: Settings) -> dict[Role, tuple[Right, ...]]:
    """Return the rights of every role with these settings; with no channel set the pager gets all below its prefix."""
    channels = [each.name for each in settings.pager.channel] or None
    return rights(settings.topics, settings.partitions, settings.application, channels)


def user_of(application: str, role: Role) -> str:
    """Return the name under which a role logs in."""
    return f"{application}-{role}"


def entries(found: Iterable[Right]) -> list[Entry]:
    """Gather rights by resource, in their order."""
    gathered: dict[tuple[Resource, str, Pattern], list[str]] = {}
    for each in found:
        gathered.setdefault((each.resource, each.name, each.pattern), []).append(each.operation)
    return [Entry(*resource, tuple(operations)) for resource, operations in gathered.items()]


def kafka_acls(found: Mapping[Role, Sequence[Right]], application: str) -> Iterator[str]:
    """Yield a shell script of kafka-acls.sh; `$KAFKA` holds its --bootstrap-server and --command-config."""
    yield "# Say who may grant: KAFKA='--bootstrap-server kafka-1:9093 --command-config admin.properties'"
    for role, held in found.items():
        for resource, name, pattern, operations in entries(held):
            command = ["--add", "--allow-principal", f"User:{user_of(application, role)}"]
            for operation in operations:
                command += ["--operation", operation]
            command += [f"--{resource}", *([] if resource == "cluster" else [name])]
            yield f"kafka-acls.sh $KAFKA {shlex.join([*command, '--resource-pattern-type', pattern])}"


def kafka_users(found: Mapping[Role, Sequence[Right]], application: str, cluster: str) -> Iterator[dict[str, Any]]:
    """Yield a KafkaUser of each role, with SCRAM-SHA-512, for the Kafka of this name that Strimzi runs."""
    for role, held in found.items():
        yield {
            "apiVersion": STRIMZI_API,
            "kind": "KafkaUser",
            "metadata": {"name": user_of(application, role), "labels": {"strimzi.io/cluster": cluster}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": [_strimzi(each) for each in entries(held)]},
            },
        }


def _strimzi(entry: Entry) -> dict[str, Any]:
    resource: dict[str, Any] = {"type": _STRIMZI_KINDS[entry.resource]}
    if entry.resource != "cluster":
        resource |= {"name": entry.name, "patternType": _STRIMZI_PATTERNS[entry.pattern]}
    return {"resource": resource, "operations": list(entry.operations), "host": "*"}
