"""Who is near a limit, as the watch lists of all partitions say, and what was measured within the last hour.

The points of a product, rule and SKU are those of the watch lists and of the openings. Memory is bounded by
`MOST_POINTS` of all together; the oldest go first.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from schemas.events import FuseEvent, Number, Watchlist, WatchlistEntry
from schemas.times import from_ms

KEPT_MS: Final = 60 * 60_000
MOST_POINTS: Final = 200_000


class Key(NamedTuple):
    """What is measured."""

    product_id: str
    rule: str
    sku_id: str | None


class Point(NamedTuple):
    """What was measured, and its limit then. `at`: milliseconds."""

    at: int
    measured: Number
    limit: Number

    def shown(self) -> dict[str, Any]:
        """Return it as `models.Point`."""
        return {"at": from_ms(self.at), "measured": self.measured, "limit": self.limit}


class Watched:
    """The newest list of each partition, and the points."""

    def __init__(self, most_points: int = MOST_POINTS) -> None:
        self._most = most_points
        self._lists: dict[int, Watchlist] = {}
        self._series: dict[Key, deque[Point]] = {}
        self._order: deque[Key] = deque()

    def take(self, partition: int, watchlist: Watchlist | None) -> None:
        """Take the next list of a partition."""
        if watchlist is None:
            self._lists.pop(partition, None)
            return
        self._lists[partition] = watchlist
        for each in watchlist.products:
            self._add(Key(each.product_id, each.rule, each.sku_id), watchlist.as_of, each.measured, each.limit)

    def take_opening(self, event: FuseEvent) -> None:
        """Take what an opening measured: the last point of its chart."""
        measured, limit = event.cause.measured, event.cause.limit
        if event.rule is not None and measured is not None and limit is not None:
            self._add(Key(event.product_id, event.rule, event.sku_id), event.occurred_at, measured, limit)

    def forget(self, now_ms: int) -> None:
        """Let go of what is older than an hour."""
        # The queue is in the order of arrival, which is nearly that of time: lists of partitions differ by seconds.
        while self._order and self._series[self._order[0]][0].at < now_ms - KEPT_MS:
            self._drop()

    def shown(self, room_of: Callable[[str], str | None], product_id: str | None = None) -> list[dict[str, Any]]:
        """Return who is near a limit as `models.Watched`, the nearest first; all products or one."""
        newest: dict[Key, tuple[int, WatchlistEntry]] = {}
        for watchlist in self._lists.values():
            for each in watchlist.products:
                key = Key(each.product_id, each.rule, each.sku_id)
                if (product_id is None or each.product_id == product_id) and (
                    key not in newest or newest[key][0] < watchlist.as_of
                ):
                    newest[key] = (watchlist.as_of, each)
        return [
            {
                "product_id": each.product_id,
                "sku_id": each.sku_id,
                "room_id": room_of(each.product_id),
                "rule": each.rule,
                "nearness": each.nearness,
                "measured": each.measured,
                "limit": each.limit,
                "available": each.available,
                "seconds_left": each.seconds_left,
                "as_of": from_ms(as_of),
            }
            for as_of, each in sorted(newest.values(), key=lambda found: (-found[1].nearness, found[1].product_id))
        ]

    def series(self, product_id: str) -> list[dict[str, Any]]:
        """Return the points of a product as `models.Series`."""
        keys = sorted((key for key in self._series if key.product_id == product_id), key=lambda key: key[1:2])
        return [
            {
                "rule": key.rule,
                "sku_id": key.sku_id,
                "points": [each.shown() for each in sorted(self._series[key], key=lambda point: point.at)],
            }
            for key in keys
        ]

    @property
    def points(self) -> int:
        """How many are kept."""
        return len(self._order)

    def products(self) -> Sequence[str]:
        """Return the products on the lists."""
        return [each.product_id for watchlist in self._lists.values() for each in watchlist.products]

    def _add(self, key: Key, at: int, measured: Number, limit: Number) -> None:
        points = self._series.setdefault(key, deque())
        if points and points[-1].at == at:
            return
        points.append(Point(at, measured, limit))
        self._order.append(key)
        if len(self._order) > self._most:
            self._drop()

    def _drop(self) -> None:
        key = self._order.popleft()
        points = self._series[key]
        points.popleft()
        if not points:
            del self._series[key]
