"""The doctor: looks at everything that livefuse stands on, and says what to do about each thing that is wrong.

    configuration ── broker ── topics ── rules ── dead letters ── groups ── clocks ── lag and progress

What cannot be looked at because something before it is wrong is left out. Nothing is changed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from deploy.admin import Admin
from deploy.dead_letters import tally
from deploy.kafka import open_admin, open_consumer, partitions_of, read, start_at
from deploy.settings import Settings
from deploy.topics import Step, plan_topics
from schemas.durations import milliseconds
from schemas.errors import BrokerError, ConfigurationError, FrameError, LivefuseError
from schemas.rules import RuleSet
from streams import frames
from streams.client import supports_transactions

PROGRESS_S: Final = 3.0
"""How long to watch whether offsets move. A lane at rest commits more often."""

CLOCK_TOLERANCE_MS: Final = 2_000
STALE_TICKS: Final = 10
"""Ticks without a frame after which an intake that is there counts as standing still."""

State = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """One thing that was looked at. `action` says what to do; it is empty where nothing is to be done."""

    about: str
    state: State
    what: str
    action: str = ""


async def examine(config_file: Path | None) -> AsyncIterator[Finding]:
    """Yield findings as they are made."""
    try:
        settings = Settings.load(config_file)
        reached = settings.kafka_config()
    except ConfigurationError as error:
        yield Finding("configuration", "wrong", str(error), "correct what is listed; docs/settings.md has all settings")
        return
    yield Finding("configuration", "ok", f"broker {', '.join(settings.bootstrap_servers or ())}")
    try:
        async with open_admin(reached) as client, open_consumer(reached) as consumer:
            admin = Admin(client)
            yield await _broker(settings, admin)
            steps = await plan_topics(admin, settings, create_inputs=False)
            for finding in _topics(steps):
                yield finding
            if any(step.action in {"create", "missing", "refuse"} for step in steps):
                return
            yield await _rules(settings)
            yield await _dead_letters(settings)
            async for finding in _flow(settings, admin, consumer):
                yield finding
    except (LivefuseError, KafkaError) as error:
        yield Finding(
            "broker", "wrong", str(error), "" if isinstance(error, BrokerError) else "look at the broker's log"
        )


async def _broker(settings: Settings, admin: Admin) -> Finding:
    brokers = await admin.brokers()
    able = await supports_transactions(settings.kafka_config().client)
    if settings.kafka.transactions == "on" and not able:
        action = "set LIVEFUSE_KAFKA__TRANSACTIONS=auto, or use Apache Kafka"
        return Finding("broker", "wrong", "it has no transactions, but the settings say that it has", action)
    found = f"{len(brokers)} broker(s): {', '.join(sorted(brokers))}"
    if not able or settings.kafka.transactions == "off":
        what = f"{found}; without transactions events are at least once (repeats bear the same sequence)"
        return Finding("broker", "note", what, "fine for trying out, with one worker; in production use Apache Kafka")
    return Finding("broker", "ok", f"{found}; transactions work")


def _topics(steps: list[Step]) -> Iterator[Finding]:
    actions = {
        "create": ("does not exist", "run `livefuse topics apply`"),
        "missing": ("an input topic that does not exist", "create it, or name yours in LIVEFUSE_TOPICS__..."),
        "alter": ("its settings differ", "run `livefuse topics apply --dry-run`, then without --dry-run"),
    }
    for step in steps:
        about = f"topic {step.topic.name}"
        if step.action == "refuse":
            yield Finding(about, "wrong", step.note, "see there; `livefuse topics list` shows all")
        elif step.action in actions:
            what, action = actions[step.action]
            changes = ", ".join(
                f"{each.name} is {each.before}, not {each.after}" for each in step.changes if each.before
            )
            yield Finding(about, "wrong", f"{what}{f': {changes}' if changes else ''}", action)
        elif step.note:
            yield Finding(about, "note", step.note)
    good = sum(step.action == "keep" for step in steps)
    yield Finding("topics", "ok" if good == len(steps) else "note", f"{good} of {len(steps)} are as they must be")


async def _rules(settings: Settings) -> Finding:
    newest = None
    async for record in read(settings.kafka_config(), [settings.topics.rules]):
        newest = record.value or newest
    if newest is None:
        return Finding("rules", "ok", "those of a fresh system are in force")
    try:
        rules = RuleSet.model_validate_json(newest)
    except ValidationError as error:
        what = f"the newest rule set is not valid ({error.error_count()} errors); the one before it holds"
        return Finding(
            "rules", "wrong", what, "publish a valid one: `livefuse rules check FILE`, `livefuse rules apply FILE`"
        )
    return Finding("rules", "ok", f"version {rules.version} by {rules.actor}, rules: {len(rules.rules)}")


async def _flow(settings: Settings, admin: Admin, consumer: AIOKafkaConsumer) -> AsyncIterator[Finding]:
    """Look at both groups: is somebody there, how far behind, and does it move."""
    inputs = await partitions_of(settings.kafka_config(), settings.topics.inputs)
    signals = await partitions_of(settings.kafka_config(), [settings.topics.signals])
    watched = (
        ("intake", settings.intake_group, inputs, "records"),
        ("worker", settings.worker_group, signals, "frames"),
    )
    before = {group: await admin.committed(group, partitions) for _, group, partitions, _ in watched}
    everything = [*inputs, *signals]
    ends, first = await consumer.end_offsets(everything), await consumer.beginning_offsets(everything)
    await asyncio.sleep(PROGRESS_S)
    running = False
    for name, group, partitions, unit in watched:
        found = await admin.group(group)
        running = found is not None and found.members > 0
        yield (
            Finding(name, "ok", f"{found.members} in group {group}, {found.state}")
            if found and running
            else Finding(
                name, "wrong", f"nobody is in group {group}", f"start one: `livefuse {name}` (or `livefuse up`)"
            )
        )
        after = await admin.committed(group, partitions)
        behind = {each: max(0, ends[each] - after.get(each, first[each])) for each in partitions}
        yield _progress(name, unit, behind, before[group], after)
        if name == "intake":
            async for finding in _clocks(settings, consumer, signals, expected=running):
                yield finding


def _progress(
    name: str,
    unit: str,
    behind: dict[TopicPartition, int],
    before: dict[TopicPartition, int],
    after: dict[TopicPartition, int],
) -> Finding:
    """Judge what was there when the doctor began to watch and is not committed yet: what came since does not count."""
    lag = sum(behind.values())
    stuck = [each for each, count in behind.items() if count > 0 and after.get(each) == before.get(each)]
    if stuck:
        names = ", ".join(f"{each.topic}[{each.partition}]" for each in sorted(stuck))
        what = f"{lag} {unit} behind, and nothing moved for {PROGRESS_S:g} s in {names}"
        return Finding(
            f"{name} lag", "wrong", what, f"look at the log of the {name}; if it says nothing, start it again"
        )
    if lag:
        return Finding(f"{name} lag", "note", f"{lag} {unit} behind, and catching up")
    return Finding(f"{name} lag", "ok", "caught up")


async def _clocks(
    settings: Settings, consumer: AIOKafkaConsumer, signals: list[TopicPartition], *, expected: bool
) -> AsyncIterator[Finding]:
    """Compare clocks by the newest frame: its timestamp is the intake's clock, or the broker's where that sets it."""
    newest = await _newest(consumer, signals)
    now_ms = time.time_ns() // 1_000_000
    if newest is None:
        if expected:
            yield Finding("clocks", "wrong", "there is no frame at all", "look at the log of the intake")
        return
    stamped, value = newest
    ahead_ms, allowed_ms = stamped - now_ms, STALE_TICKS * milliseconds(settings.intake.tick_interval)
    if ahead_ms > CLOCK_TOLERANCE_MS:
        what = f"the newest frame comes from {ahead_ms / 1000:.1f} s ahead of this machine's clock"
        yield Finding("clocks", "wrong", what, "let NTP set the clocks of this machine, the intakes and the brokers")
    elif expected and -ahead_ms > max(allowed_ms, CLOCK_TOLERANCE_MS):
        what = f"the newest frame is {-ahead_ms / 1000:.1f} s old, but an intake ticks every half second or so"
        yield Finding(
            "clocks", "wrong", what, "the intake stands still, or its clock is behind: look at its log, check NTP"
        )
    else:
        yield Finding("clocks", "ok", f"the newest frame is {max(0, -ahead_ms) / 1000:.1f} s old")
    try:
        frame = frames.decode(value)
    except FrameError as error:
        yield Finding("signals", "wrong", str(error), "nobody but livefuse may write to the signals topic")
        return
    late_ms = stamped - frame.passed
    if frame.live and late_ms > CLOCK_TOLERANCE_MS + allowed_ms:
        yield Finding("event time", "note", f"{late_ms / 1000:.1f} s behind the wall clock, though intake is caught up")


async def _newest(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> tuple[int, bytes] | None:
    """Return timestamp (ms) and value of the newest record; None when there is none."""
    ends = await consumer.end_offsets(partitions)
    first = await consumer.beginning_offsets(partitions)
    filled = [each for each in partitions if ends[each] > first[each]]
    if filled:
        start_at(consumer, {each: ends[each] - 1 for each in filled})
    found: list[tuple[int, bytes]] = []
    deadline = time.monotonic() + PROGRESS_S
    while filled and time.monotonic() < deadline:
        for partition, records in (await consumer.getmany(*filled, timeout_ms=500)).items():
            found += [(record.timestamp, record.value or b"") for record in records]
            filled.remove(partition)
    return max(found, default=None)


async def _dead_letters(settings: Settings) -> Finding:
    found = await tally(settings.kafka_config(), settings.topics)
    waiting, back = sum(each.waiting for each in found), sum(each.came_back for each in found)
    if not waiting and not back:
        sent = sum(each.letters for each in found)
        return Finding("dead letters", "ok", f"none waits ({sent} were sent back)" if sent else "none")
    parts = [f"{waiting} wait to be looked at", f"{back} came back after they were sent" if back else ""]
    action = "`livefuse dlq list` tells why; repair them, then `livefuse dlq replay`"
    return Finding("dead letters", "note", ", ".join(filter(None, parts)), action)
