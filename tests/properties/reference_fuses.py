"""The fuses of one product, naively: timers, commands, overrides, and the events that tell of them (section 6)."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from schemas.events import event_id
from schemas.rules import Rule, RuleSet
from tests.properties.reference_rules import (
    BEFORE_ALL_TIMES,
    Cause,
    Complaints,
    Evidence,
    Sales,
    Shelf,
    ms,
)

State = Literal["closed", "open", "probation"]

DAY_MS = 24 * 60 * 60 * 1000
LONGEST_COOLDOWN_MS = 8 * 60 * 60 * 1000


class Written(NamedTuple):
    """One output record: a fuse event or a replenishment request with the contract's keys in the contract's order."""

    topic: Literal["fuse-events", "replenishment"]
    product_id: str
    value: dict[str, Any]


@dataclass
class Fuse:
    """One fuse; it exists from its first opening on. `due` is the time of its only timer."""

    rule_id: str
    sku_id: str | None
    kind: str
    state: State = "closed"
    epoch: int = 0
    mark: int = BEFORE_ALL_TIMES
    openings: list[int] = field(default_factory=list)
    due: int | None = None
    shadow: bool = False
    severity: str = ""
    level: int = 0
    acknowledged: bool = False

    def order(self) -> tuple[str, str]:
        return self.rule_id, self.sku_id or ""


class Common:
    """What the products of a partition share: the rules in force, what has been written, and the branches taken."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.written: list[Written] = []
        self.hits: Counter[str] = Counter()

    def rule(self, rule_id: str) -> Rule | None:
        """Return a rule of the rule set in force, if it is on."""
        return next((rule for rule in self.rules.rules if rule.id == rule_id and rule.mode != "off"), None)

    def hit(self, branch: str, reached: object = True) -> None:  # noqa: FBT002 (a condition, not a switch)
        """Count a branch, if it was reached."""
        if reached:
            self.hits[branch] += 1


