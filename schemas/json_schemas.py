"""The JSON Schemas of all records that livefuse reads and writes, generated from the models."""

from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema

from schemas.audit import AuditEntry
from schemas.commands import Command
from schemas.durations import render_duration
from schemas.events import FuseEvent, FuseState, ReplenishmentRequest, Watchlist
from schemas.limits import LIMITS
from schemas.records import Complaint, Order, Return, StockLevel
from schemas.rules import RuleSet
from schemas.scopes import SCOPES

RECORDS: Final[tuple[type[BaseModel], ...]] = (
    Order,
    Return,
    Complaint,
    StockLevel,
    Command,
    RuleSet,
    FuseEvent,
    FuseState,
    ReplenishmentRequest,
    Watchlist,
    AuditEntry,
)
"""The models of all records whose form is public. What stands in signals and state is livefuse's own affair."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MODE: Final[JsonSchemaMode] = "validation"


class _Generator(GenerateJsonSchema):
    """Writes defaults as the records do, and no titles that only repeat a name."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return render_duration(dft)
        if isinstance(dft, tuple):
            return [self.encode_default(each) for each in dft]
        return super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the signature is pydantic's)
        return False


@cache
def definitions(ref_template: str = "#/$defs/{model}") -> dict[str, JsonSchemaValue]:
    """Return the schemas of all records and of their parts, by name, with references after this template."""
    _, document = models_json_schema(
        [(model, _MODE) for model in RECORDS], ref_template=ref_template, schema_generator=_Generator
    )
    schemas: dict[str, JsonSchemaValue] = document["$defs"]
    schemas["Rule"] = _flat_rule(schemas)
    for name in ("Override", *(model.__name__ for model in LIMITS.values())):
        del schemas[name]
    return schemas


def schema_of(model: type[BaseModel]) -> JsonSchemaValue:
    """Return the schema of one record, with all that it refers to."""
    everything = definitions()
    needed: dict[str, JsonSchemaValue] = {}
    _gather(everything[model.__name__], everything, needed)
    schema = {"$schema": DIALECT, **everything[model.__name__]}
    return schema | {"$defs": dict(sorted(needed.items()))} if needed else schema


def _gather(schema: object, everything: dict[str, JsonSchemaValue], needed: dict[str, JsonSchemaValue]) -> None:
    """Add to `needed` what a schema refers to."""
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in needed:
            needed[name] = everything[name]
            _gather(everything[name], everything, needed)
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _gather(part, everything, needed)


def _flat_rule(schemas: dict[str, JsonSchemaValue]) -> JsonSchemaValue:
    """Return the schema of a rule as it is written: one form for each kind, with the kind's limits beside the id."""
    rule = schemas["Rule"]
    common = {key: value for key, value in rule["properties"].items() if key not in {"limits", "overrides"}}
    forms = []
    for kind, model in LIMITS.items():
        limits = schemas[model.__name__]["properties"]
        recovery = {"enum": list(model.recoveries), "default": model.recoveries[0], "type": "string"}
        forms.append(
            {
                "title": kind,
                "description": schemas[model.__name__]["description"],
                "type": "object",
                "properties": {
                    **common,
                    "kind": {"const": kind},
                    "recovery": recovery,
                    **limits,
                    "override": {"type": "array", "items": _flat_override(schemas["Match"]["properties"], limits)},
                },
                "required": ["id", "kind"],
                "additionalProperties": False,
            }
        )
    return {"title": "Rule", "description": rule["description"], "oneOf": forms}


def _flat_override(scopes: dict[str, Any], limits: dict[str, Any]) -> JsonSchemaValue:
    changed = {name: _without_default(limit) for name, limit in limits.items() if name not in scopes}
    return {
        "type": "object",
        "properties": {**{name: _without_default(scope) for name, scope in scopes.items()}, **changed},
        "anyOf": [{"required": [name]} for name in SCOPES.values()],
        "additionalProperties": False,
    }


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "default"}
