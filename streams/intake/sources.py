"""The sources of an intake: the partitions that it was given, what it has read of them, and how far that is.

When a source is caught up::

    fetches of the source   ──t1────────────t2──────────▶
    in the answer of t2     up to offset 40, the end was 40

The answer that was read at t2 belongs to a request that was sent after t1, because there is one at a time. So at t1, at
least, there was nothing behind 40; whether that also holds at t2 a process cannot know, it may have stood still in
between. ``sure_ms`` is therefore t1, and a source is caught up while that is not long ago.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from streams.engine.signals import LINES_PER_OFFSET, Signal
from streams.intake.consumer import PartitionState
from streams.intake.health import Place
from streams.merge import Merge

FRESH_MS: Final = 1_000
"""How long a source counts as caught up after it was known to be."""

UNREACHABLE_S: Final = 30.0
"""A source of which the broker tells nothing for so long, while it tells of others, holds nobody up any more."""

_LONGEST_STEP_S: Final = 0.5
_RANKS_PER_TOPIC: Final = 1_000_000


class Progress(NamedTuple):
    """All signals up to ``passed`` (ms), late ones excepted, have been taken; ``live``: all sources are caught up."""

    passed: int
    live: bool


class Source:
    """One partition of an input topic. ``silent_s``: how long the broker has told nothing of it while it could have.

    ``passed_over_s`` counts of that only the time in which others were told of: a cut cable is nobody's fault.
    """

    def __init__(self, partition: TopicPartition, rank: int, state: PartitionState, now_ms: int) -> None:
        self.partition = partition
        self.name = f"{partition.topic}/{partition.partition}"
        self.rank = rank
        self.state = state
        self.sure_ms = now_ms
        self.caught_up = False
        self.unreachable = False
        self._polled_ms = now_ms
        self.silent_s = 0.0
        self.passed_over_s = 0.0

    def observe(self, now_ms: int, step_s: float, *, waiting: bool) -> bool:
        """Look at what the last fetch told; ``waiting``: nothing is queued. True if a fetch was answered since."""
        state = self.state
        polled_ms = state.timestamp
        answered = polled_ms is not None and polled_ms != self._polled_ms
        if answered and polled_ms is not None:
            self.sure_ms, self._polled_ms = self._polled_ms, polled_ms
        if waiting and not answered:
            self.silent_s += step_s
        else:
            self.silent_s = self.passed_over_s = 0.0
        end = self.end
        self.caught_up = (
            end is not None and state.has_valid_position and state.position >= end and now_ms - self.sure_ms < FRESH_MS
        )
        return answered

    def pass_over(self, step_s: float) -> None:
        """Take down that others were told of; decide whether to go on without this source if nothing was told of it."""
        if self.silent_s:
            self.passed_over_s += step_s
        self.unreachable = self.passed_over_s > UNREACHABLE_S

    @property
    def end(self) -> int | None:
        """Return the offset behind the last record that can be read, as of the last fetch; None before the first."""
        state = self.state
        return state.highwater if state.lso is None or state.lso < 0 else state.lso

    @property
    def lag(self) -> int:
        """Return how many offsets of the source have not been read."""
        end = self.end
        return 0 if end is None or not self.state.has_valid_position else max(0, end - self.state.position)


class SourceTable:
    """The sources of one assignment, merged by event time.

    ``topics`` are the input topics in the order of ties, ``counts`` their numbers of partitions. Signals name a source
    by its index in ``names``; ``others`` are the sources that other intakes have.
    """

    def __init__(
        self,
        states: Mapping[TopicPartition, PartitionState],
        topics: Sequence[str],
        counts: Mapping[str, int],
        now_ms: int,
    ) -> None:
        ranked = sorted(states, key=lambda each: (topics.index(each.topic), each.partition))
        self.sources = [
            Source(each, topics.index(each.topic) * _RANKS_PER_TOPIC + each.partition, states[each], now_ms)
            for each in ranked
        ]
        self.names = [source.name for source in self.sources]
        own = set(self.names)
        everything = (f"{topic}/{number}" for topic in topics for number in range(counts[topic]))
        self.others = [name for name in everything if name not in own]
        self.index = {source.partition: number for number, source in enumerate(self.sources)}
        self.begun = False
        self._merge = Merge()
        self._observed_s: float | None = None
        self._answered_s: float | None = None
        for source in self.sources:
            self._merge.add(source.name, source.rank)

    def push(self, index: int, signals: Sequence[Signal]) -> None:
        """Queue signals of a source, in its order."""
        self._merge.push_signals(self.names[index], signals)

    def hungry(self, limit: int) -> list[TopicPartition]:
        """Return the partitions of which fewer than ``limit`` signals are queued."""
        return [source.partition for source in self.sources if self._merge.queued(source.name) < limit]

    def observe(self, now_ms: int, now_s: float) -> list[Source]:
        """Find out which sources are caught up. Returns those that have just become unreachable.

        ``now_ms`` is the wall clock, ``now_s`` a clock that never jumps.
        """
        # However long the process stood still: only time in which it could have heard of a source counts as silence.
        step_s = 0.0 if self._observed_s is None else min(now_s - self._observed_s, _LONGEST_STEP_S)
        self._observed_s = now_s
        merge = self._merge
        answered = False
        for source in self.sources:
            answered |= source.observe(now_ms, step_s, waiting=not merge.queued(source.name))
        heard_s = 0.0
        if answered:
            heard_s = 0.0 if self._answered_s is None else min(now_s - self._answered_s, _LONGEST_STEP_S)
            self._answered_s = now_s
        lost = []
        for source in self.sources:
            was = source.unreachable
            source.pass_over(heard_s)
            if source.unreachable and not was:
                lost.append(source)
            merge.mark_caught_up(source.name, caught_up=source.caught_up or source.unreachable)
        return lost

    def take(self) -> list[Signal]:
        """Return, in order, the signals that no source can still precede; a late one stands behind its place's tick."""
        return self._merge.take_signals()

    def progress(self, margin_ms: int) -> Progress:
        """Return how far the sources are, after :meth:`take`.

        A caught-up source has passed the time at which that was sure, less ``margin_ms`` for what is on its way.
        """
        passed = self._merge.bound() - 1
        live = True
        for source in self.sources:
            if source.caught_up:
                passed = min(passed, source.sure_ms - margin_ms)
            else:
                live = False
                if source.unreachable:
                    passed = min(passed, self._merge.reached(source.name) - 1)
        return Progress(max(passed, 0), live)

    def offsets(self) -> dict[TopicPartition, int]:
        """Return for each source the offset up to which everything has been taken: of the next record to read again."""
        found = {}
        for source in self.sources:
            head = self._merge.head(source.name)
            if head is not None:
                found[source.partition] = head[2] // LINES_PER_OFFSET
            elif source.state.has_valid_position:
                found[source.partition] = source.state.position
        return found

    def begin(self, keys: Mapping[TopicPartition, int]) -> None:
        """Begin where the last owner committed: ``keys`` are the largest times (ms) of each source up to there."""
        for source in self.sources:
            self._merge.begin(source.name, keys.get(source.partition, 0))
        self.begun = True

    def commitments(self) -> dict[TopicPartition, tuple[int, str]]:
        """Return what to commit: :meth:`offsets`, each with the largest time (ms) before it as its metadata.

        Without that time the next owner could not tell that the first record it reads is late.
        """
        offsets = self.offsets()
        return {
            source.partition: (offsets[source.partition], str(self._merge.taken(source.name)))
            for source in self.sources
            if source.partition in offsets
        }

    def places(self) -> list[Place]:
        """Return how far each source has been read."""
        return [
            Place(
                source.name,
                source.state.position if source.state.has_valid_position else -1,
                source.lag,
                source.silent_s,
            )
            for source in self.sources
        ]

    def reached_ms(self) -> dict[str, int]:
        """Return the largest time (ms) that the sources of each topic have brought."""
        found: dict[str, int] = {}
        for source in self.sources:
            topic, reached = source.partition.topic, self._merge.reached(source.name)
            if reached > found.get(topic, 0):
                found[topic] = reached
        return found

    def lag(self) -> dict[str, int]:
        """Return how many records of each source are not taken yet, in signals where they have been read."""
        return {source.name: source.lag + self._merge.queued(source.name) for source in self.sources}
