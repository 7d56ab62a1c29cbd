"""Frames of several intakes come out in one order, the same after a crash at any place.

The intakes here read sources in turns: who reads which changes with time, some stand still for a while and write what
they had in hand when they go on. All that they write stands in one log.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import TopicNames
from streams.engine.signals import COMPLAINT, LINES_PER_OFFSET, Signal
from streams.frames import Frame, decode, encode
from streams.merge import NEVER, Merge
from streams.worker import alignment
from streams.worker.alignment import LEASE_MS, Alignment, source_rank

A, B, C = "live.orders/0", "live.orders/1", "live.returns/0"
RANK = source_rank(TopicNames())

Identity = tuple[str, int]


def signal(source: int, position: int, time: int) -> Signal:
    return [COMPLAINT, source, position * LINES_PER_OFFSET, time, "p", f"k{position}", "other", None]


def frame(own: str, others: str = "", *, passed: int = 0, live: bool = False, signals: str = "") -> Frame:
    """Write a frame as a picture: sources "A B", signals "A1@100 B7@120" (source, position, time)."""
    names = {"A": A, "B": B, "C": C}
    sources = [names[each] for each in own.split()]
    items = []
    for each in signals.split():
        head, time = each.split("@")
        items.append(signal(sources.index(names[head[0]]), int(head[1:]), int(time)))
    return Frame("w", sources, [names[each] for each in others.split()], passed, live, items)


@dataclass
class Reader:
    """A lane without a broker: it applies what is released, may save itself, and be brought back from what it saved."""

    applied: list[Identity] = field(default_factory=list)
    ticks: list[tuple[int, int]] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with an empty log."""
        self.alignment = Alignment(RANK, lambda: self.positions)
        self.next = 0

    def read(self, each: Frame) -> list[str]:
        """Read the next frame; return what it sets free, as "A1"."""
        letters = {A: "A", B: "B", C: "C"}
        release = self.alignment.add(self.next, decode(encode(each)))
        freed = []
        for item in release.signals:
            name, position = release.sources[item[1]], item[2]
            if position > self.positions.get(name, -1):
                self.positions[name] = position
                self.applied.append((name, position))
                freed.append(f"{letters.get(name, name)}{position // LINES_PER_OFFSET}")
        # What a tick brings about depends on the largest one and on the signals in front of it.
        if release.tick > (self.ticks[-1][1] if self.ticks else 0):
            self.ticks.append((len(self.applied), release.tick))
        self.next += 1
        return freed

    def save(self) -> dict[str, Any]:
        """Return what a flush writes."""
        saved: dict[str, Any] = json.loads(
            json.dumps(
                {
                    "position": self.alignment.position,
                    "alignment": self.alignment.snapshot(),
                    "positions": self.positions,
                    "applied": self.applied,
                    "ticks": self.ticks,
                }
            )
        )
        return saved

    @classmethod
    def back(cls, saved: Mapping[str, Any]) -> "Reader":
        """Return the lane that a successor opens."""
        reader = cls(
            [(name, position) for name, position in saved["applied"]],
            [(count, tick) for count, tick in saved["ticks"]],
            dict(saved["positions"]),
        )
        reader.alignment.restore(saved["position"], saved["alignment"])
        reader.next = saved["position"] + 1
        return reader


def test_one_intake_is_obeyed_at_once_even_out_of_order() -> None:
    reader = Reader()
    assert reader.read(frame("A B", passed=90, signals="A1@120 B1@100")) == ["A1", "B1"]
    assert reader.ticks == [(2, 90)]
    assert reader.alignment.position == 0


def test_a_signal_waits_until_the_other_intake_has_passed_its_time() -> None:
    reader = Reader()
    assert reader.read(frame("A", "B", passed=200, signals="A1@100 A2@200")) == []
    assert reader.read(frame("B", "A", passed=149, signals="B1@50")) == ["B1", "A1"]
    assert reader.read(frame("B", "A", passed=300, signals="B2@150")) == ["B2", "A2"]


