"""The bytes of a product's state: one version byte, one flag byte, then a JSON array.

The flag byte tells, without decoding the rest, whether the product is unsettled (a timer runs or a fuse is not
closed): a worker that recovers a million products decodes only those. Times are written relative to the product's
clock, so that they are short. Everything in a state that decisions rest on is stored; what is derived is not.
"""

from typing import Any, Final

import orjson

from schemas.errors import StateError, other_version
from streams.engine.fuse import Fuse
from streams.engine.kinds import BY_CODE
from streams.engine.memory import decode_memory, encode_memory
from streams.engine.state import Override, ProductState

VERSION: Final = 1
_SETTLED: Final = b"\x01\x00"
_UNSETTLED: Final = b"\x01\x01"


def encode(state: ProductState) -> bytes:
    """Return the bytes of a state."""
    clock = state.clock
    override = state.override
    evidence = []
    # By rule id, so that the bytes do not tell in which order the rules were asked.
    for rule_id in sorted(state.evidence):
        kind, known = state.evidence[rule_id]
        stored = known.encode(clock)
        if stored is not None:
            evidence.append([rule_id, kind.code, known.since, *stored])
    body = orjson.dumps(
        [
            clock,
            state.sequence,
            state.requests,
            state.room_id,
            state.category,
            [
                encode_memory(memory, clock, state.traces, place) if memory else []
                for place, memory in enumerate(state.memories)
            ],
            evidence,
            [fuse.encode() for fuse in state.all_fuses()],
            override and [override.state, override.since, override.until, override.actor, override.reason],
        ]
    )
    return (_SETTLED if state.is_settled else _UNSETTLED) + body


def decode(product_id: str, value: bytes) -> ProductState:
    """Return the state in ``value``; StateError when it is of another version or damaged."""
    if not value or value[0] != VERSION:
        raise StateError(other_version(f"the state of product {product_id}", value[0] if value else None, VERSION))
    try:
        data: list[Any] = orjson.loads(value[2:])
        state = ProductState(product_id)
        clock: int = data[0]
        state.clock, state.sequence, state.requests, state.room_id, state.category = data[:5]
        orders, returns, complaints, commands = data[5]
        state.memories = (
            decode_memory(orders, clock) if orders else {},
            decode_memory(returns, clock) if returns else {},
            decode_memory(complaints, clock) if complaints else {},
            decode_memory(commands, clock) if commands else {},
        )
        stored: list[Any]
        for stored in data[6]:
            kind = BY_CODE[stored[1]]
            evidence = kind.evidence(stored[2])
            evidence.decode(stored[3:], clock)
            state.evidence[stored[0]] = (kind, evidence)
        for item in data[7]:
            fuse = Fuse.decode(item)
            state.fuses.setdefault(fuse.rule_id, {})[fuse.sku_id] = fuse
        if data[8]:
            state.override = Override(*data[8])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        msg = f"the state of product {product_id} is damaged, or of a newer livefuse: {error!r}"
        raise StateError(msg) from error
    if state.fuses or state.override is not None:
        state.reschedule()
    return state


def is_settled(value: bytes) -> bool:
    """Tell from a state's bytes whether no timer runs and every fuse is closed; of another version nobody knows."""
    return value[:2] == _SETTLED
