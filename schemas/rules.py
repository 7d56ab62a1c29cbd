"""Rule sets: what may trip, where, and at which limits.

A rule is one instance of a rule kind. In TOML and JSON its limits are flat keys beside its id; here they are a model of
their own. Everything is frozen, and unknown keys are errors.

Of the overrides that hold for a product, the more specific is laid over the less specific one: category, then room,
then room and category, then product, and so on; of two equally specific ones the later in the file wins.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.durations import Between, Duration, render_duration
from schemas.ids import TextId
from schemas.limits import (
    FROZEN,
    HOUR,
    LIMITS,
    MINUTE,
    SECOND,
    WEEK,
    ComplaintSurgeLimits,
    Limits,
    OversellLimits,
    PositiveFraction,
    Recovery,
    ReturnSpikeLimits,
)
from schemas.scopes import SCOPES, Match
from schemas.times import TIME_JSON_SCHEMA, to_ms
from schemas.wording import in_words

__all__ = [
    "DEFAULT_RULES",
    "LIMITS",
    "ComplaintSurgeLimits",
    "Limits",
    "Match",
    "Mode",
    "Override",
    "OversellLimits",
    "Recovery",
    "ReturnSpikeLimits",
    "Rule",
    "RuleSet",
    "Severity",
]

Mode = Literal["enforce", "shadow", "off"]
Severity = Literal["critical", "warning", "info"]

MOST_OVERRIDES: Final = 1_000
MOST_RULES: Final = 1_000


def _limits_in(data: object) -> dict[str, Any]:
    """Return what an override in TOML or JSON says beside its scopes."""
    scopes = {*SCOPES, *SCOPES.values()}
    return {key: value for key, value in data.items() if key not in scopes} if isinstance(data, Mapping) else {}


class Override(Match):
    """Other limits for some products, rooms or categories.

    `limits` holds the changed limits only, as values of the kind's limits model. `category` and `categories` are
    product categories here, so an override cannot change the complaint categories of a rule.
    """

    limits: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_limits(cls, data: object) -> object:
        if not isinstance(data, Mapping) or "limits" in data:
            return data
        limits = _limits_in(data)
        return {**{key: value for key, value in data.items() if key not in limits}, "limits": limits}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.names_nothing:
            raise ValueError("must name a product, a room or a category")
        if not self.limits:
            raise ValueError("must change at least one limit")
        return self

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        scopes = {key: value for key, value in handler(self).items() if value and key != "limits"}
        return scopes | {name: _plain(limit) if info.mode_is_json() else limit for name, limit in self.limits.items()}


_RULE_ID_SCHEMA: Final = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9-]{0,63}$"}


def _rule_id(text: str) -> str:
    if not re.fullmatch(_RULE_ID_SCHEMA["pattern"], text):
        raise ValueError("must be 1 to 64 of a-z, 0-9 and -, and not begin with -")
    return text


class Rule(BaseModel):
    """One instance of a rule kind, with its own id, scope and limits."""

    model_config = FROZEN

    id: Annotated[str, Field(strict=True), AfterValidator(_rule_id), WithJsonSchema(_RULE_ID_SCHEMA)]
    kind: Annotated[str, Field(strict=True)]
    mode: Mode = "enforce"
    severity: Severity = "warning"
    match: Match = Match()
    limits: Limits
    overrides: tuple[Override, ...] = ()
    recovery: Recovery = "manual"
    cooldown: Annotated[Duration, Between(SECOND, 8 * HOUR)] = 30 * MINUTE
    probation: Annotated[Duration, Between(SECOND, WEEK)] = 30 * MINUTE
    probation_factor: PositiveFraction = Decimal("0.5")

    @model_validator(mode="before")
    @classmethod
    def _gather_limits(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        model = LIMITS.get(str(data.get("kind")))
        gathered = dict(data)
        if "override" in gathered and "overrides" not in gathered:
            gathered["overrides"] = gathered.pop("override")
        if model is not None:
            gathered.setdefault("recovery", model.recoveries[0])
        if "limits" not in gathered:
            names = model.model_fields if model else {name for each in LIMITS.values() for name in each.model_fields}
            gathered["limits"] = {key: gathered.pop(key) for key in data if key in names}
        return gathered

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in LIMITS:
            raise ValueError(f"must be one of {', '.join(LIMITS)}")
        return kind

    @field_validator("limits", mode="wrap")
    @classmethod
    def _check_limits(cls, value: object, _: object, info: ValidationInfo) -> Limits:
        # An unknown kind has been reported; its limits cannot be checked, any limits do in their place.
        model = LIMITS.get(info.data.get("kind", ""))
        return ComplaintSurgeLimits() if model is None else model.model_validate(value)

    @field_validator("overrides", mode="wrap")
    @classmethod
    def _check_overrides(cls, value: object, _: object, info: ValidationInfo) -> tuple[Override, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list of tables: write [[rule.override]]")  # noqa: TRY004 (pydantic reports a ValueError, a TypeError it passes on)
        if len(value) > MOST_OVERRIDES:
            raise ValueError(f"must be at most {MOST_OVERRIDES} for a rule")
        kind = info.data.get("kind", "")
        base = info.data.get("limits") or LIMITS.get(kind, ComplaintSurgeLimits)()
        overrides: list[Override] = []
        errors: list[InitErrorDetails] = []
        for index, item in enumerate(value):
            try:
                override = Override.model_validate(item)
            except ValidationError as error:
                errors += _below((index,), error)
                override = Override.model_construct(limits=_limits_in(item))
            try:
                overrides.append(_checked(override, kind, base) if kind else override)
            except ValidationError as error:
                errors += _below((index,), error)
        if errors:
            raise ValidationError.from_exception_data("Rule", errors)
        _check_together(overrides, base)
        return tuple(overrides)

    @field_validator("recovery")
    @classmethod
    def _is_possible(cls, recovery: Recovery, info: ValidationInfo) -> Recovery:
        model = LIMITS.get(info.data.get("kind", ""))
        if model is not None and recovery not in model.recoveries:
            raise ValueError(f"must be one of {', '.join(sorted(model.recoveries))} for this kind")
        return recovery

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        # Either may be left out: by `exclude`, or by `exclude_defaults`.
        limits: dict[str, Any] = data.pop("limits", {})
        if "overrides" in data:
            data["override"] = data.pop("overrides")
        return data | limits

    def matches(self, product_id: str, room_id: str | None, category: str | None) -> bool:
        """Tell whether the rule sees the signals of a product in this room and of this category."""
        return self.match.holds(product_id, room_id, category)

    def limits_for(self, product_id: str, room_id: str | None, category: str | None) -> Limits:
        """Return the limits that hold for a product in this room and of this category."""
        if not self.overrides:
            return self.limits
        changed: dict[str, Any] = {}
        holding = [override for override in self.overrides if override.holds(product_id, room_id, category)]
        for override in sorted(holding, key=lambda override: override.rank):
            changed.update(override.limits)
        return self.limits.model_copy(update=changed) if changed else self.limits


def _below(prefix: tuple[int | str, ...], error: ValidationError) -> list[InitErrorDetails]:
    """Return the errors of a part as errors of the whole."""
    return [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], "{text}", {"text": in_words(each)}),
            loc=prefix + each["loc"],
            input=None,
        )
        for each in error.errors(include_input=False, include_url=False)
    ]


def _checked(override: Override, kind: str, base: Limits) -> Override:
    """Return the override with its limits as values of the kind; ValidationError naming every limit that is wrong."""
    model = LIMITS[kind]
    # The other limits of the rule are laid below, for the checks that compare two limits.
    limits = model.model_validate({**dict(base), **override.limits})
    return override.model_copy(update={"limits": {name: getattr(limits, name) for name in override.limits}})


def _check_together(overrides: list[Override], base: Limits) -> None:
    """Check that two overrides which hold for the same product do not make limits that contradict each other."""
    if not isinstance(base, OversellLimits):
        return
    touching = [each for each in overrides if not each.limits.keys().isdisjoint(("history", "rate_windows"))]
    for lower, upper in combinations(sorted(touching, key=lambda override: override.rank), 2):
        limits = base.model_copy(update={**lower.limits, **upper.limits})
        if max(limits.rate_windows) > limits.history and lower.meets(upper):
            raise ValueError("has two that may hold together and make a rate window longer than the history")


def _plain(value: object) -> object:
    """Return a limit as JSON has it."""
    if isinstance(value, timedelta):
        return render_duration(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Decimal) else value


def _issued_at(value: object) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else to_ms(value)


_ISSUED_AT_SCHEMA: Final = {**TIME_JSON_SCHEMA, "anyOf": [*TIME_JSON_SCHEMA["anyOf"], {"const": 0}]}


class RuleSet(BaseModel):
    """All rules that are in force together. `issued_at`: milliseconds since 1970, 0 for the rules of a fresh system."""

    model_config = FROZEN

    version: Annotated[int, Field(strict=True, ge=0, lt=2**53)]
    issued_at: Annotated[int, BeforeValidator(_issued_at), WithJsonSchema(_ISSUED_AT_SCHEMA)]
    actor: TextId
    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)]

    @field_validator("rules")
    @classmethod
    def _have_distinct_ids(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        seen: set[str] = set()
        for rule in rules:
            if rule.id in seen:
                raise ValueError(f"has two rules with the id {rule.id}")
            seen.add(rule.id)
        return rules


DEFAULT_RULES: Final = RuleSet(
    version=0,
    issued_at=0,
    actor="livefuse",
    rules=(
        Rule(id="oversell", kind="oversell", severity="critical", recovery="evidence", limits=OversellLimits()),
        Rule(id="return-spike", kind="return_spike", limits=ReturnSpikeLimits()),
        Rule(id="complaint-surge", kind="complaint_surge", limits=ComplaintSurgeLimits()),
        Rule(
            id="critical-complaints",
            kind="complaint_surge",
            severity="critical",
            limits=ComplaintSurgeLimits(more_than=5, categories=("food_safety", "allergy", "counterfeit")),
        ),
    ),
)
"""The rules of a fresh system."""
