"""All that the page shows, from what the follower reads. No clock and no I/O: times are passed in.

What is true of a product is its fuse state. An event comes a moment before or after it, in another topic: what it says
is paused counts at once, the rest waits for the state (`Entry`). Nothing that is older than what is known ever wins.

    repeat     an event whose sequence was read before: left out
    gap        an event whose sequence is further on than the next one: counted. The state tells what holds, so what is
               shown is right again with the next state; the feed lacks lines. It is a problem until the state is there,
               and for `GAP_MS` more, so that people notice.
    tombstone  nothing is left to say, unless a newer event says that something is paused

Only products of which there is something to say are listed. Of the others the sequence is kept as long as their state
exists, so that an order for one knows what to expect.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import orjson

from alerts.console.entry import PHASES, Entry, Phase, Standing
from alerts.console.feed import Feed, Line
from alerts.console.models import Product
from alerts.console.watched import Watched
from schemas.events import FuseEvent, FuseState, Watchlist

MOST_PRODUCTS: Final = 2_000
MOST_EVENTS: Final = 200
"""How many products and events a snapshot holds."""

GAP_MS: Final = 5 * 60_000
KEPT_MS: Final = 60 * 60_000


class Changes(NamedTuple):
    """What pages have to be told: JSON of the products that are listed, ids of those that are not any more, lines."""

    products: list[bytes]
    gone: list[str]
    lines: list[Line]
    watchlist: bytes | None

    def __bool__(self) -> bool:
        return bool(self.products or self.gone or self.lines or self.watchlist is not None)


class Board:
    """The products, the watch lists and the feed. `version` goes up with each change.

    `ready`: everything of before is read; set by who feeds it.
    """

    def __init__(self) -> None:
        self.ready = False
        self.version = 0
        self.events_read = 0
        self.repeats = 0
        self.gaps = 0
        self.feed = Feed()
        self.watched = Watched()
        self._entries: dict[str, Entry] = {}
        self._order: list[Standing] = []
        self._counts = [0] * len(PHASES)
        self._changed: dict[str, None] = {}
        self._lines: list[Line] = []
        self._watchlist_changed = False
        self._in_bulk = False
        self._missing: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        """Return how many products are listed."""
        return len(self._order)

    @property
    def known(self) -> int:
        """How many products something is kept of."""
        return len(self._entries)

    @property
    def pending(self) -> int:
        """How many products and lines have not been taken as changes yet."""
        return len(self._changed) + len(self._lines)

    @property
    def is_changed(self) -> bool:
        """Whether there is something for the pages."""
        return bool(self._changed or self._lines or self._watchlist_changed)

    def take_event(self, event: FuseEvent, known_ms: int) -> bool:
        """Take in an event; False when it is a repeat."""
        entry = self._entries.get(event.product_id)
        if entry is None:
            entry = self._entries[event.product_id] = Entry(event.product_id)
        if 0 < event.sequence <= entry.event_sequence:
            self.repeats += 1
            return False
        # Of a product whose events were not read yet the state tells up to where they can be missing.
        before = entry.event_sequence or entry.state_sequence
        if before and event.sequence > before + 1:
            self.gaps += event.sequence - before - 1
            self._missing[event.product_id] = (event.sequence, known_ms)
        self.events_read += 1
        self._lines.append(self.feed.add(event, known_ms))
        if event.type == "fuse.opened":
            self.watched.take_opening(event)
        was = entry.standing
        entry.take_event(event, known_ms)
        self._place(entry, was)
        return True

    def take_state(self, product_id: str, state: FuseState | None) -> None:
        """Take in a product's state; None when nothing is left to say."""
        entry = self._entries.get(product_id)
        if entry is None:
            if state is None:
                return
            entry = self._entries[product_id] = Entry(product_id)
        if state is None and product_id in self._missing:
            # A tombstone has no sequence, but it was written after what is missing.
            self._missing[product_id] = (0, self._missing[product_id][1])
        was = entry.standing
        if entry.take_state(state):
            self._place(entry, was)

    def take_watchlist(self, partition: int, watchlist: Watchlist | None) -> None:
        """Take in the next watch list of a partition."""
        self.watched.take(partition, watchlist)
        self._watchlist_changed = True
        self.version += 1

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """Take in very many things while entered: the list is put in order once, at the end, and pages get no delta.

        Nothing is to be asked of the list meanwhile.
        """
        self._in_bulk = True
        try:
            yield
        finally:
            self._in_bulk = False
            self._order = sorted(entry.standing for entry in self._entries.values() if entry.standing is not None)
            counts = Counter(place.phase for place in self._order)
            self._counts = [counts[phase] for phase in range(len(PHASES))]
            self.take_changes(lines_only=True)

    def take_changes(self, *, lines_only: bool = False) -> Changes:
        """Return what has changed since the last call; `lines_only` where pages get a snapshot instead."""
        products, gone = [], []
        for product_id in self._changed:
            entry = self._entries[product_id]
            was_shown, entry.shown = entry.shown, entry.standing is not None
            if lines_only:
                continue
            if entry.shown:
                products.append(entry.made())
            elif was_shown:
                gone.append(product_id)
        watchlist = self.watchlist() if self._watchlist_changed and not lines_only else None
        changes = Changes(products, gone, self._lines, watchlist)
        self._changed, self._lines, self._watchlist_changed = {}, [], False
        return changes

    def forget(self, now_ms: int) -> None:
        """Let go of what is older than an hour, and of products of which nothing is known but old events."""
        self.feed.forget(now_ms)
        self.watched.forget(now_ms)
        old = [
            entry
            for entry in self._entries.values()
            if entry.standing is None and entry.touched_ms < now_ms - KEPT_MS and entry.product_id not in self._changed
        ]
        for entry in old:
            if entry.state_sequence == 0 or entry.told is None:
                del self._entries[entry.product_id]
            else:
                entry.last = entry.facts = entry.view = None
        for product_id, (_, noticed_ms) in list(self._missing.items()):
            if noticed_ms < now_ms - GAP_MS and self._is_whole(product_id):
                del self._missing[product_id]

    def gap(self, now_ms: int) -> tuple[int, int] | None:
        """Return of how many products events are missing, and since when (ms); None when of none."""
        open_gaps = [
            noticed_ms
            for product_id, (_, noticed_ms) in self._missing.items()
            if noticed_ms >= now_ms - GAP_MS or not self._is_whole(product_id)
        ]
        return (len(open_gaps), min(open_gaps)) if open_gaps else None

    def product(self, product_id: str) -> Product | None:
        """Return a product as pages have it; None when it is not listed."""
        made = self.product_json(product_id)
        return None if made is None else Product.model_validate_json(made)

    def product_json(self, product_id: str) -> bytes | None:
        """Return a product as JSON of `models.Product`; None when it is not listed."""
        entry = self._entries.get(product_id)
        return None if entry is None or entry.standing is None else entry.made()

    def sequence(self, product_id: str) -> int | None:
        """Return the sequence of a product, listed or not; None when nothing was ever read of it."""
        entry = self._entries.get(product_id)
        return None if entry is None else entry.sequence

    def room(self, product_id: str) -> str | None:
        """Return the room that a product was last in, as far as that is known."""
        entry = self._entries.get(product_id)
        return None if entry is None else entry.room_id

    def listed(self, after: Standing | None = None) -> Iterator[Entry]:
        """Yield what is listed, in order, behind a place. Where the board changes meanwhile, begin again behind it."""
        begin = 0 if after is None else bisect_right(self._order, after)
        for place in self._order[begin:]:
            entry = self._entries.get(place.product_id)
            if entry is not None and entry.standing is not None:
                yield entry

    def products(self) -> list[bytes]:
        """Return the JSON of the first products."""
        return [self._entries[place.product_id].made() for place in self._order[:MOST_PRODUCTS]]

    def counts(self) -> dict[Phase, int]:
        """Return how many products are listed as standing so, also those that `products` leaves out."""
        return dict(zip(PHASES, self._counts, strict=True))

    def events(self) -> Iterable[Line]:
        """Return the newest events, oldest first."""
        return self.feed.newest(MOST_EVENTS)

    def watchlist(self) -> bytes:
        """Return who is near a limit, as JSON of `models.Watched`."""
        return orjson.dumps(self.watched.shown(self.room))

    def detail(self, product_id: str) -> dict[str, Any]:
        """Return a product as `models.ProductDetail`."""
        made = self.product_json(product_id)
        return {
            "product_id": product_id,
            "sequence": self.sequence(product_id) or 0,
            "product": None if made is None else orjson.Fragment(made),
            "watched": self.watched.shown(self.room, product_id),
            "series": self.watched.series(product_id),
        }

    def _is_whole(self, product_id: str) -> bool:
        """Tell whether the state of what came after a gap is known."""
        entry = self._entries.get(product_id)
        return entry is None or entry.state_sequence >= self._missing[product_id][0]

    def _place(self, entry: Entry, was: Standing | None) -> None:
        self.version += 1
        self._changed[entry.product_id] = None
        if was == entry.standing or self._in_bulk:
            return
        if was is not None:
            del self._order[bisect_left(self._order, was)]
            self._counts[was.phase] -= 1
        if entry.standing is not None:
            self._counts[entry.standing.phase] += 1
            insort(self._order, entry.standing)
