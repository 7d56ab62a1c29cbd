from typing import Any

import orjson
import pytest

from alerts.pager.drill import is_drill
from deploy.drill.exercise import prepare
from schemas.errors import ConfigurationError
from schemas.rules import DEFAULT_RULES, Rule, RuleSet


def rules(**rule: Any) -> RuleSet:
    """Return a rule set of one rule that counts complaints."""
    data = {"id": "mine", "kind": "complaint_surge", "more_than": 3, **rule}
    return RuleSet(version=1, issued_at=0, actor="test", rules=(Rule.model_validate(data),))


def test_it_trips_the_rule_and_says_what_it_is() -> None:
    exercise = prepare(DEFAULT_RULES, "complaint-surge", None)
    records = [orjson.loads(each) for each in exercise.complaints(1_794_398_400_000)]
    assert len(records) == exercise.number == 51
    assert len({each["complaint_id"] for each in records}) == 51
    for each in records:
        assert is_drill(each["product_id"])
        assert each["complaint_id"].startswith("livefuse-drill-")
        assert "exercise" in each["text"]
        assert "room_id" not in each
    assert prepare(DEFAULT_RULES, "complaint-surge", None).product_id != exercise.product_id


def test_it_has_the_categories_rooms_and_limits_of_the_rule() -> None:
    exercise = prepare(DEFAULT_RULES, "critical-complaints", "r9")
    assert (exercise.number, exercise.category, exercise.room_id) == (6, "food_safety", "r9")
    in_rooms = rules(match={"rooms": ["r1", "r2"]}, override=[{"room": "r2", "more_than": 7}])
    assert (prepare(in_rooms, "mine", None).room_id, prepare(in_rooms, "mine", None).number) == ("r1", 4)
    assert prepare(in_rooms, "mine", "r2").number == 8
    with pytest.raises(ConfigurationError, match="does not hold in room r3, but in r1, r2"):
        prepare(in_rooms, "mine", "r3")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"mode": "off"}, "it is off"),
        ({"mode": "shadow"}, "in shadow"),
        ({"match": {"products": ["p42"]}}, "some products only"),
        ({"match": {"categories": ["food"]}}, "some product categories only"),
    ],
)
def test_a_rule_that_it_cannot_trip_is_said_to_be_so(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        prepare(rules(**rule), "mine", None)


def test_a_rule_of_another_kind_or_none_names_those_that_fit() -> None:
    for rule_id in ("oversell", "nonsense"):
        with pytest.raises(ConfigurationError, match="complaint-surge, critical-complaints"):
            prepare(DEFAULT_RULES, rule_id, None)
