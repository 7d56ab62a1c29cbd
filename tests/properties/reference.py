"""The specification once more, naively: sections 4 to 6 of the contract and docs/semantics.md, in lists and sums.

Nothing here is shared with the engine but the models of the rules and the ids of events. Every verdict is worked out
from the list of what the rule saw. `hits` counts which branches a timeline has reached, so that a property that is held
against the engine can be shown not to be vacuous.
"""

from collections import Counter
from fractions import Fraction
from math import ceil
from typing import Any, cast
from uuid import uuid5

from schemas.events import NAMESPACE
from schemas.limits import ComplaintSurgeLimits, Limits, OversellLimits, ReturnSpikeLimits
from schemas.rules import Match, Rule, RuleSet
from tests.properties.reference_fuses import Common, Fuse, Fuses, Written, rfc3339
from tests.properties.reference_rules import (
    BEFORE_ALL_TIMES,
    CANCELLATION,
    COMMAND,
    COMPLAINT,
    ORDER,
    RETURN,
    RULES,
    STOCK,
    Complaints,
    Evidence,
    Sales,
    Shelf,
    Signal,
    Sku,
    exact,
    ms,
    rounded,
)

MEMORY_MS = 60 * 60 * 1000
MEMORY_FACTS = 1024


class Reference:
    """The engine of one partition, one signal or tick at a time."""

    def __init__(self, rules: RuleSet) -> None:
        self._common = Common(rules)
        self.products: dict[str, Product] = {}

    @property
    def rules(self) -> RuleSet:
        """The rules in force."""
        return self._common.rules

    @property
    def hits(self) -> Counter[str]:
        """How often each branch was taken."""
        return self._common.hits

    def apply(self, signal: Signal) -> list[Written]:
        """Apply one signal; the answer is what it makes the partition write."""
        if signal[0] == RULES:
            self._replace(RuleSet.model_validate(signal[5]))
        else:
            product_id = signal[4]
            self.products.setdefault(product_id, Product(self._common, product_id)).take(signal)
        return self._taken()

    def tick(self, time_ms: int) -> list[Written]:
        """Fire the timers that are due at or before a time."""
        for product in self._in_order():
            product.fuses.fire(time_ms)
        return self._taken()

    def _replace(self, rules: RuleSet) -> None:
        if rules.version <= self.rules.version:
            self._common.hit("rules.ignored")
            return
        for product in self._in_order():
            product.fuses.fire(rules.issued_at - 1)
        self._common.rules = rules
        for product in self._in_order():
            product.fuses.adopt_rules()

    def _in_order(self) -> list["Product"]:
        return [self.products[product_id] for product_id in sorted(self.products)]

    def _taken(self) -> list[Written]:
        written, self._common.written = self._common.written, []
        return written


