"""A rule set, ready for use: which rules see a product, and with which limits."""

from typing import Any

from schemas.durations import milliseconds
from schemas.rules import Rule, RuleSet
from streams.engine.kinds import KINDS


class ArmedRule:
    """One rule that is on. ``since``: the rule set's version with which its evidence begins. Durations in ms."""

    def __init__(self, rule: Rule, since: int) -> None:
        self.id = rule.id
        self.kind = rule.kind
        self.rule = rule
        self.since = since
        self.severity = rule.severity
        self.shadow = rule.mode == "shadow"
        self.cooldown = milliseconds(rule.cooldown) if rule.recovery == "auto" else None
        self.probation = milliseconds(rule.probation)


class Plan:
    """The rules in force, by id. Two plans never share limits."""

    def __init__(self, rules: RuleSet, since: dict[str, int] | None = None) -> None:
        known = since or {}
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
        self._by_scope: dict[tuple[str | None, ...], list[tuple[ArmedRule, Any]]] = {}

    def successor(self, rules: RuleSet) -> "Plan":
        """Return the plan of a new rule set. A rule that stays on and of its kind keeps its evidence."""
        since = {
            rule.id: self.armed[rule.id].since
            for rule in rules.rules
            if rule.id in self.armed and self.armed[rule.id].kind == rule.kind
        }
        return Plan(rules, since)

    @property
    def since(self) -> dict[str, int]:
        """With which version the evidence of each rule begins."""
        return {armed.id: armed.since for armed in self.armed.values()}

    def seeing(self, product_id: str, room_id: str | None, category: str | None) -> list[tuple[ArmedRule, Any]]:
        """Return the rules that see a product, each with its limits there, in order of rule id."""
        scope = (
            product_id if product_id in self._named_products else None,
            room_id if self.by_room else None,
            category if self.by_category else None,
        )
        seeing = self._by_scope.get(scope)
        if seeing is None:
            seeing = self._by_scope[scope] = [
                (armed, KINDS[armed.kind].limits(armed.rule, armed.rule.limits_for(product_id, room_id, category)))
                for armed in self.armed.values()
                if armed.rule.matches(product_id, room_id, category)
            ]
            if len(self._by_scope) > _MOST_SCOPES:
                self._by_scope = {scope: seeing}
        return seeing


_MOST_SCOPES = 100_000
