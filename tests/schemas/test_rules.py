from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.limits import ComplaintSurgeLimits, OversellLimits, ReturnSpikeLimits
from schemas.rules import DEFAULT_RULES, LIMITS, Match, Rule, RuleSet
from schemas.times import EARLIEST_MS, END_MS
from tests.schemas.unhurried import UNHURRIED

HOUR = timedelta(hours=1)


def rule(kind: str = "complaint_surge", **keys: Any) -> Rule:
    return Rule.model_validate({"id": "r", "kind": kind, **keys})


def errors(kind: str = "complaint_surge", **keys: Any) -> dict[tuple[int | str, ...], str]:
    """Return what is wrong with a rule: places and messages."""
    with pytest.raises(ValidationError) as caught:
        rule(kind, **keys)
    return {error["loc"]: error["msg"] for error in caught.value.errors()}


def test_the_rules_of_a_fresh_system() -> None:
    assert DEFAULT_RULES.version == 0
    assert [(each.id, each.kind, each.severity, each.mode, each.recovery) for each in DEFAULT_RULES.rules] == [
        ("oversell", "oversell", "critical", "enforce", "evidence"),
        ("return-spike", "return_spike", "warning", "enforce", "manual"),
        ("complaint-surge", "complaint_surge", "warning", "enforce", "manual"),
        ("critical-complaints", "complaint_surge", "critical", "enforce", "manual"),
    ]
    critical = DEFAULT_RULES.rules[3].limits
    assert critical == ComplaintSurgeLimits(more_than=5, categories=("food_safety", "allergy", "counterfeit"))
    assert DEFAULT_RULES.rules[:3] == (
        Rule.model_validate({"id": "oversell", "kind": "oversell", "severity": "critical"}),
        Rule.model_validate({"id": "return-spike", "kind": "return_spike"}),
        Rule.model_validate({"id": "complaint-surge", "kind": "complaint_surge"}),
    )


@pytest.mark.parametrize("kind", LIMITS)
def test_defaults(kind: str) -> None:
    plain = rule(kind)
    assert (plain.mode, plain.severity, plain.match, plain.overrides) == ("enforce", "warning", Match(), ())
    assert (plain.cooldown, plain.probation, plain.probation_factor) == (HOUR / 2, HOUR / 2, Decimal("0.5"))
    assert plain.recovery == ("evidence" if kind == "oversell" else "manual")
    assert plain.limits == LIMITS[kind]()


def test_limits_stand_beside_the_id() -> None:
    assert rule("return_spike", rise=0.25, window="30m").limits == ReturnSpikeLimits(
        rise=Decimal("0.25"), window=HOUR / 2
    )


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("id", ["a", "0", "a" * 64, "r-2-"], ["", "A", "-a", "a" * 65, "a_b", "a\n", 7, None, "é"]),
        ("kind", [], ["", "surge", "Oversell", None, 3]),
        ("mode", ["enforce", "shadow", "off"], ["on", "", None, True]),
        ("severity", ["critical", "warning", "info"], ["high", None, 1]),
        ("recovery", ["manual", "auto"], ["evidence", "none", None]),
        ("cooldown", ["1s", "8h"], ["0s", "999ms", "28801s", 60, None]),
        ("probation", ["1s", "7d"], ["0s", "8d", True]),
        ("probation_factor", [1, 0.000000001, "0.5", Decimal("0.75")], [0, -0.5, 1.1, True, "half", None]),
        ("match", [{}, {"room": "a"}, {"rooms": []}], [3, "room", [], {"rom": "a"}, {"room": "a", "rooms": ["b"]}]),
        ("override", [[], [{"room": "a", "more_than": 3}]], [{}, {"room": "a", "more_than": 3}, "x", None, [7]]),
    ],
)
def test_keys(key: str, good: list[object], bad: list[object]) -> None:
    plain: dict[str, Any] = {"kind": "complaint_surge"}
    for value in good:
        rule(**{**plain, key: value})
    for value in bad:
        found = errors(**{**plain, key: value})
        assert {place[0] for place in found} == {"overrides" if key == "override" else key}, value


def test_recovery_by_evidence_is_for_over_sell_only() -> None:
    assert rule("oversell", recovery="evidence").recovery == "evidence"
    assert rule("oversell", recovery="manual").recovery == "manual"
    assert "must be one of auto, manual" in errors("return_spike", recovery="evidence")["recovery",]


def test_all_errors_are_told_at_once_with_their_places() -> None:
    found = errors(
        "oversell",
        windw="3m",
        floor=-1,
        cooldown="9h",
        match={"rooms": [1.5]},
        override=[{"floor": 3}, {"room": "r", "floors": 3, "cover": 3}, {"room": [1.5], "hot_units": -1}],
    )
    assert set(found) == {
        ("windw",),
        ("limits", "floor"),
        ("cooldown",),
        ("match", "rooms", 0),
        ("overrides", 0),
        ("overrides", 1, "floors"),
        ("overrides", 1, "cover"),
        ("overrides", 2, "rooms", 0),
        ("overrides", 2, "hot_units"),
    }