class Product:
    """What is remembered of one product, and what its rules have seen."""

    def __init__(self, common: Common, product_id: str) -> None:
        self.common = common
        self.product_id = product_id
        self.category: str | None = None
        self.requests = 0
        self.remembered: dict[str, list[tuple[Any, int]]] = {}
        self.evidence: dict[str, Evidence] = {}
        self.fuses = Fuses(common, product_id, self.evidence)

    @property
    def clock(self) -> int:
        """The product's clock, ms."""
        return self.fuses.clock

    # What a signal does

    def take(self, signal: Signal) -> None:
        kind, time = signal[0], signal[3]
        if self._is_repeat(signal):
            self.common.hit(f"repeat.{kind}")
            return
        self.fuses.fire(time - 1)
        self.fuses.clock = max(self.clock, time)
        room_id, category = _place(signal)
        self.fuses.room_id = room_id or self.fuses.room_id
        self.category = category or self.category
        if kind == COMMAND:
            self.fuses.obey(signal[5])
        for rule in sorted(self.common.rules.rules, key=lambda rule: rule.id):
            if rule.mode != "off" and self._holds(rule.match):
                self._show(rule, signal)
        self._remember(signal)

    def _show(self, rule: Rule, signal: Signal) -> None:
        kind = signal[0]
        limits = self._limits(rule)
        if isinstance(limits, ComplaintSurgeLimits):
            if kind == COMPLAINT and (limits.categories is None or signal[6] in limits.categories):
                self._look_for_surge(rule, limits, signal)
        elif isinstance(limits, ReturnSpikeLimits):
            if kind in {ORDER, RETURN}:
                self._look_for_spike(rule, limits, signal)
        elif kind in {ORDER, CANCELLATION, STOCK}:
            self._look_for_oversell(rule, limits, signal)

    def _is_repeat(self, signal: Signal) -> bool:
        # The clock as this signal would make it: how far ticks have moved it before must not matter.
        memory, key = _identity(signal)
        now = max(self.clock, signal[3])
        return any(other == key and now < clock + MEMORY_MS for other, clock in self.remembered.get(memory, []))

    def _remember(self, signal: Signal) -> None:
        memory, key = _identity(signal)
        if key is not None:
            facts = [fact for fact in self.remembered.get(memory, []) if fact[0] != key]
            if len(facts) != len(self.remembered.get(memory, [])):
                self.common.hit(f"forgotten.{signal[0]}")
            self.remembered[memory] = [*facts, (key, self.clock)][-MEMORY_FACTS:]

    # Scopes

    def _holds(self, match: Match) -> bool:
        return (
            (not match.products or self.product_id in match.products)
            and (not match.rooms or self.fuses.room_id in match.rooms)
            and (not match.categories or self.category in match.categories)
        )

    def _limits(self, rule: Rule) -> Limits:
        changed: dict[str, Any] = {}
        for override in sorted(rule.overrides, key=_weight):
            if self._holds(override):
                self.common.hit("override.applied")
                changed.update(override.limits)
        return rule.limits.model_copy(update=changed)

    # Rules

    def _look_for_surge(self, rule: Rule, limits: ComplaintSurgeLimits, signal: Signal) -> None:
        evidence = cast("Complaints", self.evidence.setdefault(rule.id, Complaints()))
        seen = evidence.see(signal, self.clock, limits)
        self.common.hit(f"complaint_surge.{seen}")
        fuse = self.fuses.all.get((rule.id, None))
        mark = fuse.mark if fuse else BEFORE_ALL_TIMES
        if seen != "counted" or _is_open(fuse) or signal[3] <= mark:
            return
        cause = evidence.verdict(signal, mark, limits, _factor(rule, fuse))
        if cause is not None:
            self.common.hit("complaint_surge.late trip", signal[3] < self.clock)
            self.fuses.open(rule, None, cause)

    def _look_for_spike(self, rule: Rule, limits: ReturnSpikeLimits, signal: Signal) -> None:
        evidence = cast("Sales", self.evidence.setdefault(rule.id, Sales()))
        seen = evidence.see(signal, self.clock, limits)
        self.common.hit(f"return_spike.{seen}")
        fuse = self.fuses.all.get((rule.id, None))
        if seen == "late" or _is_open(fuse):
            return
        mark = fuse.mark if fuse else BEFORE_ALL_TIMES
        cause = evidence.verdict(signal, self.clock, mark, limits, _factor(rule, fuse))
        if cause is not None:
            self.fuses.open(rule, None, cause)

    def _look_for_oversell(self, rule: Rule, limits: OversellLimits, signal: Signal) -> None:
        shelf = cast("Shelf", self.evidence.setdefault(rule.id, Shelf()))
        named = signal[5] if signal[0] == STOCK else signal[9]
        sku_id = None if named in (None, self.product_id) else named
        sku = shelf.skus.setdefault(sku_id, Sku())
        seen = sku.see(signal, self.clock, limits)
        self.common.hit(f"oversell.{seen}.{signal[0]}")
        if seen != "counted":
            return
        shelf.order_seen = shelf.order_seen or signal[0] == ORDER
        if sku.stock is None:
            return
        key = sku_id if sku_id is not None else self._unnamed_fuse(rule, shelf)
        fuse = self.fuses.all.get((rule.id, key))
        available, level = sku.available(), sku.level(self.clock, limits)
        if fuse is not None and fuse.state == "open":
            needed = max(limits.resume_above, 2 * fuse.level)
            if rule.recovery == "evidence" and signal[0] in {STOCK, CANCELLATION} and available > needed:
                self.common.hit(f"oversell.closed by {signal[0]}")
                self.fuses.close(fuse, "rule", {"measured": available, "limit": needed, "as_of": rfc3339(sku.stock[3])})
        elif shelf.order_seen and available <= level:
            cause = {
                "measured": available,
                "limit": level,
                "level": level,
                "rate": rounded(sku.rate(self.clock, limits.rate_windows)),
                "on_hand": sku.stock[6],
                "as_of": rfc3339(sku.stock[3]),
                "evidence": [signal[6]] if signal[0] != STOCK else [signal[10]] if signal[10] is not None else [],
            }
            self.fuses.open(rule, key, cause, level)
        self._look_for_replenishment(rule, limits, sku_id, sku)

    def _unnamed_fuse(self, rule: Rule, shelf: Shelf) -> str | None:
        for existing in (None, self.product_id):
            if (rule.id, existing) in self.fuses.all:
                return existing
        return None if list(shelf.skus) == [None] else self.product_id

    def _look_for_replenishment(self, rule: Rule, limits: OversellLimits, sku_id: str | None, sku: Sku) -> None:
        available = sku.available()
        own = None if sku.stock is None else sku.stock[8]
        safety = limits.safety_stock if own is None else own
        if available > Fraction(12, 10) * safety:
            self.common.hit("replenishment.armed again", not sku.armed)
            sku.armed = True
        wanted = sku.armed and available <= safety and (own is not None or sku.is_hot(self.clock, limits))
        if not wanted or rule.mode == "shadow":
            self.common.hit("replenishment.in shadow", wanted)
            return
        sku.armed = False
        self.requests += 1
        rate = sku.rate(self.clock, limits.rate_windows)
        cover = Fraction(ms(limits.cover), 1000) * sku.rate(self.clock, [max(limits.rate_windows)])
        request = {
            "request_id": str(uuid5(NAMESPACE, f"{self.product_id}\nreplenishment\n{self.requests}")),
            "product_id": self.product_id,
            "sku_id": sku_id,
            "available": available,
            "safety_stock": safety,
            "rate_per_second": rounded(rate),
            "seconds_left": round(float(max(0, available) / rate), 1) if rate else None,
            "suggested_quantity": max(2 * safety, ceil(cover)) - available,
            "occurred_at": rfc3339(self.clock),
        }
        self.common.hit("replenishment.requested " + ("by the record" if own is not None else "when hot"))
        self.common.written.append(Written("replenishment", self.product_id, request))


