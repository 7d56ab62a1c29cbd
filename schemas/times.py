"""Times as the contract admits them: RFC 3339 with an offset, or integer milliseconds since 1970.

Inside livefuse a time is always an integer, milliseconds since 1970-01-01T00:00:00Z; parts of a millisecond are cut
off. Nothing before 2000 or from 2100 on is a time.

What of RFC 3339 is read: any number of digits in the fraction, `T` and `Z` in either case, a space in place of the `T`
(its section 5.6 leaves that to the application), `-00:00`, and the leap second, which counts as the second after it.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01T00:00:00Z, the first valid time."""

END_MS: Final = 4_102_444_800_000
"""2100-01-01T00:00:00Z, the first time that is not valid any more."""

_NOT_A_TIME: Final = "must be RFC 3339 text with an offset, or whole milliseconds since 1970"
_OUT_OF_RANGE: Final = "must lie between 2000 and 2100"

_HEAD: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})")
_TAIL: Final = re.compile(r"(?:\.([0-9]+))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))")
_HEAD_LENGTH: Final = 19
_LEAP_SECOND: Final = 60

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

# A stream of records repeats its seconds and its tails (".250Z") over and over, so both are looked up, not parsed.
# What is in here was parsed once and found valid. Both are bounded.
_HEADS: Final[dict[str, int]] = {}
_TAILS: Final[dict[str, int]] = {}
_CACHED: Final = 20_000


def to_ms(value: object) -> int:
    """Return a time of an input record in milliseconds since 1970; ValueError when it is none or out of range."""
    if isinstance(value, str):
        try:
            time_ms = _HEADS[value[:_HEAD_LENGTH]] + _TAILS[value[_HEAD_LENGTH:]]
        except KeyError:
            time_ms = _parse(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        time_ms = value
    else:
        raise ValueError(_NOT_A_TIME)  # noqa: TRY004 (pydantic reports a ValueError, a TypeError it passes on)
    if EARLIEST_MS <= time_ms < END_MS:
        return time_ms
    raise ValueError(_OUT_OF_RANGE)


def from_ms(time_ms: int) -> str:
    """Return a time as the contract writes it: UTC with milliseconds and `Z`, "2026-11-11T12:00:00.123Z"."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def _parse(value: str) -> int:
    head, tail = value[:_HEAD_LENGTH], value[_HEAD_LENGTH:]
    return _parse_head(head, tail) + _parse_tail(tail)


def _parse_head(text: str, tail: str) -> int:
    found = _HEAD.fullmatch(text)
    if found is None:
        raise ValueError(_NOT_A_TIME)
    year, month, day, hour, minute, second = map(int, found.groups())
    leap = second == _LEAP_SECOND
    try:
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        raise ValueError(_NOT_A_TIME) from None
    time_ms = (moment - _EPOCH) // _MILLISECOND
    if leap:
        _check_leap_second(time_ms + _parse_tail(tail))
        return time_ms + 1000
    if len(_HEADS) >= _CACHED:
        _HEADS.clear()
    _HEADS[text] = time_ms
    return time_ms


def _parse_tail(text: str) -> int:
    found = _TAIL.fullmatch(text)
    if found is None:
        raise ValueError(_NOT_A_TIME)
    fraction, sign, hours, minutes = found.groups()
    time_ms = int(fraction[:3].ljust(3, "0")) if fraction else 0
    if sign:
        ahead_ms = (int(hours) * 60 + int(minutes)) * 60_000
        time_ms += ahead_ms if sign == "-" else -ahead_ms
    if len(_TAILS) < _CACHED:
        _TAILS[text] = time_ms
    return time_ms


def _check_leap_second(time_ms: int) -> None:
    """Leap seconds stand at the end of a month in UTC, nowhere else; ``time_ms`` lies in the second before it."""
    after = _EPOCH + timedelta(milliseconds=time_ms + 1000)
    if (after.day, after.hour, after.minute, after.second) != (1, 0, 0, 0):
        raise ValueError(_NOT_A_TIME)


TIME_JSON_SCHEMA: Final[JsonSchemaValue] = {
    "anyOf": [
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
            r"(\.[0-9]+)?([Zz]|[+-][0-2][0-9]:[0-5][0-9])$",
        },
        {"type": "integer", "minimum": EARLIEST_MS, "exclusiveMaximum": END_MS},
    ],
    "description": "RFC 3339 with an offset, or milliseconds since 1970; from 2000 to 2099.",
}

Time = Annotated[int, BeforeValidator(to_ms), WithJsonSchema(TIME_JSON_SCHEMA)]
