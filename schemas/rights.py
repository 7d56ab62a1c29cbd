"""The least rights of each role at Kafka: what it reads and writes by the one list of topics, and what its clients ask.

    written_by, read_by of a topic ──┐
                                     ├──▶ rights of a role ──▶ `livefuse topics acls`, and messages that name a right
    what the clients of a role ask ──┘

Verified on Apache Kafka 4.1: Read and Write bring Describe with them, AlterConfigs brings DescribeConfigs, Read of a
group brings its Describe, Write of a transactional id its Describe. Who may write to any topic may also ask for a
producer id, so an idempotent producer needs no right on the cluster. Metadata needs none; it shows only what the user
may describe.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from schemas.topics import Topic, TopicNames, topics

Role = Literal["shop", "intake", "worker", "pager", "console", "operator", "admin", "monitoring", "reader", "auditor"]
Resource = Literal["topic", "group", "transactional-id", "cluster"]
Pattern = Literal["literal", "prefixed"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs", "AlterConfigs"]

ROLES: Final[Mapping[Role, str]] = {
    "shop": "the shop's own systems, which send orders, returns, complaints and stock levels",
    "intake": "`livefuse intake`",
    "worker": "`livefuse worker`",
    "pager": "`livefuse pager`",
    "console": "`livefuse console`",
    "operator": "the commands `fuse`, `rules`, `dlq`, `report`, `drill`, `doctor`, `topics list`",
    "admin": "`livefuse topics apply`",
    "monitoring": "exporters of lag, and whatever scales by it: they see offsets and no record",
    "reader": "other systems that obey fuse events or order more",
    "auditor": "who looks into who did what in the live console",
}

_DOERS: Final[Mapping[str, Role | None]] = {
    "the shop": "shop",
    "intake": "intake",
    "workers": "worker",
    "pager": "pager",
    "live console": "console",
    "command line": "operator",
    "anyone": "reader",
    "ERP": "reader",
    "WMS": "reader",
    "auditors": "auditor",
    # Whoever may write commands may pause anything: such a system gets a right of its own, knowingly.
    "other systems": None,
}
"""The words of the list of topics, and the role that each means."""

_RESOURCES: Final[Mapping[str, Resource]] = {
    "TopicAuthorizationFailedError": "topic",
    "GroupAuthorizationFailedError": "group",
    "TransactionalIdAuthorizationFailed": "transactional-id",
    "ClusterAuthorizationFailedError": "cluster",
}
"""Errors of Kafka's clients that say a right is missing, and on what."""


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource of Kafka; `why` tells what for. A prefixed `name` stands for all that begin so."""

    operation: Operation
    resource: Resource
    name: str
    pattern: Pattern = "literal"
    why: str = ""

    def __str__(self) -> str:
        """Return it as a message says it: `Read on topic livefuse.signals`."""
        return f"{self.operation} on {self.resource} {self.name}{'*' if self.pattern == 'prefixed' else ''}"


def rights(
    names: TopicNames, partitions: int, application: str, channels: Collection[str] | None = None
) -> dict[Role, tuple[Right, ...]]:
    """Return what each role needs, and nothing more. `channels` are those of the pager; None: whatever it has."""
    listed = topics(names, partitions)
    found: dict[Role, list[Right]] = {role: list(_of_topics(role, listed)) for role in ROLES}
    for role, more in _of_clients(names, listed, application, channels):
        found[role] += more
    return {role: tuple(_without_implied(each)) for role, each in found.items()}


def groups(application: str, channels: Collection[str] | None = None) -> dict[str, tuple[str, Pattern]]:
    """Return the consumer groups of intakes, workers and the pager's channels: name and pattern, by what it is."""
    named: dict[str, tuple[str, Pattern]] = {
        "intake": (f"{application}-intake", "literal"),
        "worker": (f"{application}-worker", "literal"),
    }
    if channels is None:
        return named | {"pager": (f"{application}-pager-", "prefixed")}
    return named | {f"pager {each}": (f"{application}-pager-{each}", "literal") for each in channels}