def test_the_position_stays_before_the_oldest_frame_with_a_held_signal() -> None:
    reader = Reader()
    reader.read(frame("A", "B", passed=100, signals="A1@100"))
    reader.read(frame("A", "B", passed=500, signals="A2@500"))
    assert reader.alignment.position == -1
    reader.read(frame("B", "A", passed=300))
    assert reader.alignment.position == 0
    reader.read(frame("B", "A", passed=500))
    assert reader.alignment.position == 3


def test_a_tick_tells_only_what_all_have_passed_and_nothing_held() -> None:
    reader = Reader()
    reader.read(frame("A", "B", passed=1_000, signals="A1@400"))
    assert reader.ticks == []
    reader.read(frame("B", "A", passed=398))
    assert reader.ticks == [(0, 398)]
    reader.read(frame("B", "A", passed=2_000))
    assert reader.ticks == [(0, 398), (1, 1_000)]


def test_a_caught_up_intake_counts_as_far_as_it_has_looked() -> None:
    reader = Reader()
    reader.read(frame("B", "A", passed=10_000, live=True))
    assert reader.read(frame("A", "B", passed=9_000, live=True, signals=f"A1@{10_000 + LEASE_MS}")) == ["A1"]
    assert reader.read(frame("A", "B", passed=9_500, live=True, signals=f"A2@{10_002 + LEASE_MS}")) == []


