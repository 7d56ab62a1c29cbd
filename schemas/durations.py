"""Durations as they are written in a rules file: "500ms", "90s", "15m", "24h", "7d"."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

MILLISECOND = timedelta(milliseconds=1)
DURATION_PATTERN = r"^[0-9]{1,12}(ms|s|m|h|d)$"

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": MILLISECOND,
}
_TEXT = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")


def parse_duration(value: object) -> timedelta:
    """Read a duration from its text, or let a timedelta pass; ValueError for all else, and for parts of a ms."""
    if isinstance(value, timedelta):
        if value % MILLISECOND:
            raise ValueError("must be a whole number of milliseconds")
        return value
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a duration: a whole number with a unit, such as "500ms", "90s", "15m", "24h" or "7d"')
    try:
        return int(found[1]) * _UNITS[found[2]]
    except OverflowError:
        raise ValueError("is too long") from None


def render_duration(value: timedelta) -> str:
    """Write a duration with the largest unit that leaves a whole number: 3600 s is "1h", 90 s is "90s"."""
    for unit, length in _UNITS.items():
        if value >= length and not value % length:
            return f"{value // length}{unit}"
    return "0s"


def milliseconds(value: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return value // MILLISECOND


@dataclass(frozen=True, slots=True)
class Between:
    """The check that a duration lies between these two, both included."""

    least: timedelta
    most: timedelta

    def __str__(self) -> str:
        return f"from {render_duration(self.least)} to {render_duration(self.most)}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check behind what the type itself checks."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: timedelta) -> timedelta:
        if not self.least <= value <= self.most:
            raise ValueError(f"must be a duration {self}")
        return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(render_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["90s", "15m", "24h", "7d"]}),
]
