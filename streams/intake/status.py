"""How an intake process is, at any time from its first look at the broker to its end."""

import time
from collections.abc import Callable, Sequence

from streams.intake.counts import IntakeCounts
from streams.intake.dead_letters import DeadLetters
from streams.intake.frame_writer import FrameWriter
from streams.intake.health import PATIENCE_S, Health
from streams.intake.sources import SourceTable


class IntakeStatus:
    """What metrics and health of a process are made of. ``topics`` are its input topics.

    A process that loses the broker for good begins anew with another intake: ``writer`` and ``letters`` are those of
    the present one, ``table`` its sources, None before it has any. ``stopping``: it only finishes what it has begun.
    ``clock``: seconds of one that never jumps.
    """

    def __init__(self, topics: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.topics = tuple(topics)
        self.counts = IntakeCounts()
        self.health = Health()
        self.writer: FrameWriter | None = None
        self.letters: DeadLetters | None = None
        self.stopping = False
        self._table: SourceTable | None = None
        self._lost_s = self._clock()
        self._reached: dict[str, int] = {}

    @property
    def table(self) -> SourceTable | None:
        """The sources that the intake has; None while it has not been given any, be they none."""
        return self._table

    @table.setter
    def table(self, table: SourceTable | None) -> None:
        if table is None and self._table is not None:
            self._lost_s = self._clock()
            self.reached_ms()
        self._table = table

    def look(self) -> None:
        """Look at the progress that is made; once a second."""
        if self._table is not None and self.writer is not None and self.letters is not None:
            letters = (self.letters.queued, self.letters.acknowledged)
            self.health.observe(self._clock(), self._table.places(), self.writer.unacknowledged_s(), letters)

    def problems(self) -> list[str]:
        """Return what keeps the intake from going on; nothing when all is well."""
        now_s = self._clock()
        if self._table is not None:
            return self.health.problems(now_s)
        waiting_s = now_s - self._lost_s
        return [f"{self._waits_for()}, for {waiting_s:.0f} s"] if waiting_s > PATIENCE_S else []

    def ready(self) -> str | None:
        """Return what it waits for before it does its work; None when it reads its sources."""
        if self.stopping:
            return "it is stopping"
        if self._table is None:
            return self._waits_for()
        return None if self._table.begun else "it waits for how far its sources had been"

    def lag(self) -> dict[str, int]:
        """Return how many records of each source are in no acknowledged frame yet, in signals where they are read."""
        if self._table is None:
            return {}
        lag = self._table.lag()
        if self.writer is not None:
            names = self._table.names
            for index, number in self.writer.waiting().items():
                lag[names[index]] += number
        return lag

    def reached_ms(self) -> dict[str, int]:
        """Return the largest event time (ms) that was read of each topic; without those that have brought nothing."""
        if self._table is not None:
            for topic, time_ms in self._table.reached_ms().items():
                self._reached[topic] = max(time_ms, self._reached.get(topic, 0))
        return self._reached

    def _waits_for(self) -> str:
        return "it waits for the broker" if self.writer is None else "it waits for its group to give it sources"
