"""The watch list: the products of a partition that are nearest to a limit."""

from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import Any, Final

import orjson

from schemas.times import from_ms
from streams.engine.fuse import OPEN
from streams.engine.state import ProductState

LENGTH: Final = 20
EVERY_MS: Final = 5_000
_CANDIDATES: Final = 200


class Watchlist:
    """Looks at the products touched since the last list and at those that were near before."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._touched: set[str] = set()
        self._near: set[str] = set()
        self._next = 0
        self._last: list[dict[str, Any]] = []

    def touch(self, product_ids: Iterable[str]) -> None:
        """Remember that these products have changed."""
        self._touched.update(product_ids)

    def take(self, log_time: int, peek: Callable[[str], ProductState | None]) -> bytes | None:
        """Return the list as of ``log_time`` (ms); None when it is not due yet or has not changed."""
        if log_time < self._next:
            return None
        self._next = log_time - log_time % EVERY_MS + EVERY_MS
        found = [
            entry
            for product_id in sorted(self._touched | self._near)
            if (state := peek(product_id)) is not None
            for entry in _entries(state)
        ]
        self._touched.clear()
        nearest = nlargest(_CANDIDATES, found, key=lambda entry: float(entry["nearness"]))
        self._near = {entry["product_id"] for entry in nearest}
        entries = nearest[:LENGTH]
        if entries == self._last:
            return None
        self._last = entries
        return orjson.dumps({"as_of": from_ms(log_time), "partition": self.partition, "products": entries})


def _entries(state: ProductState) -> Iterable[dict[str, Any]]:
    """Yield how near a product is to the limit of each rule that has no open fuse yet."""
    for rule_id, evidence in state.seeing():
        if any(fuse.state == OPEN for fuse in state.fuses.get(rule_id, {}).values()):
            continue
        near = evidence.nearness(state.clock)
        if near is not None and near.nearness > 0:
            yield {
                "product_id": state.product_id,
                "sku_id": near.sku_id,
                "rule": rule_id,
                "nearness": round(near.nearness, 4),
                "measured": near.measured,
                "limit": near.limit,
                **(near.more or {}),
            }
