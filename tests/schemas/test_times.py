from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import EARLIEST_MS, END_MS, from_ms, to_ms
from tests.schemas.unhurried import UNHURRIED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2000, 1, 3), datetime(2099, 12, 29), timezones=OFFSETS)  # noqa: DTZ001 (zones are added)
# What is nearly a time, and now and then one.
NEARLY = st.from_regex(
    r"\A[0-9]{3,5}-[01]?[0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?([.,][0-9]{0,4})?"
    r"([Zz]|[+-][0-2][0-9]:?[0-6][0-9])?\n?\Z"
)


def in_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@UNHURRIED
@given(MOMENTS, st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]), st.sampled_from("Tt "))
def test_reads_what_datetime_writes(moment: datetime, precision: str, separator: str) -> None:
    text = moment.isoformat(sep=separator, timespec=precision)
    if precision == "seconds":
        moment = moment.replace(microsecond=0)
    assert to_ms(text) == in_ms(moment)
    assert to_ms(text) == in_ms(moment), "the second time it is looked up"


@UNHURRIED
@given(NEARLY)
def test_reads_only_what_datetime_reads_too(text: str) -> None:
    try:
        time_ms = to_ms(text)
    except ValueError:
        return
    moment = datetime.fromisoformat(text.upper().replace(":60", ":59"))
    assert moment.tzinfo is not None
    leap = timedelta(seconds=1) if ":60" in text[:19] else timedelta(0)
    assert time_ms == in_ms(moment + leap)


@UNHURRIED
@given(st.integers(EARLIEST_MS, END_MS - 1))
def test_milliseconds_are_read_as_they_are_and_written_as_text(time_ms: int) -> None:
    assert to_ms(time_ms) == time_ms
    assert to_ms(from_ms(time_ms)) == time_ms
    assert datetime.fromisoformat(from_ms(time_ms)) == EPOCH + timedelta(milliseconds=time_ms)


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2026-11-11T12:00:00.123Z", "2026-11-11T12:00:00.123Z"),
        ("2026-11-11t12:00:00.123z", "2026-11-11T12:00:00.123Z"),
        ("2026-11-11 12:00:00.123Z", "2026-11-11T12:00:00.123Z"),
        ("2026-11-11T12:00:00.1239999999Z", "2026-11-11T12:00:00.123Z"),
        ("2026-11-11T12:00:00.1Z", "2026-11-11T12:00:00.100Z"),
        ("2026-11-11T12:00:00-00:00", "2026-11-11T12:00:00.000Z"),
        ("2026-11-11T00:15:00+14:00", "2026-11-10T10:15:00.000Z"),
        ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2016-12-31T23:59:60.999Z", "2017-01-01T00:00:00.999Z"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00.000Z"),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00.000Z"),
        ("1999-12-31T23:59:59-00:01", "2000-01-01T00:00:59.000Z"),
        ("2099-12-31T23:59:59.999999Z", "2099-12-31T23:59:59.999Z"),
        ("2100-01-01T00:00:00+00:01", "2099-12-31T23:59:00.000Z"),
    ],
)
def test_forms(text: str, same_as: str) -> None:
    assert from_ms(to_ms(text)) == same_as


@pytest.mark.parametrize("value", [True, None, 1.5e12, b"2026-11-11T12:00:00Z", [], {}, EPOCH])
def test_only_text_and_integers_are_times(value: object) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        to_ms(value)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        EARLIEST_MS - 1,
        END_MS,
        10**40,
        "1999-12-31T23:59:59.999Z",
        "2000-01-01T00:00:00+00:01",
        "2100-01-01T00:00:00Z",
    ],
)
def test_times_outside_of_the_century_are_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="between 2000 and 2100"):
        to_ms(value)


def test_a_refused_time_stays_refused() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="between 2000 and 2100"):
            to_ms("2100-01-01T00:00:00.000Z")
        with pytest.raises(ValueError, match="RFC 3339"):
            to_ms("2026-11-11T12:00:00.000")


def test_more_different_times_than_are_remembered() -> None:
    start = in_ms(datetime(2026, 1, 1, tzinfo=UTC))
    for second in range(50_000):
        time_ms = start + second * 1000 + second % 1000
        assert to_ms(from_ms(time_ms)) == time_ms
