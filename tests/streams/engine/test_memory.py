"""What a product remembers of the facts that it was told, held against a list."""

from random import Random

import pytest

from schemas.rules import DEFAULT_RULES
from streams.engine.partition import Partition
from streams.engine.signals import COMPLAINT, ORDER, RETURN, Signal
from streams.engine.state import MEMORY_MS, REMEMBERED

START = 1_794_398_400_000
SOURCE = "live.orders/0"


def signal(kind: int, number: int, time: int, fact: int) -> Signal:
    head = [kind, 0, number * 256 + 1, time, "p"]
    if kind == ORDER:
        return [*head, 1, f"o{fact}", None, 1, None, None, None]
    return [*head, f"r{fact}", 1, None, None, None] if kind == RETURN else [*head, f"c{fact}", "other", None]


class Remembered:
    """Facts and the clocks at which they were applied, oldest first."""

    def __init__(self) -> None:
        self.facts: list[tuple[int, int]] = []

    def is_new(self, fact: int, time: int, clock: int) -> bool:
        for known in self.facts:
            if known[0] == fact:
                if max(clock, time) < known[1] + MEMORY_MS:
                    return False
                self.facts.remove(known)
                break
        self.facts = [*self.facts, (fact, max(clock, time))][-REMEMBERED:]
        return True


@pytest.mark.parametrize(("different", "step_ms"), [(1_500, 500), (1_100, 3_000), (5_000, 2_000), (1_030, 10_000)])
def test_the_newest_facts_of_an_hour_are_remembered(different: int, step_ms: int) -> None:
    chance, partition, stored = Random(different), Partition(0, DEFAULT_RULES), b""
    models = {kind: Remembered() for kind in (ORDER, RETURN, COMPLAINT)}
    time = clock = START
    expected = dict.fromkeys(models, 0)
    for number in range(6_000):
        kind = chance.choice((ORDER, ORDER, ORDER, ORDER, RETURN, COMPLAINT))
        time += chance.choice((0, step_ms, step_ms, 2 * step_ms))
        late = time - chance.choice((0, 0, 0, 60_000))
        fact = chance.randrange(different) if chance.random() < 0.3 else number + different
        if models[kind].is_new(fact, late, clock):
            clock = max(clock, late)
        else:
            expected[kind] += 1
        partition.apply([SOURCE], [signal(kind, number, late, fact)])
        if number % 700 == 0:
            ((_, stored),) = partition.take_dirty()
        if number % 2_100 == 0:
            again = Partition(0, DEFAULT_RULES, partition.counts)
            again.load("p", stored)
            partition = again
    assert {kind: partition.counts.duplicates[kind] for kind in models} == expected
    assert min(expected.values()) > 0
