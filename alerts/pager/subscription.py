"""What one channel hears of the fuse events: its own position in them, its own routes, its own delivery.

    events ─▶ route ─▶ tell ────────────────▶ delivery ─▶ dealt with ─▶ position, committed
                ├────▶ hold until it is due ─┘ └─ answered or over before: suppressed
                └────▶ not for this channel: dealt with

The position lies in Kafka, as the offsets of a consumer group that nobody joins. A restart repeats nothing that was
dealt with and loses nothing that was not; only what a channel accepted in the instant before a crash may come twice.
A channel without a position begins at the end. Nothing here waits for another channel; a channel with much before it
stops reading, so its events wait in Kafka.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from alerts.consumer import REFUSALS, RETRY_S, lanes, open_consumer, start_at
from alerts.pager.alert import Alert, FuseKey
from alerts.pager.alerts import Alerts
from alerts.pager.config import PagerConfig
from alerts.pager.delivery import Dealt, Delivery
from alerts.pager.drill import is_drill
from alerts.pager.notice import Notice
from alerts.pager.payload import Links
from alerts.pager.progress import Mark, Progress
from alerts.pager.route import ANSWERS, Route
from alerts.pager.schedule import Schedule
from schemas.errors import BrokerRefused
from schemas.events import FuseEvent
from schemas.rights import missing

MOST_BEFORE: Final = 2_000
"""Notices that wait for the channel before no more events are read."""

_COMMIT_AGAIN_S: Final = 3_600.0
"""Kafka forgets offsets that nobody has committed for some days."""

_PAUSE_S: Final = 0.2
_LAST_COMMIT_S: Final = 0.3

Place = tuple[int, int]
"""Partition and offset of an event."""

log = logging.getLogger(__name__)


class Subscription:
    """Feeds one delivery. `book` knows the openings; `clock` returns seconds since 1970."""

    def __init__(
        self,
        name: str,
        route: Route,
        config: PagerConfig,
        book: Alerts,
        make_delivery: Callable[[Callable[[Dealt], None]], Delivery],
        *,
        links: Links,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.delivery = make_delivery(self._dealt)
        self._route = route
        self._config = config
        self._book = book
        self._links = links
        self._clock = clock
        self._progress: dict[int, Progress] = {}
        self._places: dict[str, list[Place]] = {}
        self._held: Schedule[Place] = Schedule()
        self._openings: dict[Place, FuseEvent] = {}
        self._by_fuse: dict[FuseKey, Place] = {}
        self._untold: dict[FuseKey, int | None] = {}
        self._behind = 0
        self._changed = asyncio.Event()

    @property
    def queue(self) -> int:
        """How many events are not dealt with: unread, held, or waiting for the channel."""
        return self._behind + sum(len(each) for each in self._progress.values())

    async def run(self) -> None:
        """Read events and feed the delivery, which runs by itself, until cancelled. Raises BrokerRefused."""
        while True:
            try:
                await self._read()
            except REFUSALS as error:
                why = missing(error, "Read")
                raise BrokerRefused(f"channel {self.name} cannot read the fuse events: {why}") from error
            except (KafkaError, OSError, TimeoutError) as error:
                # The follower of the pager says at length that the broker is away.
                log.info("channel.broker_away channel=%s error=%s", self.name, type(error).__name__)
                await asyncio.sleep(RETRY_S)

    def resume(self, progress: dict[int, Progress]) -> None:
        """Go on from how far the channel has come in each partition."""
        self._progress = progress

    def take(self, place: Place, value: bytes | None, known_ms: int) -> None:
        """Take in an event."""
        partition, offset = place
        if not self._progress[partition].begin(offset):
            return
        try:
            event = FuseEvent.model_validate_json(value or b"")
        except ValidationError:
            log.warning("channel.unreadable_event channel=%s partition=%d offset=%d", self.name, partition, offset)
            self._finish(place)
            return
        alert = self._book.of(event) if event.type in ANSWERS else None
        opening = event if event.type == "fuse.opened" else alert.opening if alert is not None else None
        untold = event.type in ANSWERS and (self._answer(event) or self._is_untold(event, alert, known_ms))
        if not self._route.wants(event, (opening or event).room_id):
            self._finish(place)
            return
        known = _moment(known_ms)
        due = None if untold else self._route.due(event, known)
        notice = self._notice(event, opening)
        if due is None:
            self.delivery.suppress(notice)
            self._finish(place)
        elif due <= known:
            self._tell(place, notice)
        else:
            self._hold(place, event, due)

    def tell_due(self) -> None:
        """Tell what was held and is due."""
        for place in self._held.take(self._clock(), MOST_BEFORE):
            event = self._openings.pop(place)
            self._by_fuse.pop(_key(event), None)
            self._tell(place, self._notice(event, event))

    def _hold(self, place: Place, event: FuseEvent, due: datetime) -> None:
        self._answer(event)
        self._untold.pop(_key(event), None)
        self._held.put(place, due.timestamp())
        self._openings[place] = event
        self._by_fuse[_key(event)] = place

    def _answer(self, event: FuseEvent) -> bool:
        """Let go of what is held of this fuse, for it is answered or over; False when nothing is held."""
        place = self._by_fuse.pop(_key(event), None)
        if place is None:
            return False
        self._held.drop(place)
        opening = self._openings.pop(place)
        self._untold[_key(event)] = opening.epoch
        self.delivery.suppress(self._notice(opening, opening))
        self._finish(place)
        return True

    def _is_untold(self, event: FuseEvent, alert: Alert | None, known_ms: int) -> bool:
        """Tell whether the opening of what this event answers was held until somebody answered, and so never told."""
        if self._untold.get(_key(event)) == event.epoch:
            return True
        if alert is None:
            return False
        # After a restart: as it must have been.
        due = self._route.due(alert.opening, _moment(alert.opened_ms))
        answers = [each for each in (known_ms, alert.acknowledged_ms, alert.ended_ms) if each is not None]
        return due is not None and due > _moment(min(answers))

    def _notice(self, event: FuseEvent, opening: FuseEvent | None) -> Notice:
        console_url = self._links.product(event.product_id)
        drill = is_drill(event.product_id)
        if event.type == "fuse.opened" and self._route.after:
            return Notice.unacknowledged(
                event,
                self._route.after,
                console_url=console_url,
                runbook_url=self._links.runbook("FuseNotAcknowledged"),
                drill=drill,
            )
        return Notice.of(
            event,
            opened_at=opening.occurred_at if opening is not None and event.rule is not None else None,
            console_url=console_url,
            runbook_url=self._links.runbook("FuseOpen"),
            drill=drill,
        )

    def _tell(self, place: Place, notice: Notice) -> None:
        self._places.setdefault(notice.id, []).append(place)
        self.delivery.put(notice)

    def _dealt(self, dealt: Dealt) -> None:
        for place in self._places.pop(dealt.notice.id, ()):
            self._finish(place, dealt.outcome if dealt.notice.drill else None)

    def _finish(self, place: Place, outcome: str | None = None) -> None:
        self._progress[place[0]].finish(place[1], outcome)
        self._changed.set()

    async def _read(self) -> None:
        group = self._config.group(self.name)
        partitions = lanes(self._config.topics.fuse_events, self._config.partitions)
        async with open_consumer(self._config.client, group=group) as consumer:
            ends = await consumer.end_offsets(partitions)
            if not self._progress:
                self.resume(await self._recall(consumer, partitions, ends))
                start_at(consumer, {each: self._progress[each.partition].first for each in partitions})
                # Or a channel that is new, and dies now, would begin at a later end.
                await self._commit(consumer, partitions)
            else:
                start_at(consumer, {each: self._progress[each.partition].next for each in partitions})
            log.info("channel.reading channel=%s queue=%d", self.name, self.queue)
            committing = asyncio.create_task(self._commit_on(consumer, partitions))
            try:
                await self._follow(consumer, partitions, ends, committing)
            finally:
                committing.cancel()
                with suppress(asyncio.CancelledError, KafkaError):
                    await committing
                with suppress(TimeoutError, KafkaError):
                    async with asyncio.timeout(_LAST_COMMIT_S):
                        await self._commit(consumer, partitions)

    async def _recall(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], ends: dict[TopicPartition, int]
    ) -> dict[int, Progress]:
        # The public call leaves out the text beside the offset.
        kept: Any = await consumer._coordinator.fetch_committed_offsets(partitions)  # noqa: SLF001
        found = {}
        for each in partitions:
            if each in kept and kept[each].offset >= 0:
                found[each.partition] = Progress.from_mark(Mark(kept[each].offset, kept[each].metadata or ""))
            else:
                found[each.partition] = Progress(ends[each])
        return found

    async def _follow(
        self,
        consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        ends: dict[TopicPartition, int],
        committing: "asyncio.Task[None]",
    ) -> None:
        caught_up = False
        while True:
            if committing.done():
                committing.result()  # raises what ended it
            if len(self._places) >= MOST_BEFORE:
                await asyncio.sleep(_PAUSE_S)
                continue
            batches = await consumer.getmany(timeout_ms=1000 if caught_up else 100, max_records=500)
            for partition, records in batches.items():
                self._progress[partition.partition].pass_to(records[0].offset)
                for record in records:
                    self.take((partition.partition, record.offset), record.value, record.timestamp)
            positions = {each: await consumer.position(each) for each in partitions}
            self._behind = sum(max(0, (consumer.last_stable_offset(each) or 0) - at) for each, at in positions.items())
            # Before that, an answer to what is held may still be unread.
            caught_up = caught_up or all(at >= ends[each] for each, at in positions.items())
            if caught_up:
                self.tell_due()

    async def _commit_on(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_COMMIT_AGAIN_S):
                    await self._changed.wait()
            self._changed.clear()
            await self._commit(consumer, partitions)

    async def _commit(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        marks = {each: self._progress[each.partition].mark() for each in partitions}
        await consumer.commit({each: (mark.offset, mark.note) for each, mark in marks.items()})


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _key(event: FuseEvent) -> FuseKey:
    return FuseKey(event.product_id, event.rule or "", event.sku_id)
