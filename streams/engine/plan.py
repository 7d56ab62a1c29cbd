"""A rule set, ready for use: which rules see a product, and with which limits."""

from typing import Any, Final

from schemas.durations import milliseconds
from schemas.rules import Rule, RuleSet
from streams.engine.counts import Counts
from streams.engine.evidence import Evidence
from streams.engine.kinds import KINDS
from streams.engine.signals import CANCELLATION, COMPLAINT, ORDER, RETURN, STOCK


class ArmedRule:
    """One rule that is on. ``since``: the rule set's version with which its evidence begins. Durations in ms."""

    def __init__(self, rule: Rule, since: int) -> None:
        self.id = rule.id
        self.kind = rule.kind
        self.made = KINDS[rule.kind]
        self.rule = rule
        self.since = since
        self.severity = rule.severity
        self.shadow = rule.mode == "shadow"
        self.cooldown = milliseconds(rule.cooldown) if rule.recovery == "auto" else None
        self.probation = milliseconds(rule.probation)


_METHODS: Final = {
    ORDER: "on_order",
    CANCELLATION: "on_cancellation",
    RETURN: "on_return",
    COMPLAINT: "on_complaint",
    STOCK: "on_stock",
}


class Scope:
    """The rules that see the products of one scope, in order of rule id, each with its limits there.

    ``seeing`` has, by kind of signal, the places of those that want to see it: one table for all products of the scope,
    because one for each of a million products would not stay in any cache. ``applied`` counts, by kind, the
    signals that are applied to those products; scopes that the same rules see share it.
    """

    def __init__(self, rules: tuple[tuple[ArmedRule, Any], ...], counts: Counts) -> None:
        self.rules = rules
        kinds = [KINDS[rule.kind].evidence for rule, _ in rules]
        self.seeing: tuple[tuple[int, ...], ...] = tuple(
            tuple(place for place, kind in enumerate(kinds) if getattr(kind, method) is not getattr(Evidence, method))
            for _, method in sorted(_METHODS.items())
        )
        self.applied = counts.tally(
            tuple(
                (
                    rule.id,
                    tuple(kind for kind, seeing in enumerate(self.seeing) if place in seeing),
                )
                for place, (rule, _) in enumerate(rules)
            )
        )


NOWHERE: Final = Scope((), Counts())
"""Where no rule sees anything: the scope of a product before its first signal."""


class Plan:
    """The rules in force, by id. Two plans never share limits."""

    def __init__(self, rules: RuleSet, counts: Counts, since: dict[str, int] | None = None) -> None:
        known = since or {}
        self._counts = counts
        self.rules = rules
        self.version = rules.version
        self.armed = {
            rule.id: ArmedRule(rule, known.get(rule.id, rules.version))
            for rule in sorted(rules.rules, key=lambda rule: rule.id)
            if rule.mode != "off"
        }
        scopes = [scope for armed in self.armed.values() for scope in (armed.rule.match, *armed.rule.overrides)]
        self._named_products = {product for scope in scopes for product in scope.products}
        self.by_room = any(scope.rooms for scope in scopes)
        self.by_category = any(scope.categories for scope in scopes)
        self._by_scope: dict[tuple[str | None, ...], Scope] = {}

    def successor(self, rules: RuleSet) -> "Plan":
        """Return the plan of a new rule set. A rule that stays on and of its kind keeps its evidence."""
        since = {
            rule.id: self.armed[rule.id].since
            for rule in rules.rules
            if rule.id in self.armed and self.armed[rule.id].kind == rule.kind
        }
        return Plan(rules, self._counts, since)

    @property
    def since(self) -> dict[str, int]:
        """With which version the evidence of each rule begins."""
        return {armed.id: armed.since for armed in self.armed.values()}

    def scope(self, product_id: str, room_id: str | None, category: str | None) -> Scope:
        """Return the rules that see a product; products that the rules do not tell apart share a scope."""
        names = (
            product_id if product_id in self._named_products else None,
            room_id if self.by_room else None,
            category if self.by_category else None,
        )
        scope = self._by_scope.get(names)
        if scope is None:
            scope = self._by_scope[names] = Scope(
                tuple(
                    (armed, KINDS[armed.kind].limits(armed.rule, armed.rule.limits_for(product_id, room_id, category)))
                    for armed in self.armed.values()
                    if armed.rule.matches(product_id, room_id, category)
                ),
                self._counts,
            )
            if len(self._by_scope) > _MOST_SCOPES:
                self._by_scope = {names: scope}
        return scope


_MOST_SCOPES = 100_000
