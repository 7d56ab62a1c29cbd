"""Three simplified rules for the programs that livefuse is compared with.

    complaint-surge   more than 50 for a product in this hour
    return-spike      at least 5 and a fifth of what was ordered in this hour
    oversell          nothing left of what was last counted

Hours are those of the clock, no window slides, nothing closes again.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from tests.bench.backlog import NAMES

SENTINEL: Final = "sentinel"
"""The kind of a record that says "so far": it is answered with an event whatever the rules say."""

_HOUR_MS: Final = 3_600_000
_MOST_COMPLAINTS: Final = 50
_LEAST_RETURNS: Final = 5
_SHARE_RETURNED: Final = 0.2


class SimpleRules:
    """Counts, compares, and says once for each product that it trips.

    The mappings are dicts or Faust's tables. The first three have 0 as their default.
    """

    def __init__(
        self,
        ordered: MutableMapping[str, int],
        returned: MutableMapping[str, int],
        complained: MutableMapping[str, int],
        stock: MutableMapping[str, int],
        tripped: MutableMapping[str, bool],
    ) -> None:
        self._ordered = ordered
        self._returned = returned
        self._complained = complained
        self._stock = stock
        self._tripped = tripped

    def apply(self, record: Mapping[str, Any]) -> str | None:
        """Return what the record trips, None for nothing."""
        product_id, kind = record["product_id"], record["kind"]
        if kind == SENTINEL:
            return SENTINEL
        bucket = f"{product_id}/{record['time_ms'] // _HOUR_MS}"
        stock = self._stock
        if kind == NAMES.orders:
            self._ordered[bucket] += record["quantity"]
            if product_id in stock:
                stock[product_id] -= record["quantity"]
        elif kind == NAMES.returns:
            self._returned[bucket] += record["quantity"]
        elif kind == NAMES.complaints:
            self._complained[bucket] += 1
        else:
            stock[product_id] = record["on_hand"]
        rule = self._verdict(bucket, product_id)
        if rule is None or self._tripped.get(product_id, False):
            return None
        self._tripped[product_id] = True
        return rule

    def _verdict(self, bucket: str, product_id: str) -> str | None:
        # Asked for in this way a missing count is not made, which in Faust would write it to Kafka.
        if self._complained.get(bucket, 0) > _MOST_COMPLAINTS:
            return "complaint-surge"
        returned = self._returned.get(bucket, 0)
        if returned >= _LEAST_RETURNS and returned >= _SHARE_RETURNED * self._ordered.get(bucket, 0):
            return "return-spike"
        if self._stock.get(product_id, 1) <= 0:
            return "oversell"
        return None
