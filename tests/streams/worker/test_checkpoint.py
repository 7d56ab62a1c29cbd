"""Checkpoints: whatever is stored when, and wherever a lane dies, its successor says what the lane would have said."""

from dataclasses import dataclass, field
from random import Random
from typing import cast

import pytest

from schemas.errors import StateError
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames
from streams import frames
from streams.config import KafkaConfig, WorkerConfig
from streams.engine.events import Output
from streams.engine.partition import Partition
from streams.engine.signals import RULES
from streams.worker.alignment import Alignment, source_rank
from streams.worker.counts import WorkerCounts
from streams.worker.opening import Opening
from streams.worker.store import LANE_KEY, LaneRecord, Place, Recovered, ahead_of, headers_of, place_of
from tests.corpus.released import of_one_intake, of_two_intakes, timeline
from tests.kafka.worker_rig import NOON, frame, order, pause

NAMES = TopicNames()
Said = list[tuple[str, bytes]]
EMPTY = frames.encode(frame([]))


@dataclass
class Topics:
    """What has been committed: of the lane, of products (value and frame), and what was said."""

    record: bytes | None = None
    states: dict[str, tuple[bytes, Place | None]] = field(default_factory=dict)
    said: Said = field(default_factory=list)


class Lane:
    """A lane without Faust, Kafka and clock: it is told when to store how much."""

    def __init__(self, topics: Topics, *, log_end: int = 1 << 40) -> None:
        self.topics = topics
        self.partition = Partition(0, DEFAULT_RULES)
        self.alignment = Alignment(source_rank(NAMES), lambda: self.partition.positions)
        self._outputs: list[Output] = []
        for product_id, (value, _) in topics.states.items():
            self.partition.load(product_id, value)
        record = None if topics.record is None else LaneRecord.decode(topics.record)
        stored = {product_id: frame for product_id, (_, frame) in topics.states.items() if frame is not None}
        self.ahead = ahead_of(record, stored)
        recovered = Recovered(record, self.ahead, len(topics.states), 0, log_end)
        config = WorkerConfig(KafkaConfig({}), NAMES, partitions=1)
        opening = Opening(config, WorkerCounts(), transactions=True)
        saved, self.checkpoints = opening._take_up(self.partition, self.alignment, recovered)  # noqa: SLF001
        self.next = saved + 1

    def take(self, value: bytes) -> None:
        """Apply the next frame."""
        self.partition.begin(self.next)
        release = self.alignment.add(self.next, frames.decode(value))
        self._outputs += self.partition.apply(release.sources, release.signals)
        self._outputs += self.partition.tick(release.tick)
        self.next += 1

    def flush(self, most: int | None) -> int | None:
        """Write outputs and so many bytes of states, as one; return the position if a checkpoint is complete."""
        if self.alignment.refilling:
            return None
        stored = self.checkpoints.take(self.next - 1, most)
        for key, value, headers in stored.records:
            assert value is not None
            if key == LANE_KEY:
                self.topics.record = value
            else:
                self.topics.states[key.decode()] = value, place_of(headers)
        self.topics.said += [(each.product_id, each.value) for each in self._outputs]
        self._outputs = []
        return stored.position


@pytest.mark.parametrize("seed", range(60))
def test_a_successor_says_what_the_lane_would_have_said_and_nothing_twice(seed: int) -> None:
    chance = Random(seed)
    line = timeline(seed)
    steps = [step if isinstance(step, int) else list(step) for step in line.steps]
    values = [frames.encode(each) for each in (of_two_intakes(steps) if seed % 2 else of_one_intake(steps))]
    whole = Lane(Topics())
    for value in values:
        whole.take(value)
    whole.flush(None)

    topics, crashes = Topics(), 0
    lane = Lane(topics)
    while lane.next < len(values):
        lane.take(values[lane.next])
        if chance.random() < 0.6:
            lane.flush(chance.choice([0, 0, 1, 1, 500, None]))
        if crashes < 20 and chance.random() < 0.25:
            crashes += 1
            lane = Lane(topics)
    lane.flush(None)
    assert crashes
    assert topics.said == whole.topics.said
    assert topics.record == whole.topics.record
    assert topics.states.keys() == whole.topics.states.keys()


def begun() -> Lane:
    """Return a lane of which the first record, at the frame 0, is written."""
    lane = Lane(Topics())
    lane.take(EMPTY)
    assert lane.flush(0) == 0
    return lane


