"""All products of one signals partition: the whole of what a lane decides with, and all that it must not lose.

Pure: signals and ticks in, outputs out. Products are kept as bytes until they are touched; those touched lately stay
decoded. The guarantee: what comes out is a function of the signals applied, whatever the cuts between calls, and
however often the state was stored (:meth:`Partition.take_dirty`, :meth:`Partition.snapshot`) and read back
(:meth:`Partition.load`, :meth:`Partition.restore`).

The states need not all be stored at once. With the snapshot of a moment belong the states of products as they were then
or later: of each one that is later it is known after which frame it was stored, and what is applied again up to that
frame passes it by. A product that has said something is stored with what it said, so nothing is said twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Final

import orjson

from schemas.errors import StateError, other_version
from schemas.rules import RuleSet
from streams.engine.codec import decode, encode, is_settled
from streams.engine.counts import Counts
from streams.engine.events import FUSE_EVENTS, Output, fuse_state
from streams.engine.fuse import OPEN
from streams.engine.plan import Plan
from streams.engine.product import apply, close_orphans, fire_timers
from streams.engine.signals import RULES, TICK, Signal
from streams.engine.state import ProductState
from streams.engine.watchlist import Watchlist

VERSION: Final = 1
_NOBODY: Final[Mapping[str, int]] = {}


def without_positions(snapshot: bytes) -> bytes:
    """Return a snapshot for another log: what its sources bring has other positions, and none of it was applied."""
    return orjson.dumps(orjson.loads(snapshot) | {"positions": {}})


class Partition:
    """The products of one partition, under one rule set.

    ``hot_products``, which may be changed, bounds how many products stay decoded when they are stored; each takes some
    4 KB, ten times as much as its bytes. ``log_time`` is the largest time (ms) of any signal or tick. ``counts`` may be
    those of several partitions. ``open_fuses`` counts the fuses that are open, by rule id and whether the fuse is a
    shadow.
    """

    def __init__(self, number: int, rules: RuleSet, counts: Counts | None = None) -> None:
        self.number = number
        self.counts = Counts() if counts is None else counts
        self.log_time = 0
        self.plan = Plan(rules, self.counts)
        self.open_fuses: Counter[tuple[str, bool]] = Counter()
        self.hot_products = 50_000
        self._positions: dict[str, int] = {}
        self._hot: dict[str, ProductState] = {}
        self._cold: dict[str, bytes] = {}
        # Changed since they were stored: before `mark` was called last, and since.
        self._marked: dict[str, ProductState] = {}
        self._dirty: dict[str, ProductState] = {}
        # Had an event since `take_fuse_states`, any output since `take_dirty`.
        self._spoken: dict[str, ProductState] = {}
        self._said: dict[str, ProductState] = {}
        # Products that were stored after frames that are still to be applied again: which one, and soonest first.
        self._ahead: dict[str, int] = {}
        self._arrivals: list[tuple[int, str]] = []
        self._timers: list[tuple[int, str]] = []
        self._unsettled: set[str] = set()
        self._watchlist = Watchlist(number)
        self._unstored = 0

    def __len__(self) -> int:
        return len(self._cold) + self._unstored

    @property
    def positions(self) -> dict[str, int]:
        """The position of the last signal applied of each source, by its name ``topic/partition``."""
        return self._positions

    @property
    def crowding(self) -> float:
        """Return how many products are decoded, in those that may stay so; with more than 1 it is time to store."""
        return len(self._hot) / self.hot_products

    @property
    def marked(self) -> int:
        """Count the products that changed before :meth:`mark` and were not stored since."""
        return len(self._marked)

    @property
    def changed(self) -> bool:
        """Tell whether a product has changed since it was stored."""
        return bool(self._marked or self._dirty)

    def begin(self, frame: int) -> None:
        """Say that what is applied next is of the frame at this offset. Needed while products are ahead."""
        while self._arrivals and self._arrivals[0][0] < frame:
            _, product_id = heappop(self._arrivals)
            del self._ahead[product_id]
            self._expect(product_id)

    def apply(self, sources: Sequence[str], signals: Iterable[Signal]) -> list[Output]:
        """Apply signals in order, but those whose position in their source was applied before."""
        positions = [self._positions.get(source, -1) for source in sources]
        outputs: list[Output] = []
        hot, dirty, counts = self._hot, self._dirty, self.counts
        log_time = self.log_time
        for signal in signals:
            kind: int = signal[0]
            time: int = signal[3]
            if kind == TICK:
                outputs += self._fire(time)
                continue
            source: int = signal[1]
            position: int = signal[2]
            if position <= positions[source]:
                counts.repeated += 1
                continue
            positions[source] = position
            if time > log_time:  # noqa: PLR1730 (as in the merge: max costs too much here)
                log_time = time
            if kind == RULES:
                outputs += self._take_rules(signal[5])
                continue
            product_id: str = signal[4]
            state = hot.get(product_id)
            if state is None:
                if product_id in self._ahead:
                    continue
                state = self._touch(product_id)
            if not state.dirty:
                state.dirty = True
                dirty[product_id] = state
            said = apply(state, signal, self.plan, counts)
            if said:
                self._note(state, said)
                outputs += said
        self.log_time = log_time
        self._positions.update(zip(sources, positions, strict=True))
        return outputs

    def tick(self, time: int) -> list[Output]:
        """Fire the timers of all products that are due at or before ``time`` (ms)."""
        self.log_time = max(self.log_time, time)
        return self._fire(time)

    def mark(self) -> None:
        """Begin to store what belongs with the snapshot of this moment: all that has changed and is not stored yet."""
        self._marked |= self._dirty
        self._dirty = {}

    def take_dirty(self, most: int | None = None) -> list[tuple[str, bytes]]:
        """Return states that changed since they were last returned, and let go of the products decoded longest ago.

        Without ``most`` all of them; else those of products that have said something, and of those that changed before
        :meth:`mark` about as many as have so many bytes. All as well when too many products are decoded.
        """
        if most is None or len(self._hot) > self.hot_products:
            taken = self._marked | self._dirty
            self._marked.clear()
            self._dirty.clear()
            changed = [(product_id, _stored(state)) for product_id, state in taken.items()]
        else:
            changed = [(product_id, _stored(state)) for product_id, state in self._said.items()]
            for product_id in self._said:
                if self._marked.pop(product_id, None) is None:
                    del self._dirty[product_id]
            while most > 0 and self._marked:
                product_id, state = self._marked.popitem()
                value = _stored(state)
                changed.append((product_id, value))
                most -= len(value)
        self._said.clear()
        known = len(self._cold)
        self._cold.update(changed)
        self._unstored -= len(self._cold) - known
        self._watchlist.touch(product_id for product_id, _ in changed)
        if len(self._hot) > self.hot_products:
            for product_id in list(self._hot)[: len(self._hot) - self.hot_products // 2]:
                self._watchlist.leave(self._linked(self._hot.pop(product_id)))
        return changed

    def take_fuse_states(self) -> list[tuple[str, bytes | None]]:
        """Return the fuse states of the products that spoke since the last call; None is a tombstone."""
        states = [(product_id, fuse_state(state)) for product_id, state in self._spoken.items()]
        self._spoken.clear()
        return states

    def watchlist(self) -> bytes | None:
        """Return the watch list, if 5 s of log time have passed since the last one and it has changed."""
        if self._watchlist.is_due(self.log_time):
            self._watchlist.touch(self._marked)
            self._watchlist.touch(self._dirty)
        return self._watchlist.take(self.log_time, self._peek)

    def snapshot(self) -> bytes:
        """Return what belongs to the partition as a whole: source positions, rules, log time, who is near a limit."""
        return orjson.dumps(
            {
                "v": VERSION,
                "positions": self._positions,
                "rules": self.plan.rules.model_dump(mode="json"),
                "since": self.plan.since,
                "log_time": self.log_time,
                "near": sorted(self._watchlist.near),
            }
        )

    def restore(self, value: bytes) -> None:
        """Take a snapshot back. StateError when it is of another version or damaged."""
        try:
            data: dict[str, Any] = orjson.loads(value)
            if data["v"] != VERSION:
                raise StateError(other_version("the snapshot", data["v"], VERSION))
            self._positions = data["positions"]
            self.plan = Plan(RuleSet.model_validate(data["rules"]), self.counts, data["since"])
            self.log_time = data["log_time"]
            self._watchlist.near = set(data.get("near", ()))
        except (ValueError, TypeError, KeyError) as error:
            # Also rules with a field or a kind that only a newer release knows.
            raise StateError(f"the snapshot is damaged, or of a newer livefuse: {error!r}") from error

    def load(self, product_id: str, value: bytes | None) -> None:
        """Take a product's stored state back; a later one replaces an earlier one, None removes it."""
        if value is None:
            self._cold.pop(product_id, None)
        else:
            self._cold[product_id] = value

    def loaded(self, ahead: Mapping[str, int] = _NOBODY) -> None:
        """Finish recovery: find the timers and the open fuses among the states that were loaded.

        ``ahead`` are the products that are ahead of the snapshot, with the offset of the frame after which each was
        stored. StateError when a state is of another version: better now than when its product is next heard of.
        """
        self._ahead = dict(ahead)
        self._arrivals = sorted((frame, product_id) for product_id, frame in ahead.items())
        for product_id, value in self._cold.items():
            if not is_settled(value):
                state = decode(product_id, value)
                self.open_fuses.update((each.rule_id, each.shadow) for each in state.all_fuses() if each.state == OPEN)
                if product_id not in self._ahead:
                    self._schedule(state)

    def _expect(self, product_id: str) -> None:
        """Find the timers of a product that was ahead of the others."""
        stored = self._cold.get(product_id)
        if stored is not None and not is_settled(stored):
            self._schedule(decode(product_id, stored))

    def _touch(self, product_id: str) -> ProductState:
        stored = self._cold.get(product_id)
        if stored is None:
            self._unstored += 1
            state = ProductState(product_id)
        else:
            state = decode(product_id, stored)
        self._hot[product_id] = state
        return state

    def _peek(self, product_id: str) -> ProductState | None:
        """Return a product that is linked to the rules in force, without keeping it decoded."""
        state = self._hot.get(product_id)
        if state is None:
            stored = self._cold.get(product_id)
            if stored is None:
                return None
            state = decode(product_id, stored)
        return self._linked(state)

    def _linked(self, state: ProductState) -> ProductState:
        if state.plan is not self.plan:
            state.watch(self.plan)
        return state

    def _change(self, state: ProductState) -> None:
        if not state.dirty:
            state.dirty = True
            self._dirty[state.product_id] = state

    def _note(self, state: ProductState, said: list[Output]) -> None:
        if said:
            self._said[state.product_id] = state
        events = [output.event for output in said if output.topic == FUSE_EVENTS]
        if events:
            self._spoken[state.product_id] = state
            self._schedule(state)
        for event in events:
            before, after = event["from"], event["to"]
            if before != after and OPEN in {before, after}:
                self.open_fuses[event["rule"], event["shadow"]] += 1 if after == OPEN else -1

    def _schedule(self, state: ProductState) -> None:
        if state.due is not None:
            heappush(self._timers, (state.due, state.product_id))
        if state.is_settled:
            self._unsettled.discard(state.product_id)
        else:
            self._unsettled.add(state.product_id)

    def _fire(self, until: int) -> list[Output]:
        outputs: list[Output] = []
        timers = self._timers
        while timers and timers[0][0] <= until:
            due, product_id = heappop(timers)
            state = self._hot.get(product_id) or self._touch(product_id)
            if state.due != due:
                continue
            self._change(state)
            said = fire_timers(state, due, self.plan)
            self._note(state, said)
            outputs += said
        return outputs

    def _take_rules(self, data: dict[str, Any]) -> list[Output]:
        """Put a newer rule set in force. Timers that were due before it still fire under the old one."""
        rules = RuleSet.model_validate(data)
        if rules.version <= self.plan.version:
            self.counts.old_rule_sets += 1
            return []
        self.counts.rule_sets += 1
        outputs = self._fire(rules.issued_at - 1)
        before, self.plan = self.plan, self.plan.successor(rules)
        self._watchlist.reconsider()
        for product_id in sorted(self._unsettled):
            state = self._hot.get(product_id) or self._touch(product_id)
            said = close_orphans(state, rules.issued_at, self.plan, before)
            if said:
                self._change(state)
                self._note(state, said)
                outputs += said
        return outputs


def _stored(state: ProductState) -> bytes:
    state.dirty = False
    return encode(state)