def test_limits_of_another_kind_are_refused() -> None:
    assert ("more_than",) in errors("oversell", more_than=5)
    with pytest.raises(ValidationError):
        Rule(id="r", kind="oversell", limits=ComplaintSurgeLimits())


MATCHES = [
    ({}, True),
    ({"products": ["p"]}, True),
    ({"product": "p"}, True),
    ({"products": ["q", "p"]}, True),
    ({"products": ["q"]}, False),
    ({"rooms": ["r"], "categories": ["c"], "products": ["p"]}, True),
    ({"rooms": ["r"], "categories": ["d"]}, False),
    ({"rooms": ["s"], "products": ["p"]}, False),
]


@pytest.mark.parametrize(("match", "holds"), MATCHES)
def test_a_rule_matches_where_all_its_scopes_hold(match: dict[str, Any], *, holds: bool) -> None:
    assert rule(match=match).matches("p", "r", "c") is holds


def test_unknown_rooms_and_categories_are_in_no_scope() -> None:
    assert rule().matches("p", None, None)
    assert not rule(match={"room": "r"}).matches("p", None, "c")
    assert not rule(match={"category": "c"}).matches("p", "r", None)


def test_integers_in_scopes_are_ids_too() -> None:
    assert rule(match={"products": [42, "43"]}).match.products == ("42", "43")
    assert rule(match={"product": 42}).matches("42", None, None)


def test_overrides_are_laid_over_each_other_the_most_specific_on_top() -> None:
    limits = [
        {"product": "p", "more_than": 7},
        {"room": "r", "product": "p", "window": "1m"},
        {"room": "r", "more_than": 6, "window": "6m", "lateness": "6m"},
        {"category": "c", "more_than": 5, "window": "5m", "lateness": "5m"},
        {"category": "c", "room": "r", "lateness": "9m"},
        {"category": "c", "lateness": "4m"},
    ]
    found = rule(more_than=1, override=limits)

    def seen(product: str, room: str | None, category: str | None) -> tuple[int, int, int]:
        held = found.limits_for(product, room, category)
        assert isinstance(held, ComplaintSurgeLimits)
        return held.more_than, held.window // timedelta(minutes=1), held.lateness // timedelta(minutes=1)

    assert seen("q", None, None) == (1, 60, 15)
    assert seen("q", "s", "d") == (1, 60, 15)
    assert seen("q", None, "c") == (5, 5, 4), "of two for the category the later one wins"
    assert seen("q", "r", None) == (6, 6, 6)
    assert seen("q", "r", "c") == (6, 6, 9), "room and category outweighs the room"
    assert seen("p", "s", None) == (7, 60, 15)
    assert seen("p", "r", "c") == (7, 1, 9)


def test_without_an_override_the_limits_are_the_rule_s_own() -> None:
    plain = rule()
    assert plain.limits_for("p", "r", "c") is plain.limits
    assert rule(override=[{"room": "r", "more_than": 3}]).limits_for("p", None, None) == plain.limits


def test_limits_of_overrides_are_checked_against_the_others() -> None:
    assert ("overrides", 0, "rate_windows") in errors("oversell", override=[{"room": "r", "history": "5s"}])
    together = [{"room": "r", "history": "20s"}, {"category": "c", "rate_windows": ["30s"]}]
    found = errors("oversell", rate_windows=["10s"], override=together)
    assert "may hold together" in found["overrides",]
    apart = [{"room": "r", "history": "20s"}, {"room": "s", "rate_windows": ["30s"]}]
    assert len(rule("oversell", rate_windows=["10s"], override=apart).overrides) == 2


def test_an_override_names_a_scope_and_changes_a_limit() -> None:
    assert "must name" in errors(override=[{"more_than": 3}])["overrides", 0]
    assert "must change" in errors(override=[{"room": "r"}])["overrides", 0]
    assert ("overrides", 0, "cooldown") in errors(override=[{"room": "r", "cooldown": "3m"}])


def test_category_in_an_override_is_the_product_s() -> None:
    found = rule(categories=["allergy"], override=[{"category": "food", "more_than": 3}])
    assert found.overrides[0].categories == ("food",)
    held = found.limits_for("p", None, "food")
    assert held == ComplaintSurgeLimits(more_than=3, categories=("allergy",))


