"""What an exercise sends: enough complaints about a product of its own to trip one rule in force."""

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, cast

import orjson

from alerts.pager.drill import DRILL_PREFIX
from schemas.errors import ConfigurationError
from schemas.rules import ComplaintSurgeLimits, Rule, RuleSet
from schemas.times import from_ms

DEFAULT_RULE: Final = "complaint-surge"
ACTOR: Final = "drill"
REASON: Final = "the end of an exercise"

_TEXT: Final = "An exercise of livefuse. Nobody has complained."


class Exercise(NamedTuple):
    """One exercise. `room_id` is where the complaints come from; None: from no room."""

    product_id: str
    rule: Rule
    room_id: str | None
    category: str
    number: int

    def complaints(self, occurred_at: int) -> list[bytes]:
        """Return the records, all of one moment (ms)."""
        return [orjson.dumps(self._complaint(number, occurred_at)) for number in range(1, self.number + 1)]

    def _complaint(self, number: int, occurred_at: int) -> dict[str, str]:
        complaint = {
            "complaint_id": f"{self.product_id}-{number}",
            "product_id": self.product_id,
            "occurred_at": from_ms(occurred_at),
            "category": self.category,
            "text": _TEXT,
        }
        return complaint if self.room_id is None else complaint | {"room_id": self.room_id}


def new_product() -> str:
    """Return the id of a product that was in no exercise before."""
    return f"{DRILL_PREFIX}{datetime.fromtimestamp(time.time(), UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def prepare(rules: RuleSet, rule_id: str, room_id: str | None) -> Exercise:
    """Plan the exercise of a rule. ConfigurationError where complaints about a new product cannot trip it."""
    rule = next((each for each in rules.rules if each.id == rule_id), None)
    if rule is None:
        fit = [each.id for each in rules.rules if _obstacle(each) is None]
        raise ConfigurationError(f"no rule {rule_id} is in force. A drill can trip: {_listed(fit)}. Name it: --rule.")
    if obstacle := _obstacle(rule):
        fit = [each.id for each in rules.rules if _obstacle(each) is None]
        raise ConfigurationError(f"a drill cannot trip rule {rule_id}: {obstacle}. It can trip: {_listed(fit)}.")
    rooms = rule.match.rooms
    if rooms and room_id is not None and room_id not in rooms:
        raise ConfigurationError(
            f"rule {rule_id} does not hold in room {room_id}, but in {_listed(rooms)}: see --room."
        )
    room_id = room_id if room_id is not None or not rooms else rooms[0]
    product_id = new_product()
    limits = cast("ComplaintSurgeLimits", rule.limits_for(product_id, room_id, None))
    category = limits.categories[0] if limits.categories else "other"
    return Exercise(product_id, rule, room_id, category, limits.more_than + 1)


def _obstacle(rule: Rule) -> str | None:
    if rule.kind != "complaint_surge":
        return "it does not count complaints"
    if rule.mode != "enforce":
        return "it is in shadow, so nobody is told" if rule.mode == "shadow" else "it is off"
    if rule.match.products:
        return "it holds for some products only, and an exercise has one of its own"
    if rule.match.categories:
        return "it holds for some product categories only, and a complaint names none"
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
