r"""What a lane keeps in its partition of ``livefuse.state``, and how it reads it back.

    key product_id     value: the product's state, as the engine wrote it
                       header livefuse.frame: the frame after which it was stored, if the lane's record is older
    key \x00lane       value: the lane's own record: position, alignment, and the engine's snapshot of the partition

Read with ``read_committed`` this is one state: the states as they were after the frame at ``position`` was applied (and
those after it, as far as the alignment had released them), but those with a later frame as they were after that
(:mod:`streams.worker.checkpoint`). No product id contains a control character, so no product's key is the lane's.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import BrokerRefused, BrokerUnavailable, StateError, other_version
from schemas.rights import missing
from streams.client import METADATA_MAX_AGE_MS, REFUSALS, fetched_end
from streams.engine.partition import without_positions
from streams.worker.alignment import Alignment

LANE_KEY: Final = b"\x00lane"
PLACE_HEADER: Final = "livefuse.frame"
VERSION: Final = 1
_HEAD: Final = struct.Struct(">BI")
_FETCH_WAIT_MS: Final = 20
"""A broker answers the requests of a connection in turn: the next one waits for a fetch that brings nothing."""
_FETCH_BYTES: Final = 16 * 1024 * 1024
_RECORDS_AT_ONCE: Final = 5_000
_FRAMES_AT_ONCE: Final = 100
_PATIENCE_S: Final = 30.0

Load = Callable[[str, bytes | None], None]


class Place(NamedTuple):
    """A place in the signals log: the offset, and in which of the logs that the partition has had, counted from 0."""

    log: int
    offset: int


class LaneRecord(NamedTuple):
    """The lane's own record. ``position``: the offset up to which every signal of the log stands in the states.

    ``log`` counts the signals logs that came before this one, see :meth:`on_another_log`.
    """

    position: int
    alignment: dict[str, Any]
    partition: bytes
    log: int = 0

    def encode(self) -> bytes:
        """Return version, length of the JSON head, head, and the engine's snapshot as it is."""
        head = orjson.dumps({"position": self.position, "alignment": self.alignment, "log": self.log})
        return _HEAD.pack(VERSION, len(head)) + head + self.partition

    def on_another_log(self, position: int) -> "LaneRecord":
        """Return the record for a signals log that holds nothing of what was applied, to go on behind `position`.

        States, rules and timers hold. Where the old log and its sources were does not: with that the lane would pass
        over what the new ones bring.
        """
        return LaneRecord(position, Alignment.fresh(position), without_positions(self.partition), self.log + 1)

    @classmethod
    def decode(cls, value: bytes) -> "LaneRecord":
        """Read a record back; StateError when it is damaged or of another version."""
        try:
            version, length = _HEAD.unpack_from(value)
            if version != VERSION:
                raise StateError(other_version("the lane's record", version, VERSION))
            head = orjson.loads(value[_HEAD.size : _HEAD.size + length])
            return cls(head["position"], head["alignment"], value[_HEAD.size + length :], head.get("log", 0))
        except (struct.error, orjson.JSONDecodeError, KeyError) as error:
            raise StateError(f"the lane's record is damaged: {error!r}") from error


class Recovered(NamedTuple):
    """What the broker had: the lane's record, the number of states read, and where the signals log begins and ends.

    ``ahead`` are the products whose states are later than the record, each with the offset of its frame.
    """

    record: LaneRecord | None
    ahead: dict[str, int]
    states: int
    log_start: int
    log_end: int

    def place(self, product_id: str) -> Place | None:
        """Return what the header of a product's state has to say."""
        offset = self.ahead.get(product_id)
        return None if offset is None else Place(0 if self.record is None else self.record.log, offset)


@dataclass(slots=True)
class Progress:
    """How far the state of a partition has been read: ``states`` so far, and ``ratio`` of all records, 0 to 1."""

    states: int = 0
    ratio: float = 0.0


def headers_of(place: Place | None) -> list[tuple[str, bytes]]:
    """Return the headers of a state that was stored after the frame there; None: not after the lane's record."""
    return [] if place is None else [(PLACE_HEADER, b"%d/%d" % place)]


def place_of(headers: Iterable[tuple[str, bytes]]) -> Place | None:
    """Inverse of :func:`headers_of`; other headers say nothing. StateError when it is damaged."""
    for name, value in headers:
        if name == PLACE_HEADER:
            try:
                log, offset = value.split(b"/")
                return Place(int(log), int(offset))
            except ValueError as error:
                raise StateError(f"the header {PLACE_HEADER} of a state is damaged: {value!r}") from error
    return None