def test_rule_sets() -> None:
    one = {"id": "a", "kind": "oversell"}
    good = {"version": 1, "issued_at": EARLIEST_MS, "actor": "ann", "rules": [one]}
    assert RuleSet.model_validate(good).issued_at == EARLIEST_MS
    assert RuleSet.model_validate({**good, "issued_at": "2000-01-01T00:00:00Z"}).issued_at == EARLIEST_MS
    for key, value in [
        ("version", -1),
        ("version", True),
        ("version", "1"),
        ("version", 2**53),
        ("issued_at", False),
        ("issued_at", 1),
        ("issued_at", END_MS),
        ("actor", ""),
        ("actor", "a\nb"),
        ("rules", None),
        ("rules", [one, one]),
        ("rules", [{**one, "id": f"r{n}"} for n in range(1001)]),
        ("surprise", 1),
    ]:
        with pytest.raises(ValidationError) as caught:
            RuleSet.model_validate({**good, key: value})
        assert {error["loc"][0] for error in caught.value.errors()} == {key}


def test_everything_is_frozen() -> None:
    found = rule(match={"room": "r"}, override=[{"room": "r", "more_than": 3}])
    for thing, name in [
        (found, "mode"),
        (found.match, "rooms"),
        (found.overrides[0], "rooms"),
        (DEFAULT_RULES, "rules"),
    ]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(thing, name, getattr(thing, name))


DURATIONS = st.integers(60, 3_600).map(lambda seconds: f"{seconds}s")
DECIMALS = st.decimals(min_value="0.001", max_value=1, places=3)
CHANGES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "complaint_surge": st.fixed_dictionaries({"more_than": st.integers(0, 10_000), "window": DURATIONS}),
    "return_spike": st.fixed_dictionaries({"rise": DECIMALS, "z": st.floats(0, 100), "history": st.integers(1, 9)}),
    "oversell": st.fixed_dictionaries({"rate_windows": st.just(["1s", "30s"]), "cover": DURATIONS}),
}
SCOPES = st.lists(st.text("ab-é\\\"' 1", min_size=1, max_size=9), min_size=1, max_size=3, unique=True)


@st.composite
def drawn_rules(draw: st.DrawFn) -> RuleSet:
    """Draw a rule set of any kinds, scopes and overrides."""
    rules = []
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(sorted(CHANGES)))
        scopes = st.dictionaries(st.sampled_from(["rooms", "products", "categories"]), SCOPES, min_size=1)
        data = {
            "id": f"rule-{number}",
            "kind": kind,
            "mode": draw(st.sampled_from(["enforce", "shadow", "off"])),
            "cooldown": draw(DURATIONS),
            "probation_factor": draw(DECIMALS),
            "match": draw(scopes | st.just({})),
            "override": [draw(scopes) | draw(CHANGES[kind]) for _ in range(draw(st.integers(0, 2)))],
            **draw(CHANGES[kind]),
        }
        rules.append(Rule.model_validate(data))
    return RuleSet(version=draw(st.integers(0, 9)), issued_at=EARLIEST_MS, actor="ann", rules=tuple(rules))


@UNHURRIED
@given(drawn_rules())
def test_json_reads_back_as_the_same_rules(rules: RuleSet) -> None:
    assert RuleSet.model_validate(orjson.loads(orjson.dumps(rules.model_dump(mode="json")))) == rules
    assert RuleSet.model_validate_json(rules.model_dump_json()) == rules
    assert RuleSet.model_validate(rules.model_dump()) == rules
    assert RuleSet.model_validate_json(rules.model_dump_json()).model_dump_json() == rules.model_dump_json()


def test_json_is_flat_and_exact() -> None:
    found = rule("return_spike", rise=Decimal("0.10"), override=[{"room": "r", "rise": 0.3, "window": "90s"}])
    data = found.model_dump(mode="json")
    assert data["rise"] == "0.10"
    assert data["window"] == "1h"
    assert data["override"] == [{"rooms": ["r"], "rise": "0.3", "window": "90s"}]
    assert "limits" not in data


def test_limits_are_typed_by_kind() -> None:
    assert isinstance(rule("oversell").limits, OversellLimits)
    assert isinstance(rule("oversell", override=[{"room": "r", "floor": 3}]).limits_for("p", "r", None), OversellLimits)


def test_a_dump_may_leave_things_out() -> None:
    plain = rule("oversell")
    assert plain.model_dump(exclude_defaults=True) == {"id": "r", "kind": "oversell", "recovery": "evidence"}
    assert rule(more_than=3).model_dump(exclude_defaults=True) == {"id": "r", "kind": "complaint_surge", "more_than": 3}
    kept = rule(override=[{"room": "r", "more_than": 3}]).model_dump(mode="json", exclude_defaults=True)
    assert kept["override"] == [{"rooms": ["r"], "more_than": 3}]
    assert "more_than" not in plain.model_dump(exclude={"limits", "overrides"})
