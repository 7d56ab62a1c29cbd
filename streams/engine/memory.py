"""What is remembered of a product so that a repeat of a fact is recognised, and how it is stored.

A memory is a dict: the facts applied lately by identity, each with the product's clock at which it was applied, oldest
first. Stored it is a JSON array, in one of two forms:

    few facts     [ids, ages]                      how long before the product's clock each was applied
    many          [forgotten, chunk, ..., chunk]   a chunk: [base, ids, how long after base each was applied]

A chunk does not depend on the clock. Once it is full it never changes, so it is encoded once and not at each flush:
``forgotten`` tells how many facts of the first one do not count any more.
"""

from itertools import islice
from typing import Any, Final

import orjson

from schemas.kept import kept_json

REMEMBERED: Final = 1_024
"""How many facts of a kind are remembered."""
MEMORY_MS: Final = 60 * 60_000
"""How much later, by the product's clock, a repeat of a fact is still recognised."""

CHUNK: Final = 64
_MANY: Final = 2 * CHUNK
_FOUND_AT_ONCE: Final = 256


class Trace:
    """What makes a memory of many facts fast to forget and to store: the next facts to be forgotten, and full chunks.

    Facts are numbered from 0 in the order in which they were applied. ``forgotten`` is the oldest one that is still
    remembered, ``begun`` the first of the first of ``chunks``, or of the open one if there are none; ``lasts`` tells
    the clock of the last fact of each. Who removes a fact that is not the oldest has to let go of the trace.
    """

    __slots__ = ("begun", "chunks", "forgotten", "lasts", "leaving")

    def __init__(self) -> None:
        self.begun = 0
        self.forgotten = 0
        self.chunks: list[Any] = []
        self.lasts: list[int] = []
        self.leaving: list[str] = []

    def forget_oldest(self, facts: dict[str, int]) -> None:
        """Forget the oldest fact.

        A dict is slow to find its first key where many before it are gone; so a number of them are found at once.
        """
        if not self.leaving:
            self.leaving = list(islice(facts, _FOUND_AT_ONCE))
            self.leaving.reverse()
        del facts[self.leaving.pop()]
        self.forgotten += 1


def encode_memory(facts: dict[str, int], clock: int, traces: dict[int, Trace], place: int) -> list[Any]:
    """Return the facts of a memory that can still be recognised, for orjson. Lets go of the others."""
    trace = traces.get(place)
    if trace is None:
        if len(facts) < _MANY:
            return _encode_few(facts, clock)
        trace = traces[place] = Trace()
    chunks, lasts = trace.chunks, trace.lasts
    while chunks and (trace.begun + CHUNK <= trace.forgotten or lasts[0] <= clock - MEMORY_MS):
        del chunks[0], lasts[0]
        trace.begun += CHUNK
    if not chunks and len(facts) < _MANY:
        del traces[place]
        return _encode_few(facts, clock)
    gone = trace.begun - trace.forgotten
    if gone > 0:
        for fact in list(islice(facts, gone)):
            del facts[fact]
        trace.forgotten = trace.begun
        trace.leaving.clear()
    elif not chunks:
        trace.begun = trace.forgotten
    new = trace.forgotten + len(facts) - trace.begun - CHUNK * len(chunks)
    open_facts: list[tuple[str, int]] = list(islice(reversed(facts.items()), new))
    open_facts.reverse()
    while len(open_facts) >= CHUNK:
        chunks.append(orjson.Fragment(kept_json(_chunk(open_facts[:CHUNK]))))
        lasts.append(open_facts[CHUNK - 1][1])
        del open_facts[:CHUNK]
    stored: list[Any] = [trace.forgotten - trace.begun, *chunks]
    if open_facts:
        stored.append(_chunk(open_facts))
    return stored


def decode_memory(data: list[Any], clock: int) -> dict[str, int]:
    """Take back what :func:`encode_memory` returned."""
    if not isinstance(data[0], int):
        return {fact: clock - age for fact, age in zip(data[0], data[1], strict=True)}
    facts: dict[str, int] = {}
    for base, ids, offsets in data[1:]:
        facts.update(zip(ids, [base + offset for offset in offsets], strict=True))
    for fact in list(islice(facts, data[0])):
        del facts[fact]
    return facts


def _encode_few(facts: dict[str, int], clock: int) -> list[Any]:
    ids, ages = list(facts), [clock - applied for applied in facts.values()]
    if ages and ages[0] >= MEMORY_MS:
        known = len(ages)
        kept = next((place for place, age in enumerate(ages) if age < MEMORY_MS), known)
        del ids[:kept], ages[:kept]
        # Not one by one, see Trace.forget_oldest; and not at every flush.
        if 4 * kept > known:
            facts.clear()
            facts.update((fact, clock - age) for fact, age in zip(ids, ages, strict=True))
    return [ids, ages] if ids else []


def _chunk(facts: list[tuple[str, int]]) -> list[Any]:
    base = facts[0][1]
    return [base, [fact for fact, _ in facts], [applied - base for _, applied in facts]]
