"""The drill: complaints into Kafka, and each step until everybody was told; then the end, which always comes.

Whatever happens in between, an interruption included, the fuse is resumed when the drill ends. The command to do so
lies in Kafka behind the complaints: where no worker runs, it counts as soon as the complaints do.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Final, Self
from uuid import uuid4

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import ValidationError

from alerts.pager.alertmanager import Client
from deploy.drill.exercise import ACTOR, REASON, Exercise
from deploy.drill.steps import Step, Steps
from deploy.drill.ways import AlertmanagerWay, ChannelWay, Place, Seen, Way
from deploy.kafka import open_admin, open_consumer, open_producer, partitions_of, start_at
from deploy.settings import Settings
from schemas.commands import Command, encode_command
from schemas.errors import ConfigurationError
from schemas.events import FuseEvent

GRACE_S: Final = 10.0
"""How long the end of a drill is waited for when there is no time left."""

_LOOK_S: Final = 0.05
_SIBLINGS_S: Final = 0.2
_STRAGGLERS_S: Final = 2.0
_WORKER: Final = "Do an intake and a worker run, and have they caught up? `livefuse doctor` says."


class Drill:
    """One drill. Enter it, `run` it, and leave it: leaving ends what has begun.

    `hold_s`: how long the fuse stays open once everybody was told, so that Alertmanagers pass it on.
    """

    def __init__(self, settings: Settings, exercise: Exercise, within_s: float, hold_s: float) -> None:
        self.exercise = exercise
        self.steps = Steps(within_s)
        self.opening: Place | None = None
        self.is_over = True
        self._hold_s = hold_s
        self._settings = settings
        self._config = settings.pager_config()
        self._seen: dict[int, Place] = {}
        self._stack = AsyncExitStack()
        self._ways: list[Way] = []
        self._producer: AIOKafkaProducer
        self._consumer: AIOKafkaConsumer

    async def __aenter__(self) -> Self:
        if not self._config.alertmanager.urls and not self._config.channels:
            raise ConfigurationError(
                "there is nobody to tell: give the drill the settings of the pager (--config), with "
                "LIVEFUSE_PAGER__ALERTMANAGER__URLS or [[pager.channel]]."
            )
        kafka, names = self._settings.kafka_config(), self._settings.topics
        async with AsyncExitStack() as stack:
            self._producer = await stack.enter_async_context(open_producer(kafka))
            self._consumer = await stack.enter_async_context(open_consumer(kafka))
            await partitions_of(kafka, [names.complaints, names.commands], "Write")
            events = await partitions_of(kafka, [names.fuse_events])
            start_at(self._consumer, await self._consumer.end_offsets(events))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            admin = await stack.enter_async_context(open_admin(kafka))
            clients = [Client(url, self._config.alertmanager, session) for url in self._config.alertmanager.urls]
            self._ways = [AlertmanagerWay(each, self.exercise, self._config.application) for each in clients]
            self._ways += [
                ChannelWay(each.name, each.route, admin, self._config.group(each.name), names.fuse_events)
                for each in self._config.channels
            ]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if not self.is_over:
                await self._resume(GRACE_S)
        finally:
            await self._stack.aclose()

    async def run(self) -> None:
        """Go through all steps."""
        sent = self.steps.add("complaints in Kafka")
        opened = self.steps.add("fuse opened")
        told = {each: self.steps.add(f"told: {each.name}") for each in self._ways}
        resumed = self.steps.add("fuse resumed")
        ended = {each: self.steps.add(f"told of the end: {each.name}") for each in self._ways}
        await self._send(sent)
        opening = await self._until(self._find_opening, self.steps.left_s)
        if opening is None:
            self.steps.failed(opened, f"no fuse has opened. {_WORKER}")
        else:
            self.opening = opening
            self.steps.arrived(opened, f"sequence {opening.event.sequence}, {opening.event.severity}", opening.seen_s)
            await self._follow({told[each]: partial(each.opening, opening) for each in self._ways})
            if all(each.outcome == "skipped" for each in told.values()):
                self.steps.failed(opened, f"rule {self.exercise.rule.id} opens fuses, but nobody is told of them")
        self.steps.is_late = self.steps.left_s == 0
        if opening is not None and self._config.alertmanager.urls:
            # An Alertmanager waits before it passes an alert on (group_wait), and never does if it has ended by then.
            await asyncio.sleep(min(self._hold_s, self.steps.left_s))
        end = await self._resume(max(GRACE_S, self.steps.left_s))
        if opening is None or end is None:
            words = f"the command is in Kafka and counts as soon as it is read. {_WORKER}"
            self.steps.failed(resumed, "there was nothing to resume" if self.is_over else words)
            return
        self.steps.arrived(resumed, f"by operator:{ACTOR}; on probation, and closes by itself", end.seen_s)
        heard = {each for each in self._ways if self._was_told(told[each], ended[each])}
        await self._follow({ended[each]: partial(each.end, opening, end) for each in heard}, GRACE_S)

    def _was_told(self, told: Step, ended: Step) -> bool:
        if told.outcome == "skipped":
            self.steps.skipped(ended, "it was not told of the opening")
        return told.ms is not None

    async def _send(self, step: Step) -> None:
        topic, key = self._settings.topics.complaints, self.exercise.product_id.encode()
        records = self.exercise.complaints(_now_ms())
        self.steps.begin()
        self.is_over = False
        pending = [await self._producer.send(topic, each, key=key) for each in records]
        await asyncio.gather(*pending)
        self.steps.arrived(step, f"{len(records)} records in {topic}")

    async def _follow(self, looks: dict[Step, Callable[[], Awaitable[Seen]]], least_s: float = 0.0) -> None:
        patience_s = max(least_s, self.steps.left_s)
        await asyncio.gather(*(self._follow_one(step, look, patience_s) for step, look in looks.items()))

    async def _follow_one(self, step: Step, look: Callable[[], Awaitable[Seen]], patience_s: float) -> None:
        step.told = "it did not answer in time"
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while (seen := await look()).outcome is None:
                    step.told = seen.told
                    await asyncio.sleep(_LOOK_S)
                if seen.outcome == "ok":
                    self.steps.arrived(step, seen.told)
                elif seen.outcome == "skipped":
                    self.steps.skipped(step, seen.told)
                else:
                    self.steps.failed(step, seen.told)

    async def _resume(self, patience_s: float) -> Place | None:
        """Resume whatever has opened, until nothing is open; return the end of the opening, None where none came."""
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            command_id = await self._command()
            answer = await self._until(lambda: self._find_answer(command_id), left_s)  # noqa: B023 (called at once)
            if answer is None:
                break
            if self._open:
                await self._read(_SIBLINGS_S)
            if not self._has_opened:
                # The command may have come before the complaints, which are in other partitions.
                await self._until(self._find_opened, min(left_s, _STRAGGLERS_S))
            if not self._open:
                self.is_over = True
                return self._find_end()
        return None

    async def _command(self) -> str:
        command = Command(
            command_id=str(uuid4()),
            product_id=self.exercise.product_id,
            action="resume",
            actor=ACTOR,
            reason=REASON,
            issued_at=_now_ms(),
        )
        topic, key = self._settings.topics.commands, self.exercise.product_id.encode()
        await self._producer.send_and_wait(topic, encode_command(command), key=key)
        return command.command_id

    async def _until(self, find: Callable[[], Place | None], patience_s: float) -> Place | None:
        """Read fuse events until what is looked for is there; None when it does not come."""
        deadline = time.monotonic() + patience_s
        while (found := find()) is None and (left_s := deadline - time.monotonic()) > 0:
            await self._read(min(left_s, 0.2))
        return found

    async def _read(self, patience_s: float) -> None:
        key = self.exercise.product_id.encode()
        for partition, records in (await self._consumer.getmany(timeout_ms=max(1, int(1000 * patience_s)))).items():
            for record in records:
                if record.key == key and (event := _parsed(record.value)) is not None:
                    place = Place(event, partition.partition, record.offset, record.timestamp, time.monotonic())
                    self._seen.setdefault(event.sequence, place)

    @property
    def _events(self) -> list[Place]:
        return [self._seen[sequence] for sequence in sorted(self._seen)]

    @property
    def _has_opened(self) -> bool:
        return self._find_opened() is not None

    @property
    def _open(self) -> set[tuple[str | None, str | None]]:
        found: set[tuple[str | None, str | None]] = set()
        for place in self._events:
            fuse = (place.event.rule, place.event.sku_id)
            if place.event.type == "fuse.opened":
                found.add(fuse)
            elif place.event.type in {"fuse.probation", "fuse.closed"}:
                found.discard(fuse)
        return found

    def _find_opened(self) -> Place | None:
        return next((each for each in self._events if each.event.type == "fuse.opened"), None)

    def _find_opening(self) -> Place | None:
        return self._find("fuse.opened")

    def _find_end(self) -> Place | None:
        return self._find("fuse.probation") or self._find("fuse.closed")

    def _find(self, kind: str) -> Place | None:
        rule_id = self.exercise.rule.id
        return next((each for each in self._events if each.event.type == kind and each.event.rule == rule_id), None)

    def _find_answer(self, command_id: str) -> Place | None:
        return next((each for each in self._events if each.event.cause.command_id == command_id), None)


def _parsed(value: bytes | None) -> FuseEvent | None:
    try:
        return FuseEvent.model_validate_json(value or b"")
    except ValidationError:
        return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
