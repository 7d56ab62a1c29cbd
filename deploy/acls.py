"""The rights of each role as Kafka takes them: gathered by resource, and as commands of kafka-acls.sh.

    for line in kafka_acls(rights_of(settings), "livefuse"): ...    # kafka-acls.sh ... --add --allow-principal ...

A role logs in as `<application>-<role>`. Operations on one resource share one entry.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from deploy.settings import Settings
from schemas.rights import Pattern, Resource, Right, Role, rights


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
