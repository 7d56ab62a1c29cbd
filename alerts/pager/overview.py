"""What holds now, of all products: open fuses, pauses, and who is near a limit. For metrics, from the compacted topics.

Guarantees: memory is that of the open fuses and of the watch lists, whatever the number of products that were ever
seen; and at most `MOST_PRODUCTS` fuses and overrides together and `RISKIEST` watched products are shown one by one,
the rest as a sum.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nlargest, nsmallest
from typing import Final, Literal, NamedTuple

from alerts.pager.wording import RANKS
from schemas.events import FuseState, Number, Watchlist, WatchlistEntry
from schemas.rules import Severity

MOST_PRODUCTS: Final = 500
RISKIEST: Final = 20


class OpenFuse(NamedTuple):
    """One open fuse. `since`: milliseconds."""

    product_id: str
    sku_id: str | None
    rule: str
    severity: Severity
    room_id: str | None
    shadow: bool
    since: int
    measured: Number | None
    limit: Number | None


class Override(NamedTuple):
    """An operator's word that beats the fuses of a product. `since`: milliseconds."""

    product_id: str
    state: Literal["paused", "allowed"]
    since: int


class Shown(NamedTuple):
    """What is shown one by one, and how many others there are: fuses, and overrides by state."""

    fuses: list[OpenFuse]
    overrides: list[Override]
    other_fuses: int
    other_overrides: Counter[str]


class OpenCount(NamedTuple):
    """What open fuses are counted by."""

    rule: str
    severity: Severity
    shadow: bool


class Overview:
    """The latest of each product, and of each partition's watch list."""

    def __init__(self) -> None:
        self.counts: Counter[OpenCount] = Counter()
        self.paused: set[str] = set()
        self._fuses: dict[str, tuple[OpenFuse, ...]] = {}
        self._overrides: dict[str, Override] = {}
        self._watched: dict[int, tuple[WatchlistEntry, ...]] = {}
        self._shown: Shown | None = None

    def take_state(self, product_id: str, state: FuseState | None) -> None:
        """Take a product's latest state; None when nothing is left to say of it."""
        before = self._fuses.pop(product_id, ())
        after = tuple(_open_fuses(state)) if state is not None else ()
        for each in before:
            self.counts[_count_of(each)] -= 1
        for each in after:
            self.counts[_count_of(each)] += 1
        if after:
            self._fuses[product_id] = after
        said = self._overrides.pop(product_id, None)
        says = _override(state) if state is not None else None
        if says is not None:
            self._overrides[product_id] = says
        if before or after or said or says:
            self._shown = None
        if state is not None and (state.paused.product or state.paused.skus):
            self.paused.add(product_id)
        else:
            self.paused.discard(product_id)

    def take_watchlist(self, partition: int, watchlist: Watchlist | None) -> None:
        """Take the latest watch list of a partition."""
        if watchlist is None or not watchlist.products:
            self._watched.pop(partition, None)
        else:
            self._watched[partition] = watchlist.products

    def shown(self) -> Shown:
        """Return what is shown one by one: the most severe first, overrides before warnings, then the newest."""
        if self._shown is None:
            fuses = [each for fuses in self._fuses.values() for each in fuses if not each.shadow]
            everything: list[OpenFuse | Override] = [*fuses, *self._overrides.values()]
            first = nsmallest(MOST_PRODUCTS, everything, key=_order)
            shown = [each for each in first if isinstance(each, OpenFuse)]
            overrides = [each for each in first if isinstance(each, Override)]
            others = Counter(each.state for each in self._overrides.values())
            others.subtract(each.state for each in overrides)
            self._shown = Shown(shown, overrides, len(fuses) - len(shown), Counter(+others))
        return self._shown

    def riskiest(self) -> tuple[list[WatchlistEntry], float]:
        """Return the watched products nearest to a limit, and the sum of the nearness of the others."""
        watched = _distinct(each for entries in self._watched.values() for each in entries)
        first = nlargest(RISKIEST, watched, key=lambda each: each.nearness)
        return first, max(0.0, sum(each.nearness for each in watched) - sum(each.nearness for each in first))


def _open_fuses(state: FuseState) -> Iterator[OpenFuse]:
    for entry in state.fuses:
        if entry.state == "open":
            yield OpenFuse(
                state.product_id,
                entry.sku_id,
                entry.rule,
                entry.severity,
                state.room_id,
                entry.shadow,
                entry.since,
                entry.cause.measured,
                entry.cause.limit,
            )


def _override(state: FuseState) -> Override | None:
    said = state.override
    return None if said is None else Override(state.product_id, said.state, said.since)


def _order(each: OpenFuse | Override) -> tuple[float, int]:
    """Return the place of what is shown. There are few overrides, and what an operator has said matters."""
    rank = RANKS[each.severity] if isinstance(each, OpenFuse) else (RANKS["critical"] + RANKS["warning"]) / 2
    return rank, -each.since


def _count_of(fuse: OpenFuse) -> OpenCount:
    return OpenCount(fuse.rule, fuse.severity, fuse.shadow)


def _distinct(entries: Iterable[WatchlistEntry]) -> list[WatchlistEntry]:
    """Leave out repeats of a product, SKU and rule: a product may have moved when partitions were misconfigured."""
    return list({(each.product_id, each.sku_id, each.rule): each for each in entries}.values())
