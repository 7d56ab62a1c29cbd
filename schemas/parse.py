"""Reading input records fast: straight from the bytes of a Kafka record to plain dicts.

The models of `schemas.records` and `schemas.commands` are the only place where fields and ranges stand. From each of
them a validator is derived here that admits exactly the same records, but
  - builds dicts and lists in place of models, which halves the time;
  - leaves out absent fields that may be absent: read them with `.get`; nulls and defaults are as in the model;
  - leaves times as they came, text or integer: `schemas.times.to_ms` reads them, or raises ValueError.

Both errors are ValueErrors, so a hot loop needs one `except`:

    try:
        order = parse_order(value)
        time_ms = to_ms(order["occurred_at"])
    except ValueError:
        refusal = describe(Order, value)

`describe` takes its time and reads the record again through the model.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, GetPydanticSchema, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from schemas.commands import Command
from schemas.records import Complaint, Order, Return, StockLevel
from schemas.rules import RuleSet
from schemas.times import to_ms
from schemas.topics import LARGEST_RECORD_BYTES
from schemas.wording import in_words

Reason = Literal["empty", "not_json", "invalid", "too_large", "future_timestamp"]
"""Why a record is a dead letter. The last is for the intake to find: it needs the record's Kafka timestamp."""

# JSON's own white space; bytes.strip() would also take form feeds.
_JSON_SPACE: Final = b" \t\r\n"
_MOST_PROBLEMS: Final = 5

Parse = Callable[[bytes], dict[str, Any]]


class Refusal(NamedTuple):
    """Why a record cannot be used. `message` names the fields, never what stood in them."""

    reason: Reason
    message: str


def _is_time(field: FieldInfo) -> bool:
    """Tell whether a field is a time, required or not."""
    parts = [field, *get_args(field.annotation)]
    marks = [mark for part in parts for mark in getattr(part, "metadata", getattr(part, "__metadata__", ()))]
    return any(isinstance(mark, BeforeValidator) and mark.func is to_ms for mark in marks)


def _time_schema(*, nullable: bool) -> CoreSchema:
    choices: list[CoreSchema | tuple[CoreSchema, str]] = [
        core_schema.str_schema(strict=True),
        core_schema.int_schema(strict=True),
    ]
    either = core_schema.union_schema(choices, mode="left_to_right")
    return core_schema.nullable_schema(either) if nullable else either


def _field_schema(field: FieldInfo) -> CoreSchema:
    if _is_time(field):
        return _time_schema(nullable=not field.is_required())
    annotation: Any = field.annotation
    constraints = tuple(field.metadata)
    if get_origin(annotation) is tuple:
        (model, _) = get_args(annotation)
        annotation = Annotated[list[Any], GetPydanticSchema(lambda *_: core_schema.list_schema(_dict_schema(model)))]
    return TypeAdapter(Annotated[(annotation, *constraints)] if constraints else annotation).core_schema


def _dict_schema(model: type[BaseModel]) -> CoreSchema:
    fields = {
        name: core_schema.typed_dict_field(_field_schema(field), required=field.is_required())
        for name, field in model.model_fields.items()
    }
    return core_schema.typed_dict_schema(fields)


def parser_for(model: type[BaseModel]) -> Parse:
    """Return a function that reads a record's bytes to a dict; it raises ValidationError, a ValueError."""
    # Keys repeat from record to record, values hardly do: looking each of them up costs more than making it anew.
    config = CoreConfig(hide_input_in_errors=True, cache_strings="keys")
    validator = SchemaValidator(_dict_schema(model), config)
    return validator.validate_json


parse_order: Final = parser_for(Order)
parse_return: Final = parser_for(Return)
parse_complaint: Final = parser_for(Complaint)
parse_stock_level: Final = parser_for(StockLevel)
parse_command: Final = parser_for(Command)


def parse_rules(value: bytes) -> RuleSet:
    """Read a record of the rules topic; ValidationError, a ValueError, when it is no rule set."""
    return RuleSet.model_validate_json(value)


def describe(model: type[BaseModel], value: bytes | None) -> Refusal | None:
    """Say why a record of this model cannot be used; None when nothing is wrong with it."""
    if value is None or not value.strip(_JSON_SPACE):
        return Refusal("empty", "the record has no value")
    if len(value) > LARGEST_RECORD_BYTES:
        return Refusal("too_large", f"the value has {len(value)} bytes, more than {LARGEST_RECORD_BYTES}")
    try:
        model.model_validate_json(value)
    except ValidationError as error:
        return describe_error(error)
    return None


def describe_error(error: ValidationError) -> Refusal:
    """Put a validation error into words: each field once, by its path, and no value that the record held."""
    problems: dict[str, str] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        if each["type"] == "json_invalid":
            return Refusal("not_json", each["msg"].removeprefix("Invalid JSON: "))
        path = _path(each["loc"])
        # A list with a bad item is also reported as too short by that item.
        if each["type"] != "too_short" or not any(other.startswith(f"{path}[") for other in problems):
            problems.setdefault(path, in_words(each))
    told = [f"{path}: {problem}" if path else f"the record {problem}" for path, problem in problems.items()]
    more = len(told) - _MOST_PROBLEMS
    return Refusal("invalid", "; ".join(told[:_MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else ""))


def _path(location: tuple[int | str, ...]) -> str:
    """Write the place of an error as `lines[2].quantity`. The limits of a rule stand beside its id, as in JSON."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step not in {"", "limits"}:
            path += f".{step}" if path else step
    return path
