"""Random rule sets with limits so small that a few signals reach them, and random changes of them."""

from datetime import timedelta
from typing import Any

from schemas.limits import ComplaintSurgeLimits, ReturnSpikeLimits
from schemas.rules import RuleSet
from tests.properties.digits import Digits

RawRule = dict[str, Any]

KINDS = ("complaint_surge", "oversell", "return_spike")
IDS = ("surge", "stock", "spike", "again", "0-first")
MODES = ("enforce", "enforce", "enforce", "shadow", "enforce", "enforce", "off", "enforce")
RECOVERIES = {
    "complaint_surge": ("auto", "manual", "auto"),
    "return_spike": ("auto", "manual", "auto"),
    "oversell": ("evidence", "evidence", "auto", "manual"),
}
MATCHES: tuple[RawRule, ...] = (
    *({}, {}, {}, {}, {}, {}, {}),
    {"products": ["p1", "p2"]},
    {"rooms": ["r1"]},
    {"categories": ["food"]},
    {"rooms": ["r1", "r2"], "categories": ["food", "toys"]},
)
SCOPES: tuple[RawRule, ...] = (
    {"product": "p1"},
    {"product": "p2"},
    {"room": "r1"},
    {"category": "food"},
    {"rooms": ["r1", "r2"], "category": "toys"},
    {"category": "toys"},
)

Options = dict[str, tuple[Any, ...]]

LIMITS: dict[str, Options] = {
    "complaint_surge": {
        "more_than": (2, 3, 2, 4, 5, 1, 0, 70),
        "window": ("10s", "60s", "1s", "1500ms", "10m", "2h"),
        "lateness": ("5s", "0s", "60s", "1ms"),
        "categories": (None, None, ["food_safety", "quality"]),
    },
    "return_spike": {
        "rise": (0.1, 0.01, 0.25, 0.5),
        "window": ("1m", "1m", "90s", "5m"),
        "history": (1, 2, 3, 4),
        "min_units": (1, 3, 10),
        "min_returns": (1, 2, 3),
        "prior_rate": (0, 0.05, 0.2),
        "prior_units": (1, 5, 20),
        "z": (0.0, 0.5, 1.0, 3.0),
    },
    "oversell": {
        "floor": (0, 2, 5),
        "reaction_time": ("3s", "1s", "0s", "1500ms"),
        "rate_windows": (["3s", "10s"], ["1s"], ["2s", "60s"], ["5s", "3s"]),
        "history": ("60s", "2m", "15m"),
        "resume_above": (3, 0, 10),
        "safety_stock": (10, 0, 50),
        "hot_units": (5, 0, 20),
        "cover": ("10s", "1s", "60s"),
    },
}
OVERRIDABLE: dict[str, Options] = {
    "complaint_surge": {"more_than": (1, 3, 6), "window": ("5s", "30s"), "lateness": ("0s", "20s")},
    "return_spike": {"rise": (0.05, 0.3), "min_returns": (1, 2), "window": ("1m", "2m"), "history": (1, 3)},
    "oversell": {"floor": (1, 8), "reaction_time": ("0s", "2s"), "safety_stock": (5, 30), "history": ("60s", "3m")},
}


def raw_rules(digits: Digits) -> list[RawRule]:
    """Return one rule of each kind and up to two more."""
    kinds = [*KINDS, *(digits.pick(KINDS) for _ in range(digits.pick((0, 1, 2))))]
    return [raw_rule(digits, rule_id, kind) for rule_id, kind in zip(IDS, kinds, strict=False)]


def raw_rule(digits: Digits, rule_id: str, kind: str) -> RawRule:
    """Return one rule as a rules file has it."""
    rule = {
        "id": rule_id,
        "kind": kind,
        "mode": digits.pick(MODES),
        "severity": digits.pick(("warning", "critical", "info")),
        "match": digits.pick(MATCHES),
        "recovery": digits.pick(RECOVERIES[kind]),
        "cooldown": digits.pick(("10s", "1s", "60s", "10m", "3h", "8h")),
        "probation": digits.pick(("10s", "1s", "60s", "10m")),
        "probation_factor": digits.pick((0.5, 0.3, 1)),
        "override": [_override(digits, kind) for _ in range(digits.pick((0, 0, 1, 2)))],
    }
    return rule | _some(digits, LIMITS[kind])


def changed_rules(digits: Digits, rules: list[RawRule], removed: list[RawRule]) -> list[RawRule]:
    """Return rules that differ in one; what is taken out goes to `removed`, from where it can return."""
    if removed and (digits.one_in(2) or not rules):
        return [*rules, removed.pop()]
    if not rules:
        return rules
    index = digits.below(len(rules))
    rule = rules[index]
    others = rules[:index], rules[index + 1 :]
    how = digits.below(8)
    if how == 0:
        removed.append(rule)
        return [*others[0], *others[1]]
    if how == 1:
        changed = raw_rule(digits, rule["id"], digits.pick(KINDS))
    elif how in {2, 3}:
        changed = rule | {"mode": digits.pick(("off", "shadow", "enforce"))}
    elif how == 4:
        changed = rule | {"match": digits.pick(MATCHES), "override": [_override(digits, rule["kind"])]}
    elif how == 5:
        changed = rule | {name: digits.pick(LIMITS[rule["kind"]][name]) for name in ("window",) if name in rule}
    elif how == 6:
        names = ("cooldown", "probation", "recovery", "severity")
        changed = rule | {name: raw_rule(digits, rule["id"], rule["kind"])[name] for name in names}
    else:
        changed = rule | _some(digits, LIMITS[rule["kind"]])
    return [*others[0], changed, *others[1]]


def rule_set(version: int, issued_at: int, rules: list[RawRule]) -> RuleSet:
    """Return the rule set, validated."""
    return RuleSet.model_validate({"version": version, "issued_at": issued_at, "actor": "sam", "rules": rules})


def lengths(rules: RuleSet) -> list[int]:
    """Return every length of time that something depends on under these rules, in ms, ascending."""
    found = {timedelta(seconds=1), timedelta(seconds=3)}
    for rule in rules.rules:
        limits = rule.limits
        found |= {rule.cooldown, 2 * rule.cooldown, rule.probation}
        if isinstance(limits, ComplaintSurgeLimits):
            found |= {limits.window, limits.window + limits.lateness, 2 * limits.window + limits.lateness}
        elif isinstance(limits, ReturnSpikeLimits):
            found |= {limits.window, limits.window * limits.history, 2 * limits.window * limits.history}
        else:
            found |= {*limits.rate_windows, limits.history}
    return sorted(length // timedelta(milliseconds=1) for length in found)


def _override(digits: Digits, kind: str) -> RawRule:
    return digits.pick(SCOPES) | {
        name: digits.pick(options) for name, options in [digits.pick(list(OVERRIDABLE[kind].items()))]
    }


def _some(digits: Digits, options: Options) -> RawRule:
    chosen = {name: digits.pick(values) for name, values in options.items()}
    return {name: value for name, value in chosen.items() if value is not None}
