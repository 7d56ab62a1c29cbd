"""The limits of each rule kind: names, units, bounds and defaults (contract, section 5).

A new kind of rule begins here, with a model of its limits and a line in `LIMITS`.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from schemas.durations import Between, Duration, render_duration

Recovery = Literal["manual", "auto", "evidence"]
ComplaintCategory = Literal[
    "quality", "counterfeit", "food_safety", "allergy", "misleading", "logistics", "service", "other"
]

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)

BUCKETS_PER_WINDOW: Final = 60
"""A window of `return_spike` is made of this many buckets; each must be a whole number of milliseconds wide."""

MOST_COMPLAINTS: Final = 10_000
"""The largest `more_than`. A product's state holds four times as many complaint ids, and is one Kafka record."""

FROZEN: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def exact_decimal(value: object) -> object:
    """Keep the decimal text of a number: 0.1 is one tenth, not the nearest binary fraction."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 (pydantic reports a ValueError, a TypeError it passes on)
    return Decimal(str(value)) if isinstance(value, int | float) else value


def _number(value: object) -> object:
    """Let a decimal stand for a float, as a TOML file is read with exact decimals."""
    return float(value) if isinstance(value, Decimal) else value


def _positive(value: Decimal) -> Decimal:
    if not value:
        raise ValueError("must be more than 0")
    return value


def _whole_seconds(value: timedelta) -> timedelta:
    if value % SECOND:
        raise ValueError("must be in whole seconds")
    return value


def listed(value: object) -> object:
    """Let one value stand for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the list; ValueError when it names something twice."""
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    return values


Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Fraction = Annotated[
    Decimal,
    Field(ge=0, le=1, max_digits=18, decimal_places=9, allow_inf_nan=False),
    BeforeValidator(exact_decimal),
    PlainSerializer(str, return_type=str, when_used="json"),
]
PositiveFraction = Annotated[Fraction, AfterValidator(_positive)]
Seconds = Annotated[Duration, AfterValidator(_whole_seconds)]


class ComplaintSurgeLimits(BaseModel):
    """Trips when more than `more_than` complaints of `categories` (None: all) lie within less than `window`."""

    model_config = FROZEN
    recoveries: ClassVar[tuple[Recovery, ...]] = ("manual", "auto")

    more_than: Annotated[int, Field(strict=True, ge=0, le=MOST_COMPLAINTS)] = 50
    window: Annotated[Duration, Between(SECOND, WEEK)] = HOUR
    categories: (
        Annotated[tuple[ComplaintCategory, ...], Field(min_length=1), BeforeValidator(listed), AfterValidator(distinct)]
        | None
    ) = None
    lateness: Annotated[Duration, Between(timedelta(0), WEEK)] = 15 * MINUTE


class ReturnSpikeLimits(BaseModel):
    """Trips when the returns of a window exceed the worst of the `history` periods before it by `rise`."""

    model_config = FROZEN
    recoveries: ClassVar[tuple[Recovery, ...]] = ("manual", "auto")

    rise: PositiveFraction = Decimal("0.10")
    window: Annotated[Duration, Between(MINUTE, WEEK)] = HOUR
    history: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 168
    min_units: PositiveCount = 30
    min_returns: PositiveCount = 5
    prior_rate: Fraction = Decimal("0.10")
    prior_units: PositiveCount = 100
    z: Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False), BeforeValidator(_number)] = 3.0

    @field_validator("window")
    @classmethod
    def _has_whole_buckets(cls, window: timedelta) -> timedelta:
        if window % timedelta(milliseconds=BUCKETS_PER_WINDOW):
            raise ValueError("must be a multiple of 60ms, as it is cut into 60 buckets")
        return window


class OversellLimits(BaseModel):
    """Trips when what is available of a SKU is not more than what will be sold before a pause takes effect."""

    model_config = FROZEN
    recoveries: ClassVar[tuple[Recovery, ...]] = ("evidence", "manual", "auto")

    floor: Count = 0
    reaction_time: Annotated[Duration, Between(timedelta(0), HOUR)] = 3 * SECOND
    history: Annotated[Seconds, Between(SECOND, 24 * HOUR)] = 15 * MINUTE
    rate_windows: Annotated[
        tuple[Annotated[Seconds, Between(SECOND, 24 * HOUR)], ...],
        Field(min_length=1, max_length=8, validate_default=True),
        BeforeValidator(listed),
        AfterValidator(distinct),
    ] = (3 * SECOND, MINUTE)
    resume_above: Count = 10
    safety_stock: Count = 500
    hot_units: Count = 50
    cover: Annotated[Duration, Between(SECOND, WEEK)] = HOUR

    @field_validator("rate_windows")
    @classmethod
    def _lie_within_history(cls, windows: tuple[timedelta, ...], info: ValidationInfo) -> tuple[timedelta, ...]:
        history = info.data.get("history")
        if history is not None and max(windows) > history:
            raise ValueError(f"has a window longer than the history of {render_duration(history)}")
        return windows


Limits = ComplaintSurgeLimits | ReturnSpikeLimits | OversellLimits

LIMITS: Final[Mapping[str, type[Limits]]] = {
    "oversell": OversellLimits,
    "return_spike": ReturnSpikeLimits,
    "complaint_surge": ComplaintSurgeLimits,
}
"""The rule kinds and their limits. The first of a kind's `recoveries` is its default."""
