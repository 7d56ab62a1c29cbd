"""Fuses as a person sees and moves them: what holds now, what happened, and orders with their answers.

states(config, names)                all products of which something is to be said
history(config, names, product_id)   a product's fuse events, each once, in order
order(config, names, command, ...)   send a command and return the events that it made
"""

import asyncio
from datetime import timedelta
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from pydantic import ValidationError

from deploy.kafka import open_consumer, open_producer, partitions_of, read, start_at
from schemas.commands import Command, encode_command
from schemas.errors import LivefuseError, StateError
from schemas.events import FuseEvent, FuseState
from schemas.topics import TopicNames, partition_of
from streams.config import KafkaConfig
from streams.engine.codec import decode

_STATE_WITHIN_S: Final = 1.0
_NEWEST_STATES: Final = 1_000
_SIBLINGS_WITHIN_S: Final = 0.2
"""The events of one command are written together; how long to look for more after the first."""


async def states(config: KafkaConfig, names: TopicNames) -> list[FuseState]:
    """Return the latest state of every product that has one, by product."""
    latest: dict[bytes, bytes] = {}
    async for record in read(config, [names.fuse_state]):
        if record.value is None:
            latest.pop(record.key, None)
        else:
            latest[record.key] = record.value
    return sorted(map(FuseState.model_validate_json, latest.values()), key=lambda state: state.product_id)


async def state_of(config: KafkaConfig, names: TopicNames, product_id: str) -> FuseState | None:
    """Return the latest state of one product; None when nothing is to be said of it."""
    latest = None
    key = product_id.encode()
    async for record in read(config, [names.fuse_state]):
        if record.key == key:
            latest = record.value
    return None if latest is None else FuseState.model_validate_json(latest)


async def history(config: KafkaConfig, names: TopicNames, product_id: str) -> list[FuseEvent]:
    """Return the product's events by sequence, each once, although without transactions some are there twice."""
    key = product_id.encode()
    events: dict[int, FuseEvent] = {}
    async for record in read(config, [names.fuse_events]):
        if record.key == key:
            event = FuseEvent.model_validate_json(record.value)
            events[event.sequence] = event
    return [events[sequence] for sequence in sorted(events)]


class Answer(NamedTuple):
    """What came of a command. `unknown`: no record of its product is known, so it may be a slip of the pen."""

    events: list[FuseEvent]
    unknown: bool


async def order(config: KafkaConfig, names: TopicNames, command: Command, patience: timedelta) -> Answer:
    """Send a command and wait for what comes of it. LivefuseError when nothing comes within `patience`."""
    key = command.product_id.encode()
    async with open_consumer(config) as consumer, open_producer(config) as producer:
        partitions = await partitions_of(config, [names.fuse_events, names.state])
        await partitions_of(config, [names.commands], "Write")
        lanes = [each for each in partitions if each.topic == names.state]
        lane = lanes[partition_of(command.product_id, len(lanes))]
        answers = [each for each in partitions if each.topic == names.fuse_events]
        start_at(consumer, await consumer.end_offsets(answers))
        await producer.send_and_wait(names.commands, encode_command(command), key=key)
        events = await _answers(consumer, command.command_id, patience)
    if not events:
        raise LivefuseError(
            f"the command was sent (command_id {command.command_id}), but nothing came of it within "
            f"{patience.total_seconds():g} s. It is not lost: it counts as soon as it is read. Check that an intake "
            "and a worker run: `livefuse doctor`. While they catch up with a backlog, wait longer: --timeout."
        )
    if events[0].sequence > 1:
        return Answer(events, unknown=False)
    async with open_consumer(config) as consumer:
        first, end = await consumer.beginning_offsets([lane]), await consumer.end_offsets([lane])
        # Its state was written with the events, so it is among the newest.
        start_at(consumer, {lane: max(first[lane], end[lane] - _NEWEST_STATES)})
        return Answer(events, await _is_unknown(consumer, key))


async def _is_unknown(consumer: AIOKafkaConsumer, key: bytes) -> bool:
    """Tell whether the product's state, which was written with the events, holds nothing but commands.

    False where that does not come to light soon.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _STATE_WITHIN_S
    while (left := deadline - loop.time()) > 0:
        for records in (await consumer.getmany(timeout_ms=max(1, int(left * 1000)))).values():
            for record in records:
                if record.key == key and record.value is not None:
                    try:
                        state = decode(key.decode(), record.value)
                    except StateError:
                        # Of workers of another version. The command has been obeyed; this was only for a hint.
                        return False
                    orders, returns, complaints, _ = state.memories
                    return not (orders or returns or complaints or state.evidence)
    return False


async def _answers(consumer: AIOKafkaConsumer, command_id: str, patience: timedelta) -> list[FuseEvent]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience.total_seconds()
    found: dict[int, FuseEvent] = {}
    while (left := deadline - loop.time()) > 0:
        # The text is looked for before a record is parsed: other products have events too.
        batches = await consumer.getmany(timeout_ms=max(1, int(left * 1000)))
        for records in batches.values():
            for record in records:
                if record.value and command_id.encode() in record.value:
                    event = _parsed(record.value)
                    if event and event.cause.command_id == command_id:
                        found[event.sequence] = event
        if found:
            deadline = min(deadline, loop.time() + _SIBLINGS_WITHIN_S)
    return [found[sequence] for sequence in sorted(found)]


def _parsed(value: bytes) -> FuseEvent | None:
    try:
        return FuseEvent.model_validate_json(value)
    except ValidationError:
        return None
