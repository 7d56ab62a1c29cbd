"""What the engine counts of the signals that it is given. Plain integers, and none is counted twice on the hot path.

Signals that are applied are counted once, by kind, in the tally of the rules that see their product. All else follows
from that: how many of a kind were applied, and how many were shown to each rule.
"""

from collections import Counter
from typing import Final

from streams.engine.signals import RULES

KINDS_OF_SIGNALS: Final = RULES + 1

Sight = tuple[tuple[str, tuple[int, ...]], ...]
"""The rules that see a product: the id of each, and the kinds of signals that it is shown."""


class Counts:
    """How many signals of each kind were applied, were repeats of a fact, or were late for a rule.

    Several partitions may share one: then it goes on counting when one of them is given away. ``repeated`` counts
    signals whose position had been seen. ``rule_sets`` are those put in force, ``old_rule_sets`` those that were no
    newer than the one in force. Lists are by kind of signal.
    """

    __slots__ = ("duplicates", "late", "old_rule_sets", "repeated", "rule_sets", "tallies")

    def __init__(self) -> None:
        self.tallies: dict[Sight, list[int]] = {}
        self.duplicates = [0] * KINDS_OF_SIGNALS
        self.late = [0] * KINDS_OF_SIGNALS
        self.repeated = 0
        self.rule_sets = 0
        self.old_rule_sets = 0

    def tally(self, sight: Sight) -> list[int]:
        """Return where signals to products that these rules see are counted when they are applied."""
        tally = self.tallies.get(sight)
        if tally is None:
            tally = self.tallies[sight] = [0] * KINDS_OF_SIGNALS
        return tally

    @property
    def applied(self) -> list[int]:
        """Return how many signals of each kind were applied."""
        applied = [sum(each) for each in zip(*self.tallies.values(), strict=True)] or [0] * KINDS_OF_SIGNALS
        applied[RULES] = self.rule_sets
        return applied

    def evaluations(self) -> Counter[str]:
        """Return how many signals were shown to each rule, by its id."""
        found: Counter[str] = Counter()
        for sight, applied in self.tallies.items():
            for rule_id, kinds in sight:
                found[rule_id] += sum(applied[kind] for kind in kinds)
        return found
