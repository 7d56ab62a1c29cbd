"""What a product remembers of the facts that it was told, held against a list."""

from random import Random

import orjson
import pytest

from schemas.rules import DEFAULT_RULES
from streams.engine.memory import CHUNK, MEMORY_MS, REMEMBERED, Trace, decode_memory, encode_memory
from streams.engine.partition import Partition
from streams.engine.signals import COMPLAINT, ORDER, RETURN, Signal

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


@pytest.mark.parametrize("seed", range(6))
def test_what_was_stored_again_and_again_is_what_is_remembered(seed: int) -> None:
    chance, facts, traces, clock = Random(seed), dict[str, int](), dict[int, Trace](), START
    written: list[bytes] = []
    for number in range(4_000):
        clock += chance.choice((0, 0, 500, 5_000, 20_000)) + (chance.random() < 0.001) * MEMORY_MS // 2
        facts[f"o{number}"] = clock
        if chance.random() < 0.01 and (old := chance.choice(list(facts))) != f"o{number}":
            # As a fact is whose repeat comes too late to be recognised.
            del facts[old]
            facts[old] = clock
            traces.pop(0, None)
        if len(facts) > REMEMBERED:
            traces.setdefault(0, Trace()).forget_oldest(facts)
        if chance.random() < 0.05:
            written.append(orjson.dumps(encode_memory(facts, clock, traces, 0)))
            again = decode_memory(orjson.loads(written[-1]), clock)
            recognised = {fact: applied for fact, applied in facts.items() if clock - applied < MEMORY_MS}
            assert list(again.items())[-len(recognised) :] == list(recognised.items())
            assert all(facts[fact] == applied for fact, applied in again.items())
    assert max(map(len, written)) > 10_000


def test_a_full_chunk_is_written_as_it_was() -> None:
    facts = {f"o{number}": START + number for number in range(3 * CHUNK)}
    traces: dict[int, Trace] = {}
    (first, *chunks) = encode_memory(facts, START + 3 * CHUNK, traces, 0)
    facts["next"] = START + 4 * CHUNK
    traces[0].forget_oldest(facts)
    (second, *later) = encode_memory(facts, START + 4 * CHUNK, traces, 0)
    assert (first, second, len(chunks), len(later)) == (0, 1, 3, 4)
    assert all(one is other for one, other in zip(chunks, later, strict=False))
    assert later[3] == [START + 4 * CHUNK, ["next"], [0]]


def test_many_facts_are_read_in_the_form_of_few_too() -> None:
    ids = [f"o{number}" for number in range(1_000)]
    facts = decode_memory([ids, list(range(1_000, 0, -1))], START)
    assert list(facts) == ids
    assert (facts["o0"], facts["o999"]) == (START - 1_000, START - 1)
