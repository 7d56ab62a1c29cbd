from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.limits import LIMITS, ComplaintSurgeLimits, OversellLimits, ReturnSpikeLimits

BILLION = 1_000_000_000


def test_defaults_are_those_of_the_contract() -> None:
    assert ComplaintSurgeLimits() == ComplaintSurgeLimits(
        more_than=50, window=timedelta(minutes=60), categories=None, lateness=timedelta(minutes=15)
    )
    assert ReturnSpikeLimits() == ReturnSpikeLimits(
        rise=Decimal("0.10"),
        window=timedelta(minutes=60),
        history=168,
        min_units=30,
        min_returns=5,
        prior_rate=Decimal("0.10"),
        prior_units=100,
        z=3.0,
    )
    assert OversellLimits() == OversellLimits(
        floor=0,
        reaction_time=timedelta(seconds=3),
        rate_windows=(timedelta(seconds=3), timedelta(seconds=60)),
        history=timedelta(minutes=15),
        resume_above=10,
        safety_stock=500,
        hot_units=50,
        cover=timedelta(minutes=60),
    )


def wrong_places(kind: str, name: str, value: object) -> set[object]:
    """Return the limits that are reported when one is given."""
    try:
        LIMITS[kind].model_validate({name: value})
    except ValidationError as error:
        return {each["loc"][0] for each in error.errors()}
    return set()


def admits(kind: str, name: str, value: object) -> bool:
    places = wrong_places(kind, name, value)
    assert places <= {name}
    return not places


@pytest.mark.parametrize(
    ("kind", "name", "least", "below", "most", "above"),
    [
        ("complaint_surge", "more_than", 0, -1, 10_000, 10_001),
        ("complaint_surge", "window", "1s", "999ms", "7d", "604801s"),
        ("complaint_surge", "lateness", "0s", "-1s", "7d", "8d"),
        ("return_spike", "rise", "0.000000001", 0, 1, "1.001"),
        ("return_spike", "window", "1m", "59940ms", "7d", "8d"),
        ("return_spike", "history", 1, 0, 1000, 1001),
        ("return_spike", "min_units", 1, 0, BILLION, BILLION + 1),
        ("return_spike", "min_returns", 1, 0, BILLION, BILLION + 1),
        ("return_spike", "prior_rate", 0, -0.1, 1, 1.5),
        ("return_spike", "prior_units", 1, 0, BILLION, BILLION + 1),
        ("return_spike", "z", 0, -0.1, 100, 100.1),
        ("oversell", "floor", 0, -1, BILLION, BILLION + 1),
        ("oversell", "reaction_time", "0s", "-1s", "1h", "3601s"),
        ("oversell", "history", "60s", "0s", "24h", "25h"),
        ("oversell", "rate_windows", ["1s"], ["0s"], ["15m"], ["901s"]),
        ("oversell", "rate_windows", ["1s"], [], [f"{n}s" for n in range(1, 9)], [f"{n}s" for n in range(1, 10)]),
        ("oversell", "resume_above", 0, -1, BILLION, BILLION + 1),
        ("oversell", "safety_stock", 0, -1, BILLION, BILLION + 1),
        ("oversell", "hot_units", 0, -1, BILLION, BILLION + 1),
        ("oversell", "cover", "1s", "0s", "7d", "8d"),
    ],
)
def test_bounds(kind: str, name: str, least: object, below: object, most: object, above: object) -> None:
    assert admits(kind, name, least)
    assert admits(kind, name, most)
    assert not admits(kind, name, below)
    assert not admits(kind, name, above)


@pytest.mark.parametrize("kind", LIMITS)
def test_every_limit_has_a_type(kind: str) -> None:
    for name, field in LIMITS[kind].model_fields.items():
        wrong: list[Any] = [True, {}, "", "many", float("nan"), Decimal("inf")]
        if isinstance(field.default, int):
            wrong += ["5", 5.0, Decimal(5)]
        if isinstance(field.default, timedelta):
            wrong += [60, "60", "1.5m", ["1m"], timedelta(microseconds=1)]
        for value in wrong:
            assert not admits(kind, name, value), (name, value)


@pytest.mark.parametrize("kind", LIMITS)
def test_limits_are_frozen_and_closed(kind: str) -> None:
    limits = LIMITS[kind]()
    name = next(iter(LIMITS[kind].model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(limits, name, getattr(limits, name))
    with pytest.raises(ValidationError, match="not permitted"):
        LIMITS[kind].model_validate({"surprise": 1})


@pytest.mark.parametrize("given", [Decimal("0.1"), 0.1, "0.1"])
def test_a_tenth_is_exactly_a_tenth(given: object) -> None:
    limits = ReturnSpikeLimits.model_validate({"rise": given})
    assert limits.rise == Decimal("0.1")
    assert str(limits.rise) == "0.1"


def test_windows_of_returns_have_whole_buckets() -> None:
    assert admits("return_spike", "window", "60060ms")
    assert not admits("return_spike", "window", "60061ms")


def test_rates_are_counted_in_whole_seconds_within_the_history() -> None:
    assert not admits("oversell", "rate_windows", ["1500ms"])
    assert not admits("oversell", "history", "60500ms")
    assert not admits("oversell", "rate_windows", ["3s", "3s"])
    with pytest.raises(ValidationError, match="longer than the history of 10s"):
        OversellLimits.model_validate({"history": "10s"})
    assert wrong_places("oversell", "history", "10s") == {"rate_windows"}


def test_complaint_categories() -> None:
    assert ComplaintSurgeLimits.model_validate({"categories": "allergy"}).categories == ("allergy",)
    for wrong in ([], ["food"], ["allergy", "allergy"], "food", 3):
        assert not admits("complaint_surge", "categories", wrong)
