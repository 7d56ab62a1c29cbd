from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.durations import milliseconds, parse_duration, render_duration
from tests.schemas.unhurried import UNHURRIED


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
        ("007s", timedelta(seconds=7)),
    ],
)
def test_reads(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(minutes=60), "1h"),
        (timedelta(seconds=90), "90s"),
        (timedelta(days=14), "14d"),
        (timedelta(seconds=1, milliseconds=1), "1001ms"),
        (timedelta(0), "0s"),
    ],
)
def test_writes_with_the_largest_unit_that_fits(duration: timedelta, text: str) -> None:
    assert render_duration(duration) == text


@UNHURRIED
@given(st.integers(0, 10**11))
def test_what_is_written_reads_the_same(ms: int) -> None:
    duration = timedelta(milliseconds=ms)
    assert parse_duration(render_duration(duration)) == duration
    assert milliseconds(duration) == ms


@pytest.mark.parametrize(
    "value",
    [
        "",
        "90",
        "s",
        "-1s",
        "1.5h",
        "1h30m",
        " 1s",
        "1s\n",
        "1S",
        "1w",
        "1 s",
        "٣s",
        "9" * 13 + "s",
        90,
        1.5,
        True,
        None,
    ],
)
def test_refuses_what_has_no_unit_or_another(value: object) -> None:
    with pytest.raises(ValueError, match="whole number with a unit"):
        parse_duration(value)


def test_refuses_parts_of_a_millisecond_and_more_than_fits() -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        parse_duration(timedelta(microseconds=1))
    with pytest.raises(ValueError, match="too long"):
        parse_duration("999999999999d")