def test_a_source_of_which_nothing_was_heard_holds_up_everything() -> None:
    reader = Reader()
    reader.read(frame("B", "A C", passed=NEVER // 2))
    assert reader.read(frame("A", "B C", passed=100, signals="A1@100")) == []
    assert reader.read(frame("C", "A B", passed=100)) == ["A1"]


def test_a_source_that_no_intake_names_any_more_holds_up_nobody() -> None:
    reader = Reader()
    assert reader.read(frame("A", "B C", passed=100, signals="A1@100")) == []
    assert reader.read(frame("B", "A", passed=100)) == ["A1"]


def test_what_another_intake_wrote_again_is_not_queued_again() -> None:
    reader = Reader()
    reader.read(frame("A", "B", passed=100, signals="A1@100 A2@110"))
    reader.read(frame("A B", passed=50, signals="A1@100 A2@110 A3@120"))
    assert reader.alignment.held == 3
    assert reader.read(frame("A B", passed=200)) == ["A1", "A2", "A3"]


def test_a_frame_of_an_intake_that_stood_still_sets_free_no_more_than_it_knows() -> None:
    reader = Reader()
    reader.read(frame("A", "B", passed=5_000, signals="A9@5000"))
    # Once the only one, stopped, and going on now that others have its sources.
    assert reader.read(frame("A B", passed=3_000, signals="A2@2900 B2@3000")) == ["B2"]
    assert reader.read(frame("B", "A", passed=6_000, signals="B3@4000")) == ["B3", "A9"]


def test_too_many_held_signals_are_released(monkeypatch: Any) -> None:
    monkeypatch.setattr(alignment, "HELD_LIMIT", 2)
    reader = Reader()
    assert reader.read(frame("A", "B", passed=100, signals="A1@10 A2@20")) == []
    assert reader.read(frame("A", "B", passed=100, signals="A3@30")) == ["A1", "A2", "A3"]
    assert (reader.alignment.held, reader.alignment.overflows) == (0, 1)


def test_ties_go_by_topic_then_partition() -> None:
    names = TopicNames()
    ranks = [RANK(f"{topic}/{number}") for topic in names.inputs for number in (0, 1)]
    assert ranks == sorted(set(ranks))
    assert RANK("renamed/0") > ranks[-1]
    assert RANK("renamed/0") != RANK("renamed/1")


def written_log(
    choices: random.Random, *, late: bool, live: bool
) -> tuple[list[Frame], dict[str, list[tuple[int, int]]]]:
    """Return a log that intakes might have written, and the signals of the sources as (position, time)."""
    names = [A, B, C][: choices.randint(1, 3)]
    sources: dict[str, list[tuple[int, int]]] = {}
    for name in names:
        time, sources[name] = 1_000, []
        for position in range(1, choices.randint(1, 25)):
            time += choices.randint(0, 400)
            earlier = choices.randint(0, 600) if late and choices.random() < 0.3 else 0
            sources[name].append((position * LINES_PER_OFFSET, time - earlier))
    committed = dict.fromkeys(names, 0)
    log: list[Frame] = []
    intakes: list[Intake] = []
    zombies: list[Intake] = []
    for _ in range(choices.randint(5, 40)):
        if not intakes or choices.random() < 0.12:
            zombies += [each for each in intakes if choices.random() < 0.5]
            owners = choices.randint(1, min(2, len(names)))
            shares: list[list[str]] = [[] for _ in range(owners)]
            for name in names:
                choices.choice(shares).append(name)
            intakes = [Intake(share, names, dict(committed), sources) for share in shares if share]
        intake = choices.choice(intakes)
        log.append(intake.write(choices, live=live))
        if choices.random() < 0.5:
            committed |= {name: intake.read[name] for name in intake.own if intake.read[name] >= committed[name]}
        if zombies and choices.random() < 0.2:
            log.append(zombies.pop().write(choices, live=False))
    last = Intake(names, names, dict(committed), sources)
    for _ in range(200):
        log.append(last.write(choices, live=False))
        if all(last.read[name] == len(sources[name]) for name in names):
            break
    log += [Frame("w", names, [], 1_000_000 + step, live=False, signals=[]) for step in range(2)]
    return log, sources


class Intake:
    """Merges some of the sources, from where they were committed."""

    def __init__(
        self, own: list[str], names: list[str], read: dict[str, int], sources: dict[str, list[tuple[int, int]]]
    ) -> None:
        self.own = own
        self.read = read
        self._others = [name for name in names if name not in own]
        self._sources = sources
        self._merge = Merge()
        self._pushed = dict(read)
        for name in own:
            self._merge.add(name, RANK(name))

    def write(self, choices: random.Random, *, live: bool) -> Frame:
        """Read on and return a frame of what may go."""
        for name in self.own:
            begin, count = self._pushed[name], choices.randint(0, 4)
            run = self._sources[name][begin : begin + count]
            self._pushed[name] += len(run)
            self._merge.push(name, [(time, (name, position, time)) for position, time in run])
            if self._pushed[name] == len(self._sources[name]):
                self._merge.advance(name, 900_000)
        entries = self._merge.take()
        signals = []
        for *_, (name, position, time) in entries:
            signals.append(signal(self.own.index(name), position // LINES_PER_OFFSET, time))
            self.read[name] = position // LINES_PER_OFFSET
        return Frame("w", self.own, self._others, self._merge.bound() - 1, live and choices.random() < 0.5, signals)


@settings(max_examples=300)
@given(seed=st.integers(0, 1 << 32), late=st.booleans(), live=st.booleans())
def test_a_crash_at_any_place_changes_nothing(*, seed: int, late: bool, live: bool) -> None:
    choices = random.Random(seed)
    log, _ = written_log(choices, late=late, live=live)
    steady = Reader()
    for each in log:
        steady.read(each)
    unsteady, saved = Reader(), Reader().save()
    while unsteady.next < len(log):
        unsteady.read(log[unsteady.next])
        if choices.random() < 0.3 and not unsteady.alignment.refilling:
            saved = unsteady.save()
        if choices.random() < 0.2:
            unsteady = Reader.back(saved)
    assert unsteady.applied == steady.applied
    assert unsteady.ticks == steady.ticks
    assert unsteady.alignment.snapshot() == steady.alignment.snapshot()


@settings(max_examples=300)
@given(seed=st.integers(0, 1 << 32))
def test_sources_in_time_order_come_out_in_time_order_whoever_read_them(seed: int) -> None:
    log, sources = written_log(random.Random(seed), late=False, live=False)
    reader = Reader()
    for each in log:
        reader.read(each)
    in_order = sorted((time, RANK(name), position, name) for name, items in sources.items() for position, time in items)
    assert reader.applied == [(name, position) for _, _, position, name in in_order]
    assert reader.alignment.held == 0
