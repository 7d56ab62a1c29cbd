"""The engine writes what the specification, read naively, says; and nothing but the signals decides what it writes.

The longer search is `HYPOTHESIS_PROFILE=thorough`.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.engine.events import Output
from streams.engine.partition import Partition
from tests.properties.reference_fuses import Written
from tests.properties.reference_rules import Signal
from tests.properties.shop import Shop
from tests.properties.strategies import seeded_timeline, timelines
from tests.properties.timelines import SOURCES, Timeline

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SHARE = 30 if THOROUGH else 1

# Most of it is work: a busy machine takes its time.
pytestmark = [pytest.mark.timeout(0 if THOROUGH else 900)]

Topics = dict[tuple[str, str], list[bytes]]


def search(examples: int) -> settings:
    """Return the settings of a search: so many timelines, always the same; thorough: thirty times as many, new ones."""
    return settings(
        max_examples=examples * SHARE,
        derandomize=not THOROUGH,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


def by_topic(outputs: Iterable[Output] | Iterable[Written]) -> Topics:
    """Return the records of each topic and product, in order: a topic's key is the product."""
    topics: Topics = defaultdict(list)
    for output in outputs:
        value = output.value if isinstance(output, Output) else orjson.dumps(output.value)
        topics[output.topic, output.product_id].append(value)
    return topics


def expected(timeline: Timeline) -> Topics:
    return by_topic(one for step in timeline.written for one in step)


class Worker:
    """A partition with the store that its states are flushed to."""

    def __init__(self, timeline: Timeline) -> None:
        self._rules = timeline.rules
        self._store: dict[str, bytes] = {}
        self.partition = Partition(0, timeline.rules)
        self.outputs: list[Output] = []

    def show(self, *steps: Signal | int) -> None:
        """Show steps to the partition, each signal and each tick on its own."""
        for step in steps:
            if isinstance(step, int):
                self.outputs += self.partition.tick(step)
            else:
                self.show_frame([step])

    def show_frame(self, signals: Sequence[Signal], chance: random.Random | None = None) -> None:
        """Show signals in one frame; with a chance given, the frame lists its sources in an order of its own."""
        order = list(range(len(SOURCES)))
        if chance is not None:
            chance.shuffle(order)
        renamed = [[signal[0], order.index(signal[1]), *signal[2:]] for signal in signals]
        self.outputs += self.partition.apply([SOURCES[index] for index in order], renamed)

    def flush(self) -> None:
        self._store.update(self.partition.take_dirty())

    def restart(self) -> None:
        """Flush, and go on with a new partition that knows nothing but what was stored."""
        self.flush()
        snapshot = self.partition.snapshot()
        self.partition = Partition(0, self._rules)
        self.partition.restore(snapshot)
        for product_id, state in self._store.items():
            self.partition.load(product_id, state)
        self.partition.loaded()


def frames(steps: Iterable[Signal | int], chance: random.Random) -> Iterator[list[Signal] | int]:
    """Cut steps into frames of random lengths; ticks stay where they are."""
    frame: list[Signal] = []
    for step in steps:
        if isinstance(step, int) or len(frame) >= chance.choice((1, 2, 5, 1000)):
            yield from [frame] if frame else []
            frame = []
        if isinstance(step, int):
            yield step
        else:
            frame.append(step)
    if frame:
        yield frame


@search(400)
@given(timelines())
def test_every_step_writes_what_the_reference_writes(timeline: Timeline) -> None:
    worker = Worker(timeline)
    for step, written in zip(timeline.steps, timeline.written, strict=True):
        before = len(worker.outputs)
        worker.show(step)
        assert by_topic(islice(worker.outputs, before, None)) == by_topic(written), step


@search(200)
@given(timelines(), st.integers(0, 2**32))
def test_neither_frames_nor_restarts_nor_repeated_delivery_change_anything(timeline: Timeline, seed: int) -> None:
    chance = random.Random(seed)
    worker = Worker(timeline)
    delivered: list[Signal] = []
    for frame in frames(timeline.steps, chance):
        if isinstance(frame, int):
            worker.show(frame)
        else:
            delivered += frame
            again = delivered[-chance.choice((len(frame), len(frame) + 3, len(delivered))) :]
            worker.show_frame(chance.choice((frame, frame, again)), chance)
        what = chance.randrange(12)
        if what < 4:
            worker.flush()
        elif what < 7:
            worker.restart()
        elif what < 9:
            worker.show_frame(delivered[-chance.randrange(1, 30) :], chance)
    assert by_topic(worker.outputs) == expected(timeline)


