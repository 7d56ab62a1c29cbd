"""What released versions have written is read and continued with the same outcome (docs/upgrades.md).

Also what they may still have to read: what this version writes, while both run or after a way back.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import FrameError, StateError
from schemas.rules import DEFAULT_RULES, RuleSet
from schemas.times import to_ms
from streams import frames
from streams.engine import codec
from streams.engine.fuse import CLOSED, OPEN, PROBATION
from streams.engine.kinds import BY_CODE
from streams.engine.partition import Partition
from streams.engine.signals import TICK
from streams.worker.store import LaneRecord
from tests.corpus import released
from tests.corpus.released import Lane, Story, as_bytes


def number(file: Path) -> str:
    return file.name.removesuffix(".jsonl.xz")


FILES = sorted(released.DIRECTORY.glob("*.jsonl.xz"), key=lambda file: [int(part) for part in number(file).split(".")])


def stories() -> list[Any]:
    return [
        pytest.param(story, id=f"{number(file)}-{place}")
        for file in FILES
        for place, story in enumerate(released.read(file).stories)
    ]


def canonical(states: dict[str, bytes]) -> dict[str, bytes]:
    """Return states as they are written today."""
    return {product_id: codec.encode(codec.decode(product_id, value)) for product_id, value in states.items()}


@pytest.mark.parametrize("story", stories())
def test_what_a_release_left_behind_is_continued_with_the_same_outcome(story: Story) -> None:
    lane = Lane.opened(story.record.encode("latin-1"), as_bytes(story.states))
    said = lane.take(each.encode("latin-1") for each in story.frames[lane.next :])
    lane.save()
    assert said == story.said
    assert canonical(lane.states) == canonical(as_bytes(story.end))


@pytest.mark.parametrize("story", stories())
def test_the_frames_of_a_release_give_the_same_outcome_from_the_beginning(story: Story) -> None:
    lane = Lane(RuleSet.model_validate(story.rules))
    values = [each.encode("latin-1") for each in story.frames]
    lane.take(values[: story.half])
    assert lane.take(values[story.half :]) == story.said


@pytest.mark.parametrize("file", FILES, ids=number)
def test_the_bytes_of_a_release_have_everything_in_them(file: Path) -> None:
    kinds, held = Counter[int](), 0
    codes, fuses, memories, causes = set[str](), set[str](), set[int](), set[str]()
    settled, overrides, timers = set[bool](), set[bool](), 0
    others = set[bool]()
    for story in released.read(file).stories:
        for text in story.frames:
            frame = frames.decode(text.encode("latin-1"))
            kinds.update(signal[0] for signal in frame.signals)
            others.add(bool(frame.others))
        record = LaneRecord.decode(story.record.encode("latin-1"))
        held += record.position < story.half - 1
        for product_id, value in as_bytes(story.states).items():
            state = codec.decode(product_id, value)
            settled.add(codec.is_settled(value))
            overrides.add(state.override is not None)
            timers += state.due is not None
            codes |= {kind.code for kind, _ in state.evidence.values()}
            fuses |= {fuse.state for fuse in state.all_fuses()}
            memories |= {place for place, memory in enumerate(state.memories) if memory}
        causes |= {topic for topic, _ in story.said}
    assert set(kinds) == set(range(TICK + 1))
    assert codes == set(BY_CODE)
    assert fuses == {OPEN, CLOSED, PROBATION}
    assert memories == {0, 1, 2, 3}
    assert settled == overrides == others == {True, False}
    assert min(held, timers) > 0
    assert causes == {"fuse-events", "replenishment"}


def test_the_release_before_reads_what_this_one_writes() -> None:
    # While both run, and after a way back. A new version is read by one release and written by the next one.
    before = released.read(FILES[-1])
    for name, version in released.WRITES.items():
        assert version in before.reads[name], f"{number(FILES[-1])} cannot read the {name} that is written here"


def test_the_release_before_knows_the_fields_of_the_rules_that_this_one_writes() -> None:
    # They stand in frames and in the lane's record, and unknown ones are refused there.
    before = {rule["kind"]: rule for rule in released.read(FILES[-1]).rules["rules"]}
    for rule in DEFAULT_RULES.model_dump(mode="json")["rules"]:
        assert rule.keys() <= before[rule["kind"]].keys()


@pytest.mark.parametrize("file", FILES, ids=number)
def test_every_version_that_was_ever_written_is_read(file: Path) -> None:
    for name, version in released.read(file).writes.items():
        assert version in released.READS[name]


def test_a_state_of_a_newer_version_is_refused_when_the_lane_opens_also_a_settled_one() -> None:
    found = ((story, as_bytes(story.states)) for story in released.read(FILES[-1]).stories)
    story, states, settled = next(
        (story, states, each) for story, states in found for each, value in states.items() if codec.is_settled(value)
    )
    states[settled] = bytes([codec.VERSION + 1]) + states[settled][1:]
    with pytest.raises(StateError, match=rf"state of product {settled} is of version 2, written by a newer livefuse"):
        Lane.opened(story.record.encode("latin-1"), states)


def test_a_newer_lane_record_and_a_newer_snapshot_are_refused() -> None:
    story = released.read(FILES[-1]).stories[0]
    record = story.record.encode("latin-1")
    with pytest.raises(StateError, match=r"lane's record is of version 2, written by a newer livefuse.*upgrades\.md"):
        LaneRecord.decode(b"\x02" + record[1:])
    snapshot = LaneRecord.decode(record).partition
    with pytest.raises(StateError, match="snapshot is of version 2, written by a newer"):
        Partition(0, DEFAULT_RULES).restore(snapshot.replace(b'{"v":1,', b'{"v":2,', 1))
    for damaged in (b"", b"{}", snapshot[:-1], snapshot.replace(b'"severity"', b'"of_the_future"')):
        with pytest.raises(StateError, match="damaged, or of a newer"):
            Partition(0, DEFAULT_RULES).restore(damaged)


def test_a_newer_frame_is_refused_and_says_what_to_do() -> None:
    value = released.read(FILES[-1]).stories[0].frames[0].encode("latin-1")
    with pytest.raises(FrameError, match=r"frame is of version 2, written by a newer livefuse.*workers before intakes"):
        frames.decode(value.replace(b'{"v":1,', b'{"v":2,', 1))
    with pytest.raises(FrameError, match="which no livefuse has written"):
        frames.decode(value.replace(b'{"v":1,', b'{"v":"1",', 1))


def test_the_stories_of_a_release_can_be_made_again(tmp_path: Path) -> None:
    file = tmp_path / "9.9.9.jsonl.xz"
    released.write(file)
    assert to_ms("2000-01-01T00:00:00Z") < max(
        signal[3] for signal in frames.decode(released.read(file).stories[0].frames[0].encode("latin-1")).signals
    )
    assert file.stat().st_size < 60_000, "compact enough to be kept for every release"