def note_place(places: dict[str, Place], product_id: str, headers: Iterable[tuple[str, bytes]]) -> None:
    """Keep the place of a product's latest state; states are read in the order of the log."""
    place = place_of(headers) if headers else None
    if place is not None:
        places[product_id] = place
    elif places:
        places.pop(product_id, None)


def ahead_of(record: LaneRecord | None, places: Mapping[str, Place]) -> dict[str, int]:
    """Return the products that were stored after a frame that the record does not know, each with its offset.

    What was stored while another log was read says nothing: the lane's record was written when this one was begun.
    """
    log, known = (0, -1) if record is None else (record.log, int(record.alignment["frontier"]))
    return {
        product_id: place.offset for product_id, place in places.items() if place.log == log and place.offset > known
    }


class Store:
    """Reads the state of lanes. ``client`` are the arguments that every aiokafka client takes.

    ``progress`` tells of the last recovery of each partition.
    """

    def __init__(self, client: Mapping[str, Any], state_topic: str, signals_topic: str, *, transactions: bool) -> None:
        self._client = client
        self._state_topic = state_topic
        self._signals_topic = signals_topic
        self.progress: dict[int, Progress] = {}
        self._isolation = "read_committed" if transactions else "read_uncommitted"

    async def recover(self, number: int, load: Load) -> Recovered:
        """Read all states of a partition from beginning to end. The caller has fenced those who could still write.

        ``load`` gets them in the order of the log, so of several of one product the last one counts. Raises
        BrokerUnavailable and StateError.
        """
        state = TopicPartition(self._state_topic, number)
        signals = TopicPartition(self._signals_topic, number)
        progress = self.progress[number] = Progress()
        places: dict[str, Place] = {}
        async with self._consumer(state, signals) as consumer:
            # Only its ends are asked for. (Assigned all the same: that is how the client learns of a topic at once.)
            consumer.pause(signals)
            # With read_committed this is the last stable offset. Fencing ended all transactions of this partition.
            end = (await consumer.end_offsets([state]))[state]
            await consumer.seek_to_beginning(state)
            record = None
            start = await consumer.position(state)
            deadline = time.monotonic() + _PATIENCE_S
            while (position := await consumer.position(state)) < end:
                progress.ratio = (position - start) / (end - start)
                fetched = await consumer.getmany(state, timeout_ms=1_000, max_records=_RECORDS_AT_ONCE)
                end = max(end, fetched_end(consumer, state))
                for each in fetched.get(state, ()):
                    if each.key == LANE_KEY:
                        record = each.value
                    else:
                        product_id = each.key.decode()
                        load(product_id, each.value)
                        note_place(places, product_id, each.headers)
                        progress.states += 1
                if fetched:
                    deadline = time.monotonic() + _PATIENCE_S
                    # The heartbeat of the process, and other lanes, want their turn between two large chunks.
                    await asyncio.sleep(0)
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"{self._state_topic}[{number}] does not deliver up to {end}")
            # Asked for afterwards, for the process may have stood still while others went on.
            log_start = (await consumer.beginning_offsets([signals]))[signals]
            log_end = (await consumer.end_offsets([signals]))[signals]
        progress.ratio = 1.0
        lane = None if record is None else LaneRecord.decode(record)
        return Recovered(lane, ahead_of(lane, places), progress.states, log_start, log_end)

    async def frames(self, number: int, first: int, until: int) -> AsyncGenerator[tuple[int, bytes | None, int], None]:
        """Yield the frames before ``until``, from ``first``, or from the first that there still is.

        Of each its offset, its value, and when it was written (wall clock, ms). Raises BrokerUnavailable.
        """
        signals = TopicPartition(self._signals_topic, number)
        async with self._consumer(signals) as consumer:
            consumer.seek(signals, first)
            deadline = time.monotonic() + _PATIENCE_S
            while await consumer.position(signals) < until:
                fetched = await consumer.getmany(signals, timeout_ms=1_000, max_records=_FRAMES_AT_ONCE)
                for each in fetched.get(signals, ()):
                    if each.offset >= until:
                        return
                    yield each.offset, each.value, each.timestamp
                if fetched:
                    deadline = time.monotonic() + _PATIENCE_S
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"{self._signals_topic}[{number}] does not deliver up to {until}")

    @contextlib.asynccontextmanager
    async def _consumer(self, *partitions: TopicPartition) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._client,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=self._isolation,
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )
        try:
            await consumer.start()
            consumer.assign(partitions)
            yield consumer
        except REFUSALS as error:
            raise BrokerRefused(
                f"{partitions[0]} cannot be read: {missing(error, 'Read', partitions[0].topic)}"
            ) from error
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(f"{partitions[0]} was not read: {error!r}") from error
        finally:
            await consumer.stop()