@search(100)
@given(timelines(), st.integers(0, 2**32))
def test_ticks_before_later_signals_change_nothing(timeline: Timeline, seed: int) -> None:
    chance = random.Random(seed)
    ordered = timeline.in_order()
    worker = Worker(ordered)
    times = [step[3] for step in ordered.steps if not isinstance(step, int)]
    for step, following in zip(ordered.steps, [*times[1:], times[-1] + 1 if times else 0], strict=False):
        worker.show(step)
        last = following - 1
        now = step if isinstance(step, int) else step[3]
        if now <= last and chance.randrange(2):
            worker.show(*sorted({chance.randint(now, last), chance.choice((now, last))}))
    # A tick at the very end fires what is due: both are brought to the same time.
    end = max(times, default=0) + 10_000
    worker.show(end)
    with_end = Timeline.of(ordered.rules, [*ordered.steps, end])
    assert by_topic(worker.outputs) == expected(with_end)


@pytest.mark.parametrize("more_than", [63, 70])
def test_a_crowd_of_complaints_and_more_facts_than_are_remembered(more_than: int) -> None:
    surge = {"id": "surge", "kind": "complaint_surge", "more_than": more_than, "window": "10s", "lateness": "2m"}
    shop = Shop(surge, surge | {"id": "early", "window": "10s", "more_than": 8})
    chance = random.Random(more_than)
    for number in range(300):
        shop.complain(number / 4 + chance.choice((0, -9, 3, -40, -0.25)), f"c{number}")
    shop.command(100, "resume")
    for number in range(300, 420):
        shop.complain(40 + number / 40 + chance.choice((0, -9, 3, -80)), f"c{number - chance.choice((0, 0, 299))}")
    for number in range(1100):
        shop.order(200 + number / 100, order=f"o{number}")
    for number in range(40, 90):
        shop.order(600, order=f"o{number}")
    shop.complain(601)
    assert shop.reference.hits["complaint_surge.cut"] > 0
    timeline = shop.timeline()
    worker = Worker(timeline)
    worker.show(*timeline.steps)
    assert by_topic(worker.outputs) == expected(timeline)


def test_the_timelines_reach_everything() -> None:
    hits = Counter[str]()
    for seed in range(200):
        hits += seeded_timeline(seed, 90).hits
    assert [branch for branch in BRANCHES if not hits[branch]] == []


BRANCHES = [
    *(f"event.fuse.{name}" for name in ("opened", "acknowledged", "probation", "closed")),
    *("event.override.set", "event.override.cleared", "event.command.rejected"),
    *(
        f"trip.{kind}.{state}.{mode}"
        for kind in ("complaint_surge", "return_spike", "oversell")
        for state in ("closed", "probation")
        for mode in ("enforce", "shadow")
    ),
    *(f"rejected.{action}.conflict" for action in ("pause", "allow", "release", "resume", "acknowledge")),
    *("rejected.pause.expired", "rejected.allow.expired", "rejected.allow.expiry_missing"),
    *("rejected.allow.expiry_too_far", "rejected.release.nothing_to_release"),
    *("rejected.resume.nothing_open", "rejected.acknowledge.nothing_open"),
    *("rejected.acknowledge.already_acknowledged", "resume.several", "acknowledge.several"),
    *("closed.open.rule", "closed.open.rules", "closed.open.operator", "closed.probation.timer"),
    *("closed.probation.rules", "oversell.closed by 1", "oversell.closed by 4"),
    *(f"cooldown.doubled {times} times" for times in (0, 1, 2)),
    *("cooldown.longest", "cooldown.after a day", "timer.tie"),
    *("complaint_surge.counted", "complaint_surge.late", "complaint_surge.known", "complaint_surge.late trip"),
    *("return_spike.late", "return_spike.restarted"),
    *("oversell.late.0", "oversell.late.1", "oversell.late.4", "oversell.older.4"),
    *("override.applied", "override.replaced", "override.expired allowed", "override.expired paused"),
    *("paused.all SKUs", "paused.some SKUs", "rules.ignored"),
    *(f"repeat.{kind}" for kind in (0, 1, 2, 3, 5)),
    *(f"forgotten.{kind}" for kind in (0, 1, 2, 3, 5)),
    *("replenishment.requested by the record", "replenishment.requested when hot"),
    *("replenishment.armed again", "replenishment.in shadow"),
]
"""The branches of the reference that the seeds must reach."""