def orders(offset: int, *products: str) -> bytes:
    return frames.encode(frame([order(100 * offset + place, NOON, each) for place, each in enumerate(products)]))


def test_a_checkpoint_is_written_when_all_that_had_changed_is() -> None:
    lane = begun()
    first = lane.topics.record
    lane.take(orders(1, "p1", "p2", "p3"))
    assert lane.flush(1) is None
    lane.take(orders(2, "p4", "p1"))
    assert lane.flush(1) is None
    assert lane.topics.record == first
    assert lane.flush(1) == 1
    stored = {product_id: stored_after for product_id, (_, stored_after) in lane.topics.states.items()}
    assert sorted(stored) == ["p1", "p2", "p3"]
    assert set(stored.values()) == {Place(0, 1), Place(0, 2)}
    assert lane.flush(1 << 20) == 2
    assert "p4" in lane.topics.states


def test_what_fits_is_stored_at_once_and_says_of_no_frame() -> None:
    lane = begun()
    lane.take(orders(1, "p1", "p2"))
    assert lane.flush(1 << 20) == 1
    assert {stored_after for _, stored_after in lane.topics.states.values()} == {None}


def test_the_state_of_a_product_goes_with_its_event() -> None:
    lane = begun()
    first = lane.topics.record
    lane.take(orders(1, "p1", "p2"))
    lane.take(frames.encode(frame([pause(300, NOON, "p2")])))
    assert lane.flush(0) is None
    assert [product_id for product_id, _ in lane.topics.said] == ["p2"]
    assert {each: stored_after for each, (_, stored_after) in lane.topics.states.items()} == {"p2": Place(0, 2)}
    assert lane.topics.record == first


def test_a_product_that_is_ahead_is_passed_by_until_its_frame_is_over() -> None:
    values = [EMPTY, *(frames.encode(frame([pause(number, NOON + number, "p1")])) for number in range(1, 6))]
    lane = begun()
    for value in values[1:4]:
        lane.take(value)
    lane.flush(0)
    successor = Lane(lane.topics)
    assert (successor.next, successor.ahead) == (1, {"p1": 3})
    for value in values[1:4]:
        successor.take(value)
        successor.flush(0)
    assert len(lane.topics.said) == 3
    for value in values[4:]:
        successor.take(value)
    successor.flush(None)
    assert len(lane.topics.said) == 5
    assert Lane(lane.topics).ahead == {}


def test_no_state_is_of_rules_that_the_record_does_not_know() -> None:
    lane = begun()
    lane.take(orders(1, "p1", "p2"))
    newer = DEFAULT_RULES.model_copy(update={"version": 1, "issued_at": NOON}).model_dump(mode="json")
    lane.take(frames.encode(frame([[RULES, 0, 400 * 256, NOON, "", newer], pause(401, NOON, "p1")])))
    assert lane.flush(0) == 2
    assert set(lane.topics.states) == {"p1", "p2"}
    lane.take(orders(5, "p1"))
    assert lane.flush(0) is None


def test_what_was_stored_of_another_log_says_nothing_of_this_one() -> None:
    lane = begun()
    for offset in range(1, 100):
        lane.take(orders(offset, "p2"))
    lane.take(frames.encode(frame([pause(20_000, NOON, "p1")])))
    lane.flush(0)
    lane.flush(None)
    assert lane.topics.states["p1"][1] == Place(0, 100)
    # The topic was made anew. Its first frames bring other positions of other sources.
    anew = Lane(lane.topics, log_end=0)
    assert (anew.next, anew.ahead) == (0, {})
    for offset in range(90):
        anew.take(orders(500 + offset, "p2"))
    anew.flush(0)
    assert LaneRecord.decode(cast("bytes", lane.topics.record)).log == 1
    successor = Lane(lane.topics)
    assert (successor.next, successor.ahead) == (90, {})
    for number in range(10):
        successor.take(frames.encode(frame([pause(90_000 + number, NOON + number, "p1")])))
    successor.flush(0)
    assert [product_id for product_id, _ in lane.topics.said] == ["p1"] * 11
    assert Lane(lane.topics).ahead == {"p1": 99}


@pytest.mark.parametrize("value", [b"", b"7", b"1/2/3", b"a/b"])
def test_a_damaged_header_is_an_error(value: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        place_of([("livefuse.frame", value)])
    assert place_of([("x", value)]) is None
    assert place_of(headers_of(Place(3, 41))) == Place(3, 41)
