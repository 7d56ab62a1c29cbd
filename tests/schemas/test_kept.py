"""JSON that is kept takes no more memory than it has bytes; that of orjson does, or the copy would not be needed."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from schemas.kept import kept_json

HEAD = 128
"""Of an object of Python and of what measures it, at most."""


def held(encode: Callable[[Any], bytes], value: Any) -> tuple[int, int]:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        encoded = encode(value)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before, len(encoded)


@pytest.mark.parametrize("words", [1, 20, 100, 3_000])
def test_it_holds_what_it_needs(words: int) -> None:
    value = {"ids": ["order-000000000001"] * words}
    memory, size = held(kept_json, value)
    assert memory <= size + HEAD
    assert kept_json(value) == orjson.dumps(value)


def test_what_orjson_returns_holds_more() -> None:
    memory, size = held(orjson.dumps, ["order-000000000001"] * 100)
    assert memory > 2 * size, "no copy is needed any more: remove schemas.kept"
