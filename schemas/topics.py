"""The one list of topics: names, keys, partitions, cleanup, retention, readers and writers (contract, section 2).

Also the hash that says to which partition of `livefuse.signals` a product belongs for ever. Test vectors for other
languages: `schemas/generated/partition-vectors.json`, explained in docs/partitioning.md.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, NamedTuple
from zlib import crc32

from schemas.errors import ConfigurationError

Cleanup = Literal["delete", "compact"]
Layout = Literal["own", "lanes", "one"]

LARGEST_RECORD_BYTES: Final = 1_048_576
"""An input record whose value is larger (1 MiB) becomes a dead letter."""

LARGEST_DEAD_LETTER_BYTES: Final = 12 * 1_048_576
LARGEST_FRAME_BYTES: Final = 4 * 1_048_576
LARGEST_STATE_BYTES: Final = 12 * 1_048_576


def partition_of(product_id: str, partitions: int) -> int:
    """Return the partition of the signals topic that a product belongs to: CRC-32 of its UTF-8 bytes, modulo."""
    return crc32(product_id.encode()) % partitions


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names of all topics. Input topics are the user's own, each is a setting; ours share a prefix."""

    orders: str = "live.orders"
    returns: str = "live.returns"
    complaints: str = "live.complaints"
    stock_levels: str = "live.stock-levels"
    prefix: str = "livefuse."
    dead_letter_prefix: str = "dlq."

    @property
    def commands(self) -> str:
        """Operators' commands."""
        return f"{self.prefix}commands"

    @property
    def rules(self) -> str:
        """Rule sets."""
        return f"{self.prefix}rules"

    @property
    def signals(self) -> str:
        """Frames."""
        return f"{self.prefix}signals"

    @property
    def fuse_events(self) -> str:
        """Fuse events."""
        return f"{self.prefix}fuse-events"

    @property
    def fuse_state(self) -> str:
        """The latest of each product."""
        return f"{self.prefix}fuse-state"

    @property
    def replenishment(self) -> str:
        """Replenishment requests."""
        return f"{self.prefix}replenishment"

    @property
    def watchlist(self) -> str:
        """Products near a limit."""
        return f"{self.prefix}watchlist"

    @property
    def state(self) -> str:
        """What the lanes remember."""
        return f"{self.prefix}state"

    @property
    def audit(self) -> str:
        """Who did what in the live console."""
        return f"{self.prefix}audit"

    @property
    def inputs(self) -> tuple[str, ...]:
        """All that intake reads, in the order of ties: what comes first counts first (contract, section 4)."""
        return (self.stock_levels, self.orders, self.returns, self.complaints, self.commands, self.rules)

    def dead_letters(self, input_topic: str) -> str:
        """Return the name of the topic for the records of an input topic that cannot be used."""
        return f"{self.dead_letter_prefix}{input_topic}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, as `livefuse topics apply` makes it.

    `layout`: "own" where the user decides on the partitions, "lanes" for as many as there are signals partitions, "one"
    for a single one. `partitions` is that number, None for "own". `retention` is None where compaction, or the user,
    decides. `configs` are further settings, by Kafka's names.
    """

    name: str
    holds: str
    key: str
    cleanup: Cleanup
    written_by: str
    read_by: str
    layout: Layout
    partitions: int | None
    retention: timedelta | None = None
    max_message_bytes: int | None = None
    configs: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether livefuse creates it. The other topics are the shop's."""
        return self.layout != "own"

    def broker_configs(self) -> dict[str, str]:
        """Return the settings of the topic by Kafka's names; none for a topic that is the user's own."""
        if not self.ours:
            return {}
        configs = {"cleanup.policy": self.cleanup, **self.configs}
        if self.retention is not None:
            configs["retention.ms"] = str(self.retention // timedelta(milliseconds=1))
        if self.max_message_bytes is not None:
            configs["max.message.bytes"] = str(self.max_message_bytes)
        return configs


# A compacted topic is read from beginning to end when a lane opens or a console joins. Small segments, cleaned early,
# keep that short: the tail that compaction never touches is at most one segment.
_COMPACTED: Final = {
    "segment.bytes": str(64 * 1_048_576),
    "segment.ms": str(60 * 60 * 1000),
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": str(24 * 60 * 60 * 1000),
    # What was overwritten, with an id that somebody wants forgotten, is gone after a day.
    "max.compaction.lag.ms": str(24 * 60 * 60 * 1000),
}

_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def topics(names: TopicNames, partitions: int) -> tuple[Topic, ...]:
    """Return all topics for this number of signals partitions.

    Raises ConfigurationError when a name is not one that Kafka takes, or stands for two topics.
    """
    _check(names, partitions)
    return (
        *_shop(names),
        *_ours(names, partitions),
        *(_dead_letters(names, input_topic) for input_topic in names.inputs),
    )


def _shop(names: TopicNames) -> tuple[Topic, ...]:
    held = (
        (names.orders, "orders"),
        (names.returns, "returns"),
        (names.complaints, "complaints"),
        (names.stock_levels, "stock levels"),
    )
    return tuple(
        Topic(
            name=name,
            holds=holds,
            key="any",
            cleanup="delete",
            written_by="the shop, command line",
            read_by="intake, live console",
            layout="own",
            partitions=None,
        )
        for name, holds in held
    )


def _ours(names: TopicNames, partitions: int) -> tuple[Topic, ...]:
    return (
        Topic(
            name=names.commands,
            holds="operators' commands",
            key="product_id",
            cleanup="delete",
            written_by="live console, command line, other systems",
            read_by="intake",
            layout="lanes",
            partitions=partitions,
            retention=timedelta(days=30),
        ),
        Topic(
            name=names.rules,
            holds="rule sets",
            key="the word rules",
            cleanup="compact",
            written_by="command line",
            read_by="intake, command line",
            layout="one",
            partitions=1,
            configs=_COMPACTED,
        ),
        Topic(
            name=names.signals,
            holds="frames of signals",
            key="none, the partition is explicit",
            cleanup="delete",
            written_by="intake",
            read_by="workers, live console, command line",
            layout="lanes",
            partitions=partitions,
            retention=timedelta(days=3),
            max_message_bytes=LARGEST_FRAME_BYTES,
        ),
        Topic(
            name=names.fuse_events,
            holds="fuse events",
            key="product_id",
            cleanup="delete",
            written_by="workers",
            read_by="live console, pager, command line, anyone",
            layout="lanes",
            partitions=partitions,
            retention=timedelta(days=30),
        ),
        Topic(
            name=names.fuse_state,
            holds="the latest state of each product's fuses",
            key="product_id",
            cleanup="compact",
            written_by="workers",
            read_by="live console, pager, command line, anyone",
            layout="lanes",
            partitions=partitions,
            configs=_COMPACTED,
        ),
        Topic(
            name=names.replenishment,
            holds="replenishment requests",
            key="product_id",
            cleanup="delete",
            written_by="workers",
            read_by="ERP, WMS",
            layout="lanes",
            partitions=partitions,
            retention=timedelta(days=7),
        ),
        Topic(
            name=names.watchlist,
            holds="the products nearest to a limit",
            key="signals partition",
            cleanup="compact",
            written_by="workers",
            read_by="live console, pager",
            layout="one",
            partitions=1,
            configs=_COMPACTED,
        ),
        Topic(
            name=names.state,
            holds="product states and positions, private to the workers",
            key="product_id, and the lane's own",
            cleanup="compact",
            written_by="workers",
            read_by="workers, command line",
            layout="lanes",
            partitions=partitions,
            max_message_bytes=LARGEST_STATE_BYTES,
            configs=_COMPACTED,
        ),
        Topic(
            name=names.audit,
            holds="who did what in the live console",
            key="who asked",
            cleanup="delete",
            written_by="live console",
            read_by="live console, auditors",
            layout="one",
            partitions=1,
            retention=timedelta(days=365),
        ),
    )


def _dead_letters(names: TopicNames, input_topic: str) -> Topic:
    return Topic(
        name=names.dead_letters(input_topic),
        holds=f"records of {input_topic} that cannot be used",
        key="as received",
        cleanup="delete",
        written_by="intake, command line",
        read_by="command line",
        layout="one",
        partitions=1,
        retention=timedelta(days=14),
        max_message_bytes=LARGEST_DEAD_LETTER_BYTES,
    )


class Misnamed(NamedTuple):
    """A name that no topic can have, or that two have. Any of `settings`, fields of TopicNames, can mend it."""

    settings: tuple[str, ...]
    message: str


def misnamed(names: TopicNames) -> list[Misnamed]:
    """Return what is wrong with the names; what follows from another mistake is left out."""
    found: dict[tuple[str, ...], Misnamed] = {}
    seen: dict[str, tuple[Topic, str]] = {}
    wrong: set[str] = set()
    for topic, setting in _with_settings(names):
        name, source = topic.name, topic.name.removeprefix(names.dead_letter_prefix)
        letters = setting == "dead_letter_prefix"
        if letters and source in wrong:
            continue
        settings = (setting, *((seen[source][1],) if letters and source in seen else ()))
        if not _LEGAL_NAME.fullmatch(name) or name in {".", ".."}:
            wrong.add(name)
            words = f'"{name}" ({topic.holds}) is no name of a topic: Kafka takes 1 to 249 of a-z A-Z 0-9 . _ -'
            found.setdefault(settings[:1], Misnamed(settings, words))
        elif name in seen:
            wrong.add(name)
            other, another = seen[name]
            words = f'"{name}" is the name of two topics: {other.holds} and {topic.holds}'
            pair = (another, setting)
            if len(set(pair)) > 1:
                found.setdefault(pair, Misnamed(pair, words))
        else:
            seen[name] = topic, setting
    return list(found.values())


def _with_settings(names: TopicNames) -> Iterator[tuple[Topic, str]]:
    """Yield all topics, each with the field of TopicNames that its name is, or begins with."""
    yield from zip(_shop(names), ("orders", "returns", "complaints", "stock_levels"), strict=True)
    yield from ((topic, "prefix") for topic in _ours(names, 1))
    yield from ((_dead_letters(names, each), "dead_letter_prefix") for each in names.inputs)


def _check(names: TopicNames, partitions: int) -> None:
    if partitions < 1:
        raise ConfigurationError(f"the signals topic needs at least 1 partition, not {partitions}")
    if found := misnamed(names):
        raise ConfigurationError("; ".join(each.message for each in found))