def missing(error: BaseException, operation: Operation, name: str = "") -> str:
    """Say which right is missing where a client was refused for that, else what the error says of itself.

    `name` is used where the error does not say on what.
    """
    resource = _RESOURCES.get(type(error).__name__)
    if resource is None:
        return repr(error)
    told = error.args[0] if error.args else None
    found = sorted(map(str, told)) if isinstance(told, set | frozenset | list | tuple) else [str(told)] if told else []
    said = "DescribeConfigs (AlterConfigs brings it)" if operation == "DescribeConfigs" else operation
    wanted = " and ".join(f"{said} on {resource} {each}" for each in found or [name or "(which it does not say)"])
    return f"the right {wanted} is missing (`livefuse topics acls` lists what each role needs)"


def missing_rights(found: Iterable[Right]) -> str:
    """Say which rights are missing, all in one sentence."""
    wanted = sorted(map(str, found))
    what, are = ("right", "is") if len(wanted) == 1 else ("rights", "are")
    return f"the {what} {', '.join(wanted)} {are} missing (`livefuse topics acls` lists what each role needs)"


def _of_topics(role: Role, listed: Iterable[Topic]) -> Iterator[Right]:
    for topic in listed:
        if role in _roles(topic.read_by):
            yield Right("Read", "topic", topic.name, why=f"reads {topic.holds}")
        if role in _roles(topic.written_by):
            yield Right("Write", "topic", topic.name, why=f"writes {topic.holds}")


def _roles(words: str) -> set[Role | None]:
    return {_DOERS[each] for each in words.split(", ")}


def _of_clients(
    names: TopicNames, listed: Collection[Topic], application: str, channels: Collection[str] | None
) -> Iterator[tuple[Role, list[Right]]]:
    everybody = groups(application, channels)
    intakes, workers = {"intake": everybody["intake"]}, {"worker": everybody["worker"]}
    pages = {what: each for what, each in everybody.items() if what not in {"intake", "worker"}}
    ours = [each for each in listed if each.ours]
    ends = [*names.inputs, names.signals, names.fuse_events]
    yield "intake", _groups("Read", intakes, "joins and commits")
    yield "worker", _groups("Read", workers, "joins and commits")
    lanes = f"{application}-lane-"
    yield "worker", [Right("Write", "transactional-id", lanes, "prefixed", "a transaction for each flush")]
    yield "pager", _groups("Read", pages, "keeps the position of a channel")
    yield "console", _groups("Describe", intakes | workers, "shows who runs, and the lag")
    yield "operator", _groups("Describe", everybody, "doctor and drill look at members and positions")
    yield "operator", _topics("Describe", listed, "topics list and doctor see what is there")
    yield "operator", _topics("DescribeConfigs", ours, "topics list and doctor compare settings")
    yield "admin", _topics("Describe", listed, "sees what is there")
    yield "admin", _topics("Create", ours, "creates it")
    yield "admin", _topics("AlterConfigs", ours, "compares and corrects its settings")
    yield "monitoring", _topics("Describe", [each for each in listed if each.name in ends], "the ends of partitions")
    yield "monitoring", _groups("Describe", everybody, "committed offsets and members")
    yield "reader", [Right("Read", "group", f"{application}-reader-", "prefixed", "a group of its own below this name")]


def _topics(operation: Operation, found: Iterable[Topic], why: str) -> list[Right]:
    return [Right(operation, "topic", each.name, why=why) for each in found]


def _groups(operation: Operation, found: Mapping[str, tuple[str, Pattern]], why: str) -> list[Right]:
    return [Right(operation, "group", name, pattern, why) for name, pattern in found.values()]


def _without_implied(found: Collection[Right]) -> Iterator[Right]:
    """Leave out what another right on the same resource brings with it."""
    brings: Mapping[str, set[str]] = {"Describe": {"Read", "Write"}, "DescribeConfigs": {"AlterConfigs"}}
    by_resource: dict[tuple[str, str, str], set[str]] = {}
    for each in found:
        by_resource.setdefault((each.resource, each.name, each.pattern), set()).add(each.operation)
    for each in found:
        if not by_resource[each.resource, each.name, each.pattern] & brings.get(each.operation, set()):
            yield each
