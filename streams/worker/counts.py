"""What a worker counts, in plain numbers."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streams.engine.counts import Counts
from streams.histogram import Histogram

APPLY_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)
FLUSH_BOUNDS_S: Final = (0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Transition(NamedTuple):
    """A fuse of a rule went from one state to another; in shadow it pauses nothing."""

    rule: str
    before: str
    after: str
    shadow: bool


@dataclass(slots=True)
class WorkerCounts:
    """Counted since the process began, except ``lanes``, which are those that are open now.

    ``signals`` are those given to the engine, repeats included; ``engine`` tells what it made of them. ``events``,
    ``replenishments``, ``rejected`` (commands) and ``transitions`` are of committed flushes. ``flush`` is the time (s)
    from the beginning of each committed flush to its commit, ``apply`` the time that a frame took. ``gap_frames`` are
    frames that retention deleted before they were applied; they are missing for good. ``frames_read`` are those that
    Faust did not deliver. Of the flushes that did not succeed, a successor had ``fenced`` some, others ``failed``.
    """

    lanes: int = 0
    frames: int = 0
    signals: int = 0
    events: int = 0
    replenishments: int = 0
    rejected: int = 0
    transitions: Counter[Transition] = field(default_factory=Counter)
    flush: Histogram = field(default_factory=lambda: Histogram(FLUSH_BOUNDS_S))
    apply: Histogram = field(default_factory=lambda: Histogram(APPLY_BOUNDS_S))
    flushes: int = 0
    opened: int = 0
    fenced: int = 0
    failed: int = 0
    gap_frames: int = 0
    frames_read: int = 0
    engine: Counts = field(default_factory=Counts)
