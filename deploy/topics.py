"""Topics on the broker, held against the one list of `schemas.topics`: a plan first, then its execution.

    steps = await plan_topics(admin, settings, create_inputs=False)
    await carry_out(admin, steps)

Guarantees: carrying out twice changes nothing the second time. A topic with another number of partitions than it must
have is never touched, because products would change their partition and lose their state. What an operator has set more
generously than we need (a longer retention, larger records) stays. Nothing is carried out while one step is refused.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from deploy.admin import Admin, Layout, TopicConfigs
from deploy.settings import Settings
from schemas.errors import BrokerUnavailable, TopicMismatch
from schemas.topics import Topic, topics
from streams.client import refuse_hidden

Action = Literal["create", "alter", "keep", "missing", "refuse"]

_AT_LEAST: Final = frozenset({"retention.ms", "max.message.bytes", "delete.retention.ms"})
"""Settings of which more than asked for is as good."""

_AT_MOST: Final = frozenset({"max.compaction.lag.ms"})
"""Settings of which less is as good."""

_MOST_REPLICAS: Final = 3
_VISIBLE_WITHIN_S: Final = 10.0


class Change(NamedTuple):
    """One setting of a topic; `before` is None where the topic is new."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True)
class Step:
    """What is to be done about one topic. `missing` and `refuse` are for a person to do; `note` tells what and why."""

    topic: Topic
    action: Action
    layout: Layout
    changes: tuple[Change, ...] = ()
    own: Mapping[str, str] | None = None
    note: str = ""


def plan(
    wanted: Iterable[Topic],
    layouts: Mapping[str, Layout],
    configs: Mapping[str, TopicConfigs],
    *,
    fresh: Layout,
    create_inputs: bool,
) -> list[Step]:
    """Compare; the broker is not asked. New topics get the replicas of `fresh`, new input topics its partitions too."""
    steps = []
    for topic in wanted:
        found = layouts.get(topic.name)
        if found is None:
            steps.append(_for_new(topic, fresh, create_inputs=create_inputs))
        elif topic.ours and topic.partitions != found.partitions and not _is_any_number_fine(topic):
            note = f"has {found.partitions} partitions and must have {topic.partitions}"
            steps.append(Step(topic, "refuse", found, note=note))
        else:
            steps.append(_for_existing(topic, found, configs.get(topic.name)))
    return steps


def _is_any_number_fine(topic: Topic) -> bool:
    """Dead letters have neither state nor an order; only they keep the key that they came with."""
    return topic.layout == "one" and topic.key == "as received"


def _for_new(topic: Topic, fresh: Layout, *, create_inputs: bool) -> Step:
    layout = Layout(topic.partitions or fresh.partitions, fresh.replicas)
    if not topic.ours and not create_inputs:
        note = "an input that does not exist: create it, name yours in LIVEFUSE_TOPICS__..., or use --create-inputs"
        return Step(topic, "missing", layout, note=note)
    changes = tuple(Change(name, None, value) for name, value in topic.broker_configs().items())
    return Step(topic, "create", layout, changes)


def _for_existing(topic: Topic, found: Layout, configs: TopicConfigs | None) -> Step:
    wanted = topic.broker_configs()
    if wanted and configs is None:
        return Step(topic, "keep", found, note="the broker does not tell its settings")
    changes = tuple(
        Change(name, configs.in_force.get(name), value)
        for name, value in wanted.items()
        if configs and not _suffices(name, configs.in_force.get(name), value)
    )
    return Step(topic, "alter" if changes else "keep", found, changes, own=configs.own if configs else None)


def _suffices(name: str, found: str | None, wanted: str) -> bool:
    if name in _AT_LEAST and found is not None:
        return int(found) >= int(wanted) or (name == "retention.ms" and int(found) < 0)
    if name in _AT_MOST and found is not None:
        return int(found) <= int(wanted)
    try:
        return found is not None and (found == wanted or float(found) == float(wanted))
    except ValueError:
        return False


async def plan_topics(admin: Admin, settings: Settings, *, create_inputs: bool) -> list[Step]:
    """Look at the broker and return what is to be done. Raises BrokerRefused where this user may not look."""
    wanted = topics(settings.topics, settings.partitions)
    layouts = await admin.layouts()
    absent = [each.name for each in wanted if each.name not in layouts]
    await refuse_hidden(settings.kafka_config().client, absent, "Describe")
    configs = await admin.configs([each.name for each in wanted if each.ours and each.name in layouts])
    replicas = settings.replication_factor or min(_MOST_REPLICAS, len(await admin.brokers()))
    fresh = Layout(settings.input_partitions, replicas)
    return plan(wanted, layouts, configs, fresh=fresh, create_inputs=create_inputs)


def check(steps: Iterable[Step]) -> None:
    """Raise TopicMismatch when a step is refused."""
    refused = [each for each in steps if each.action == "refuse"]
    if not refused:
        return
    numbers = {each.layout.partitions for each in refused if each.topic.layout == "lanes"}
    keep = f"set LIVEFUSE_PARTITIONS={numbers.pop()} to go on with them, or " if len(numbers) == 1 else ""
    raise TopicMismatch(
        "\n".join(f"the topic {each.topic.name} {each.note}." for each in refused)
        + "\nThat cannot be changed: a product belongs to one partition for ever, where its state and its order are. "
        f"Nothing was done. For these topics {keep}name others with LIVEFUSE_TOPICS__PREFIX for a fresh start."
    )


async def carry_out(admin: Admin, steps: Collection[Step]) -> None:
    """Create and alter.

    TopicMismatch when a step is refused (then nothing was done) or an input topic is missing (then the rest was).
    """
    check(steps)
    for step in steps:
        if step.action == "create":
            await admin.create(step.topic.name, step.layout, step.topic.broker_configs())
        elif step.action == "alter":
            # The request replaces all settings of the topic, so what somebody else has set goes along.
            await admin.alter(step.topic.name, {**(step.own or {}), **{each.name: each.after for each in step.changes}})
    await _until_visible(admin, {each.topic.name for each in steps if each.action == "create"})
    if missing := [each.topic for each in steps if each.action == "missing"]:
        named = ", ".join(f"{each.name} ({each.holds})" for each in missing)
        raise TopicMismatch(
            f"there is no topic {named}. Create it, or name yours with LIVEFUSE_TOPICS__ORDERS, ..._RETURNS, "
            "..._COMPLAINTS, ..._STOCK_LEVELS, or run `livefuse topics apply --create-inputs`."
        )


async def _until_visible(admin: Admin, names: set[str]) -> None:
    deadline = asyncio.get_running_loop().time() + _VISIBLE_WITHIN_S
    while absent := names - (await admin.layouts()).keys():
        if asyncio.get_running_loop().time() > deadline:
            raise BrokerUnavailable(f"the broker created {', '.join(sorted(absent))}, but does not show it. Try again.")
        await asyncio.sleep(0.1)