def _is_open(fuse: Fuse | None) -> bool:
    return fuse is not None and fuse.state == "open"


def _factor(rule: Rule, fuse: Fuse | None) -> Fraction:
    return exact(rule.probation_factor) if fuse is not None and fuse.state == "probation" else Fraction(1)


def _weight(scope: Match) -> tuple[bool, bool, bool]:
    """Return how specific a scope is: product, room, category."""
    return scope.products != (), scope.rooms != (), scope.categories != ()


def _place(signal: Signal) -> tuple[str | None, str | None]:
    """Return the room and the product category that a signal names."""
    kind = signal[0]
    if kind in {ORDER, CANCELLATION}:
        return signal[10], signal[11]
    if kind == RETURN:
        return signal[8], signal[9]
    if kind == COMPLAINT:
        return signal[7], None
    return (signal[9], None) if kind == STOCK else (None, None)


def _identity(signal: Signal) -> tuple[str, Any]:
    """Return the memory that a fact belongs to, and what makes it the same fact when it is sent again; None: never."""
    kind = signal[0]
    if kind in {ORDER, CANCELLATION}:
        _, _, _, _, _, line, order_id, by_event, *_ = signal
        return "orders", (by_event, line) if by_event is not None else (order_id, line, kind)
    if kind == RETURN:
        return "returns", signal[5]
    if kind == COMPLAINT:
        return "complaints", signal[5]
    return ("commands", signal[5]["command_id"]) if kind == COMMAND else ("", None)
