"""What a release leaves behind in Kafka: the bytes that every later one must read, and what must come of them.

    python -m tests.corpus.released 0.2.0        when a release is made: writes tests/corpus/releases/0.2.0.jsonl.xz

A file begins with a line of what the release writes and reads. Each further line is the story of one lane: its frames,
its record and its states in the middle of them, then what it said of the rest and the states at the end. Bytes stand
there as text of Latin-1, so that JSON can hold them.
"""

import lzma
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson

from schemas.rules import DEFAULT_RULES, RuleSet
from schemas.topics import TopicNames
from streams import frames
from streams.engine import codec, partition
from streams.engine.partition import Partition
from streams.engine.signals import ORDER, Signal, tick_before
from streams.frames import Frame
from streams.worker import store
from streams.worker.alignment import Alignment, source_rank
from streams.worker.store import LaneRecord
from tests.properties.timelines import SOURCES, Timeline, Writer

DIRECTORY: Final = Path(__file__).with_name("releases")

WRITES: Final = {
    "state": codec.VERSION,
    "snapshot": partition.VERSION,
    "lane": store.VERSION,
    "frame": frames.VERSION,
}
"""The version of each format in which this release writes."""

READS: Final = {name: [version] for name, version in WRITES.items()}
"""The versions of each format that this release reads. A new one is added here a release before it is written."""

_LANES: Final = 8
_STEPS: Final = 90
_PER_FRAME: Final = 5
_NAMES: Final = TopicNames()


Said = list[list[str]]
"""Records of the outputs: `fuse-events` or `replenishment`, and the value."""


@dataclass
class Story:
    """One lane: `frames` from offset 0; `record` and `states` after `half` of them, `said` and `end` after all."""

    rules: dict[str, Any]
    frames: list[str]
    half: int
    record: str
    states: dict[str, str]
    said: Said
    end: dict[str, str]


@dataclass
class Release:
    """What a file tells: the formats of the release, the fields of its rules, and stories."""

    writes: dict[str, int]
    reads: dict[str, list[int]]
    rules: dict[str, Any]
    stories: list[Story] = field(default_factory=list)


class Lane:
    """What a worker's lane does with frames, without a broker."""

    def __init__(self, rules: RuleSet) -> None:
        self.partition = Partition(0, rules)
        self.alignment = Alignment(source_rank(_NAMES), lambda: self.partition.positions)
        self.next = 0
        self.states: dict[str, bytes] = {}

    @classmethod
    def opened(cls, record: bytes, states: dict[str, bytes]) -> "Lane":
        """Open a lane as a worker does, with what an earlier one has stored."""
        lane = cls(DEFAULT_RULES)
        for product_id, value in states.items():
            lane.partition.load(product_id, value)
        found = LaneRecord.decode(record)
        lane.partition.restore(found.partition)
        lane.partition.loaded()
        lane.alignment.restore(found.position, found.alignment)
        lane.next = found.position + 1
        lane.states = dict(states)
        return lane

    def take(self, values: Iterable[bytes]) -> Said:
        """Apply the next frames; return what is said."""
        said: Said = []
        for value in values:
            release = self.alignment.add(self.next, frames.decode(value))
            outputs = self.partition.apply(release.sources, release.signals)
            outputs += self.partition.tick(release.tick)
            said += [[each.topic, each.value.decode("latin-1")] for each in outputs]
            self.next += 1
        return said

    def save(self) -> bytes:
        """Store what has changed; return the lane's record."""
        self.states.update(self.partition.take_dirty())
        return LaneRecord(self.alignment.position, self.alignment.snapshot(), self.partition.snapshot()).encode()


def timeline(seed: int) -> Timeline:
    """Return a timeline of random steps under random rules."""
    chance = Random(seed)
    writer = Writer(chance.randbytes(60))
    for _ in range(_STEPS):
        writer.step(chance.randbytes(24))
    return writer.timeline()


def of_one_intake(steps: Sequence[Signal | int]) -> Iterator[Frame]:
    """Yield frames as a sole intake writes them, late signals behind their ticks."""
    latest, batch = 0, list[Signal]()
    for step in steps:
        if isinstance(step, int):
            yield Frame("a", list(SOURCES), [], max(0, latest - 1), live=False, signals=batch)
            yield Frame("a", list(SOURCES), [], step, live=True, signals=[])
            batch = []
            continue
        if step[3] < latest:
            batch.append(tick_before(latest))
        latest = max(latest, step[3])
        batch.append(list(step))
        if len(batch) > _PER_FRAME:
            yield Frame("a", list(SOURCES), [], latest - 1, live=False, signals=batch)
            batch = []
    yield Frame("a", list(SOURCES), [], latest, live=False, signals=batch)


def of_two_intakes(steps: Sequence[Signal | int]) -> Iterator[Frame]:
    """Yield frames as two intakes write them, in turns: one has the orders, the other one all that is left."""
    sides = [[name for name in SOURCES if ("orders" in name) == orders] for orders in (True, False)]
    batches: list[list[Signal]] = [[], []]
    latest = [0, 0]
    for number, step in enumerate(steps):
        if not isinstance(step, int):
            side = 0 if step[0] <= ORDER + 1 else 1
            batches[side].append([step[0], sides[side].index(SOURCES[step[1]]), *step[2:]])
            latest[side] = max(latest[side], step[3])
        if number % _PER_FRAME == 0:
            side = number // _PER_FRAME % 2
            yield Frame("ab"[side], sides[side], sides[1 - side], max(0, latest[side] - 1), False, batches[side])  # noqa: FBT003
            batches[side] = []


def told(seed: int) -> Story:
    """Make a story with the code of today."""
    line = timeline(seed)
    steps = [step if isinstance(step, int) else list(step) for step in line.steps]
    made = of_two_intakes(steps) if seed % 2 else of_one_intake(steps)
    values = [frames.encode(each) for each in made]
    half = len(values) * 2 // 3
    lane = Lane(line.rules)
    lane.take(values[:half])
    record = lane.save()
    states = dict(lane.states)
    resumed = Lane.opened(record, states)
    said = resumed.take(values[resumed.next :])
    resumed.save()
    return Story(
        line.rules.model_dump(mode="json"),
        [each.decode("latin-1") for each in values],
        half,
        record.decode("latin-1"),
        as_text(states),
        said,
        as_text(resumed.states),
    )


def as_text(states: dict[str, bytes]) -> dict[str, str]:
    """Return states as they stand in a file."""
    return {product_id: value.decode("latin-1") for product_id, value in states.items()}


def as_bytes(states: dict[str, str]) -> dict[str, bytes]:
    """Inverse of :func:`as_text`."""
    return {product_id: value.encode("latin-1") for product_id, value in states.items()}


def write(path: Path) -> None:
    """Write the file of a release that is made now."""
    head = Release(WRITES, READS, DEFAULT_RULES.model_dump(mode="json"))
    lines = [head, *(told(seed) for seed in range(_LANES))]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(b"\n".join(map(orjson.dumps, lines)), preset=9))


def read(path: Path) -> Release:
    """Read the file of a release."""
    head, *stories = map(orjson.loads, lzma.decompress(path.read_bytes()).splitlines())
    release = Release(**head)
    release.stories = [Story(**each) for each in stories]
    return release


if __name__ == "__main__":
    write(DIRECTORY / f"{sys.argv[1]}.jsonl.xz")
