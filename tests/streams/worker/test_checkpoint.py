"""Checkpoints: whatever is stored when, and wherever a lane dies, its successor says what the lane would have said."""

from dataclasses import dataclass, field
from itertools import count
from random import Random

import pytest

from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames
from streams import frames
from streams.engine.events import Output
from streams.engine.partition import Partition
from streams.worker.alignment import Alignment, source_rank
from streams.worker.checkpoint import Checkpoints
from streams.worker.store import LANE_KEY, LaneRecord, frame_of
from tests.corpus.released import of_one_intake, of_two_intakes, timeline
from tests.kafka.worker_rig import NOON, frame, order, pause

NAMES = TopicNames()
Said = list[tuple[str, bytes]]


@dataclass
class Topics:
    """What has been committed: of the lane, of products (value and frame), and what was said."""

    record: bytes | None = None
    states: dict[str, tuple[bytes, int | None]] = field(default_factory=dict)
    said: Said = field(default_factory=list)


class Lane:
    """A lane without Faust, Kafka and clock: it is told when to store how much."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.partition = Partition(0, DEFAULT_RULES)
        self.alignment = Alignment(source_rank(NAMES), lambda: self.partition.positions)
        self.checkpoints = Checkpoints(self.partition, self.alignment)
        self.next = 0
        self._outputs: list[Output] = []
        for product_id, (value, stored_after) in topics.states.items():
            self.partition.load(product_id, value, stored_after)
        if topics.record is not None:
            record = LaneRecord.decode(topics.record)
            self.partition.restore(record.partition)
            self.alignment.restore(record.position, record.alignment)
            self.next = record.position + 1
        self.partition.loaded()

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
                self.topics.states[key.decode()] = value, frame_of(headers)
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


def test_a_checkpoint_is_written_when_all_that_had_changed_is() -> None:
    lane = Lane(Topics())
    offsets = count()

    def take(*products: str) -> None:
        lane.take(frames.encode(frame([order(next(offsets) + 1, NOON, product) for product in products])))

    take("p1", "p2", "p3")
    assert lane.flush(1) is None
    take("p4", "p1")
    assert lane.flush(1) is None
    assert lane.topics.record is None
    assert lane.flush(1) == 0
    stored = {product_id: stored_after for product_id, (_, stored_after) in lane.topics.states.items()}
    assert sorted(stored) == ["p1", "p2", "p3"]
    assert set(stored.values()) <= {0, 1}
    assert lane.flush(1 << 20) == 1
    assert "p4" in lane.topics.states


def test_what_fits_is_stored_at_once_and_says_of_no_frame() -> None:
    lane = Lane(Topics())
    lane.take(frames.encode(frame([order(1, NOON, "p1"), order(2, NOON, "p2")])))
    assert lane.flush(1 << 20) == 0
    assert {stored_after for _, stored_after in lane.topics.states.values()} == {None}


def test_the_state_of_a_product_goes_with_its_event() -> None:
    lane = Lane(Topics())
    lane.take(frames.encode(frame([order(1, NOON, "p1"), order(2, NOON, "p2")])))
    lane.take(frames.encode(frame([pause(3, NOON, "p2")])))
    assert lane.flush(0) is None
    assert [product_id for product_id, _ in lane.topics.said] == ["p2"]
    assert {each: stored_after for each, (_, stored_after) in lane.topics.states.items()} == {"p2": 1}
    assert lane.topics.record is None


def test_a_product_that_is_ahead_is_passed_by_until_its_frame_is_over() -> None:
    values = [frames.encode(frame([pause(number, NOON + number, "p1")])) for number in range(1, 6)]
    lane = Lane(Topics())
    for value in values[:3]:
        lane.take(value)
    lane.flush(0)
    successor = Lane(lane.topics)
    assert (successor.next, successor.partition.ahead) == (0, 2)
    for value in values[:3]:
        successor.take(value)
        successor.flush(0)
    assert len(lane.topics.said) == 3
    for value in values[3:]:
        successor.take(value)
    successor.flush(None)
    assert len(lane.topics.said) == 5
    assert Lane(lane.topics).partition.ahead == -1
