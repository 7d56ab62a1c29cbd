"""The watch list: the products of a partition that are nearest to a limit."""

from collections.abc import Callable, Iterable
from heapq import nlargest, nsmallest
from typing import Any, Final

import orjson

from schemas.times import from_ms
from streams.engine.fuse import OPEN
from streams.engine.state import ProductState
from streams.engine.verdicts import Nearness

LENGTH: Final = 20
EVERY_MS: Final = 5_000
_CANDIDATES: Final = 200
_NOTHING: Final = -1.0


class Watchlist:
    """Looks at the products touched since the last list and at those that were near before.

    ``_touched`` tells how near those were that are no longer decoded, so that only the nearest are decoded once more.
    ``near`` are the products that were near at the last list; a successor goes on with them.
    """

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._touched: dict[str, float | None] = {}
        self.near: set[str] = set()
        # Before the first signal it is no time at all.
        self._next = 1
        # None: whatever list a predecessor has left, it is not this one.
        self._last: list[dict[str, Any]] | None = None

    def is_due(self, log_time: int) -> bool:
        """Tell whether it is time (ms) for the next list."""
        return log_time >= self._next

    def touch(self, product_ids: Iterable[str]) -> None:
        """Remember that these products have changed."""
        self._touched.update(dict.fromkeys(product_ids))

    def leave(self, state: ProductState) -> None:
        """Remember how near a product is that will not stay decoded. It is linked to the rules in force."""
        if state.product_id in self._touched:
            self._touched[state.product_id] = _nearest(state)

    def reconsider(self) -> None:
        """Forget how near products are: other rules are in force."""
        self.touch(self._touched)

    def take(self, log_time: int, peek: Callable[[str], ProductState | None]) -> bytes | None:
        """Return the list as of ``log_time`` (ms); None when it is not due yet or has not changed."""
        if not self.is_due(log_time):
            return None
        self._next = log_time - log_time % EVERY_MS + EVERY_MS
        ranked = []
        for product_id in self.near.union(self._touched):
            nearness = self._touched.get(product_id)
            if nearness is None:
                state = peek(product_id)
                nearness = _NOTHING if state is None else _nearest(state)
            if nearness > _NOTHING:
                ranked.append((-nearness, product_id))
        self._touched.clear()
        found = [
            entry
            for product_id in sorted(product_id for _, product_id in nsmallest(_CANDIDATES, ranked))
            if (state := peek(product_id)) is not None
            for entry in _entries(state)
        ]
        nearest = nlargest(_CANDIDATES, found, key=lambda entry: float(entry["nearness"]))
        self.near = {entry["product_id"] for entry in nearest}
        entries = nearest[:LENGTH]
        if entries == self._last:
            return None
        self._last = entries
        return orjson.dumps({"as_of": from_ms(log_time), "partition": self.partition, "products": entries})


def _nearest(state: ProductState) -> float:
    """Return the largest of a product's entries, _NOTHING without any."""
    nearest = _NOTHING
    for _, near in _looked_at(state):
        nearest = max(nearest, round(near.nearness, 4))
    return nearest


def _entries(state: ProductState) -> list[dict[str, Any]]:
    return [
        {
            "product_id": state.product_id,
            "sku_id": near.sku_id,
            "rule": rule_id,
            "nearness": round(near.nearness, 4),
            "measured": near.measured,
            "limit": near.limit,
            **(near.more or {}),
        }
        for rule_id, near in _looked_at(state)
    ]


def _looked_at(state: ProductState) -> list[tuple[str, Nearness]]:
    """Return how near a product is to the limit of each rule that has no open fuse yet."""
    found = []
    for rule_id, evidence in state.seeing():
        fuses = state.fuses.get(rule_id)
        if fuses and any(fuse.state == OPEN for fuse in fuses.values()):
            continue
        near = evidence.nearness(state.clock)
        if near is not None and near.nearness > 0:
            found.append((rule_id, near))
    return found
