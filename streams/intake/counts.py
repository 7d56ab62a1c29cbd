"""What an intake counts, in plain numbers."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from schemas.parse import Reason
from streams.histogram import Histogram

SIGNALS_BOUNDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
BYTES_BOUNDS: Final = (256, 1_024, 4_096, 16_384, 65_536, 131_072, 262_144, 524_288, 1_048_576, 4_194_304)


@dataclass(slots=True)
class IntakeCounts:
    """Counters since the start, and how things stand now (``behind``, ``passed``).

    ``records`` were read, good or not, ``refused`` are those of them that cannot be used, by topic. ``dead_letters``
    are counted by (topic, reason), once they are acknowledged; so are ``frames``, ticks among them, and what is in
    them. The histograms are of frames with signals. ``passed`` is the time (ms) of the last progress report.
    """

    records: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    signals: int = 0
    frames: int = 0
    ticks: int = 0
    frame_signals: Histogram = field(default_factory=lambda: Histogram(SIGNALS_BOUNDS))
    frame_bytes: Histogram = field(default_factory=lambda: Histogram(BYTES_BOUNDS))
    commits: int = 0
    rebalances: int = 0
    behind: bool = True
    passed: int = 0