class Fuses:
    """The fuses of one product, the operators' override, and the product's clock."""

    def __init__(self, common: Common, product_id: str, evidence: dict[str, Evidence]) -> None:
        self.common = common
        self.product_id = product_id
        self.evidence = evidence
        self.clock = 0
        self.room_id: str | None = None
        self.sequence = 0
        self.override: Literal["paused", "allowed"] | None = None
        self.override_due: int | None = None
        self.all: dict[tuple[str, str | None], Fuse] = {}

    def open(self, rule: Rule, sku_id: str | None, cause: Cause, level: int = 0) -> None:
        fuse = self.all.setdefault((rule.id, sku_id), Fuse(rule.id, sku_id, rule.kind))
        self.common.hit(f"trip.{rule.kind}.{fuse.state}.{rule.mode}")
        earlier = [opening for opening in fuse.openings if opening > self.clock - DAY_MS]
        cooldown = min(LONGEST_COOLDOWN_MS, ms(rule.cooldown) * 2 ** len(earlier))
        if rule.recovery == "auto":
            self.common.hit(f"cooldown.doubled {min(2, len(earlier))} times")
            self.common.hit("cooldown.longest", cooldown == LONGEST_COOLDOWN_MS and earlier != [])
            self.common.hit("cooldown.after a day", len(earlier) < len(fuse.openings))
        before, fuse.state = fuse.state, "open"
        fuse.due = self.clock + cooldown if rule.recovery == "auto" else None
        fuse.openings.append(self.clock)
        fuse.epoch += 1
        fuse.kind = rule.kind
        fuse.shadow = rule.mode == "shadow"
        fuse.severity = rule.severity
        fuse.level = level
        fuse.acknowledged = False
        self._tell_of_fuse("fuse.opened", fuse, before, "rule", cause)

    def _try(self, fuse: Fuse, actor: str, cause: Cause, reason: str | None = None) -> None:
        """Take an open fuse to probation."""
        rule = self.common.rule(fuse.rule_id)
        if rule is None:
            raise LookupError(fuse.rule_id)
        before, fuse.state = fuse.state, "probation"
        fuse.mark = self.clock
        fuse.due = self.clock + ms(rule.probation)
        self._tell_of_fuse("fuse.probation", fuse, before, actor, cause, reason)

    def close(self, fuse: Fuse, actor: str, cause: Cause, reason: str | None = None) -> None:
        before, fuse.state = fuse.state, "closed"
        fuse.mark = self.clock
        fuse.due = None
        self.common.hit(f"closed.{before}.{actor.partition(':')[0]}")
        self._tell_of_fuse("fuse.closed", fuse, before, actor, cause, reason)

    def fire(self, last_ms: int) -> None:
        """Fire every timer that is due at or before a time, each at the time at which it is due."""
        while True:
            timers = [(fuse.due, 0, fuse.order(), fuse) for fuse in self.all.values() if fuse.due is not None]
            first = min(timers, key=lambda timer: timer[:3], default=None)
            due = min((timer for timer in (first and first[0], self.override_due) if timer is not None), default=None)
            if due is None or due > last_ms:
                return
            self.common.hit("timer.tie", [timer[0] for timer in timers].count(due) + (self.override_due == due) > 1)
            self.clock = max(self.clock, due)
            if first is None or first[0] != due:
                self.common.hit(f"override.expired {self.override}")
                self.override, self.override_due = None, None
                self._tell("override.cleared", "timer", {})
            elif first[3].state == "open":
                self._try(first[3], "timer", {})
            else:
                self.close(first[3], "timer", {})

    def adopt_rules(self) -> None:
        """Drop the evidence of rules that are no more, and close their fuses."""
        rules = self.common.rules
        kinds: dict[str, type[Evidence]] = {
            "complaint_surge": Complaints,
            "return_spike": Sales,
            "oversell": Shelf,
        }
        for rule_id, evidence in list(self.evidence.items()):
            rule = self.common.rule(rule_id)
            if rule is None or not isinstance(evidence, kinds[rule.kind]):
                del self.evidence[rule_id]
        stale = []
        for fuse in sorted(self.all.values(), key=Fuse.order):
            rule = self.common.rule(fuse.rule_id)
            if fuse.state != "closed" and (rule is None or rule.kind != fuse.kind):
                stale.append(fuse)
        for fuse in stale:
            self.clock = max(self.clock, rules.issued_at)
            self.close(fuse, "rules", {"rules_version": rules.version})

    # Commands

    def obey(self, command: dict[str, Any]) -> None:
        action = command["action"]
        cause: Cause = {"command_id": command["command_id"], "action": action}
        expires_at = command["expires_at"]
        accepted = cause if expires_at is None else cause | {"expires_at": rfc3339(expires_at)}
        found = self._named_open_fuses(command)
        rejected = self._objection(command, found)
        actor = f"operator:{command['actor']}"
        if rejected is not None:
            self.common.hit(f"rejected.{action}.{rejected}")
            self._tell("command.rejected", actor, cause | {"rejected": rejected}, command)
        elif action in {"pause", "allow"}:
            self.common.hit("override.replaced", self.override is not None)
            self.override = "paused" if action == "pause" else "allowed"
            self.override_due = expires_at
            self._tell("override.set", actor, accepted, command)
        elif action == "release":
            self.override, self.override_due = None, None
            self._tell("override.cleared", actor, accepted, command)
        else:
            fresh = [fuse for fuse in found if action == "resume" or not fuse.acknowledged]
            self.common.hit(f"{action}.several", len(fresh) > 1)
            for fuse in fresh:
                if action == "acknowledge":
                    fuse.acknowledged = True
                    self._tell_of_fuse("fuse.acknowledged", fuse, "open", actor, accepted, command["reason"])
                elif fuse.kind == "oversell":
                    self.close(fuse, actor, accepted, command["reason"])
                else:
                    self._try(fuse, actor, accepted, command["reason"])

    def _objection(self, command: dict[str, Any], found: list[Fuse]) -> str | None:
        action, expires_at = command["action"], command["expires_at"]
        if command["expected_sequence"] is not None and command["expected_sequence"] != self.sequence:
            return "conflict"
        if expires_at is not None and expires_at <= self.clock:
            return "expired"
        if action == "allow" and expires_at is None:
            return "expiry_missing"
        if action == "allow" and expires_at - command["issued_at"] > DAY_MS:
            return "expiry_too_far"
        if action == "release" and self.override is None:
            return "nothing_to_release"
        if action in {"resume", "acknowledge"} and not found:
            return "nothing_open"
        if action == "acknowledge" and all(fuse.acknowledged for fuse in found):
            return "already_acknowledged"
        return None

    def _named_open_fuses(self, command: dict[str, Any]) -> list[Fuse]:
        rule_id, sku_id = command["rule"], command["sku_id"]
        skus = [None, self.product_id] if sku_id == self.product_id else [sku_id]
        return [
            fuse
            for fuse in sorted(self.all.values(), key=Fuse.order)
            if fuse.state == "open" and rule_id in (None, fuse.rule_id) and (sku_id is None or fuse.sku_id in skus)
        ]

    # Events

    def _paused(self) -> dict[str, Any]:
        open_fuses = [fuse for fuse in self.all.values() if fuse.state == "open" and not fuse.shadow]
        skus = sorted({fuse.sku_id for fuse in open_fuses if fuse.sku_id is not None})
        if self.override == "paused":
            return {"product": True, "skus": skus}
        if self.override == "allowed":
            return {"product": False, "skus": []}
        known = {
            sku_id or self.product_id
            for shelf in self.evidence.values()
            if isinstance(shelf, Shelf)
            for sku_id, sku in shelf.skus.items()
            if sku.stock is not None
        }
        whole = any(fuse.sku_id is None for fuse in open_fuses)
        self.common.hit("paused.all SKUs", not whole and known != set() and known <= set(skus))
        self.common.hit("paused.some SKUs", not whole and skus != [] and not known <= set(skus))
        return {"product": whole or (known != set() and known <= set(skus)), "skus": skus}

    def _tell_of_fuse(
        self, name: str, fuse: Fuse, before: State, actor: str, cause: Cause, reason: str | None = None
    ) -> None:
        self._write(
            name,
            {"sku_id": fuse.sku_id, "rule": fuse.rule_id, "reason": reason, "actor": actor, "cause": cause}
            | {"from": before, "to": fuse.state, "epoch": fuse.epoch}
            | {"shadow": fuse.shadow, "severity": fuse.severity},
        )

    def _tell(self, name: str, actor: str, cause: Cause, command: dict[str, Any] | None = None) -> None:
        named = command or {"sku_id": None, "rule": None, "reason": None}
        self._write(
            name,
            {"sku_id": named["sku_id"], "rule": named["rule"], "reason": named["reason"], "actor": actor}
            | {"cause": cause, "from": None, "to": None, "epoch": None, "shadow": False, "severity": None},
        )

    def _write(self, name: str, facts: dict[str, Any]) -> None:
        self.common.hit(f"event.{name}")
        self.sequence += 1
        event = {
            "event_id": str(event_id(self.product_id, self.sequence)),
            "sequence": self.sequence,
            "type": name,
            "product_id": self.product_id,
            "sku_id": facts["sku_id"],
            "room_id": self.room_id,
            "rule": facts["rule"],
            "rule_version": self.common.rules.version,
            "from": facts["from"],
            "to": facts["to"],
            "epoch": facts["epoch"],
            "shadow": facts["shadow"],
            "severity": facts["severity"],
            "occurred_at": rfc3339(self.clock),
            "actor": facts["actor"],
            "reason": facts["reason"],
            "paused": self._paused(),
            "cause": facts["cause"],
        }
        self.common.written.append(Written("fuse-events", self.product_id, event))


def rfc3339(time_ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
