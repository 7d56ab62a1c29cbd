"""What livefuse says: fuse events, fuse states, replenishment requests, watch lists (contract, section 6).

Models for readers: frozen, and tolerant of fields that a newer livefuse adds. Times are milliseconds since 1970 in the
models and UTC text with milliseconds and `Z` in JSON. `model_dump_json()` writes a record as the worker does.

Ids are UUIDv5 in `NAMESPACE`, so that a record written again bears the same id. The name is the parts joined by line
feeds, which no product id can hold. Test vectors:

    event_id("p42", 7)          1fbd2bdd-6fae-59f6-87c9-a5382c6bda15
    event_id("Ünïcode/☕", 3)    20ffcd8d-3e00-5756-8387-5337b402cecd
    request_id("p42", 1)        ddf30ea1-4f9b-5b1c-8353-b650e921f7c4
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid5

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from schemas.rules import Severity
from schemas.times import from_ms, to_ms

NAMESPACE: Final = UUID("8d0c1f5e-3b7a-4c52-9a6e-7f21d4c0b963")
"""The namespace of all ids that livefuse makes."""

SPEC_VERSION: Final = "1.0"
"""The version of CloudEvents whose Kafka binding the headers follow."""

EventType = Literal[
    "fuse.opened",
    "fuse.acknowledged",
    "fuse.probation",
    "fuse.closed",
    "override.set",
    "override.cleared",
    "command.rejected",
]
FuseStateName = Literal["closed", "open", "probation"]
Number = int | float
Moment = Annotated[
    int,
    BeforeValidator(to_ms),
    PlainSerializer(from_ms, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-11T12:00:00.123Z"]}),
]

_EVENT: Final = ConfigDict(
    frozen=True, extra="ignore", serialize_by_alias=True, validate_by_name=True, defer_build=True
)


def event_id(product_id: str, sequence: int) -> str:
    """Return the id of a product's fuse event."""
    return str(uuid5(NAMESPACE, f"{product_id}\n{sequence}"))


def request_id(product_id: str, number: int) -> str:
    """Return the id of a product's replenishment request, counted from 1."""
    return str(uuid5(NAMESPACE, f"{product_id}\nreplenishment\n{number}"))


class Paused(BaseModel):
    """What is paused of a product: all of it, and the SKUs that have an open fuse. Who obeys this is right."""

    model_config = _EVENT

    product: bool
    skus: tuple[str, ...]


class Cause(BaseModel):
    """Why it happened. What does not apply is left out; each kind of rule may add facts of its own.

    A rule gives `measured`, `limit` and `evidence` (ids of complaints, returns, orders). `return_spike` adds `b` (the
    worst rate before), `R` (units returned), `N` (units sold) and `k` (returns); `oversell` adds `level`, `rate` (units
    a second), `on_hand` and `as_of`. A command gives `command_id`, `action`, and `rejected` if it changed nothing. A
    new rule set gives `rules_version`. A timer gives nothing.
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    measured: Number | None = None
    limit: Number | None = None
    window_s: Number | None = None
    b: Number | None = None
    R: int | None = None
    N: int | None = None
    k: int | None = None
    level: int | None = None
    rate: Number | None = None
    on_hand: int | None = None
    as_of: Moment | None = None
    evidence: tuple[str, ...] | None = None
    command_id: str | None = None
    action: str | None = None
    expires_at: Moment | None = None
    rejected: str | None = None
    rules_version: int | None = None

    @model_serializer(mode="wrap")
    def _leave_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}


class FuseEvent(BaseModel):
    """Something happened to a fuse, or to a product's override. Topic `livefuse.fuse-events`.

    `sequence` counts a product's events from 1 without a gap. Events that belong to no fuse have null in `from`, `to`,
    `epoch` and `severity`, and name a rule or SKU only as the command did.
    """

    model_config = _EVENT

    event_id: UUID
    sequence: Annotated[int, Field(ge=1)]
    type: EventType
    product_id: str
    sku_id: str | None
    room_id: str | None
    rule: str | None
    rule_version: int
    from_: Annotated[FuseStateName | None, Field(alias="from")]
    to: FuseStateName | None
    epoch: Annotated[int, Field(ge=1)] | None
    shadow: bool
    severity: Severity | None
    occurred_at: Moment
    actor: str
    reason: Annotated[str | None, Field(repr=False)]
    paused: Paused
    cause: Cause


class OverrideInForce(BaseModel):
    """An operator's word that beats every fuse of the product, until `until`."""

    model_config = _EVENT

    state: Literal["paused", "allowed"]
    until: Moment | None
    actor: str
    reason: Annotated[str | None, Field(repr=False)]
    since: Moment


class FuseEntry(BaseModel):
    """One fuse of a product. `since`: when it came to its state; `due`: when it leaves it by itself."""

    model_config = _EVENT

    rule: str
    sku_id: str | None
    state: FuseStateName
    epoch: Annotated[int, Field(ge=0)]
    shadow: bool
    severity: Severity
    since: Moment
    acknowledged_by: str | None
    due: Moment | None
    cause: Cause


class FuseState(BaseModel):
    """All that holds for a product now. Topic `livefuse.fuse-state`."""

    model_config = _EVENT

    product_id: str
    sequence: Annotated[int, Field(ge=0)]
    room_id: str | None
    paused: Paused
    override: OverrideInForce | None
    fuses: tuple[FuseEntry, ...]


class ReplenishmentRequest(BaseModel):
    """A SKU runs low: order more. Topic `livefuse.replenishment`. `seconds_left` is null when nothing sells."""

    model_config = _EVENT

    request_id: UUID
    product_id: str
    sku_id: str | None
    available: int
    safety_stock: int
    rate_per_second: Number
    seconds_left: Number | None
    suggested_quantity: int
    occurred_at: Moment


class WatchlistEntry(BaseModel):
    """A product near a limit. `nearness` 1 is the limit; `available` and `seconds_left` are told for over-sell only."""

    model_config = _EVENT

    product_id: str
    sku_id: str | None
    rule: str
    nearness: Annotated[float, Field(ge=0, le=1)]
    measured: Number
    limit: Number
    available: int | None = None
    seconds_left: Number | None = None


class Watchlist(BaseModel):
    """The products of one signals partition nearest to a limit, the nearest first. Topic `livefuse.watchlist`."""

    model_config = _EVENT

    as_of: Moment
    partition: Annotated[int, Field(ge=0)]
    products: Annotated[tuple[WatchlistEntry, ...], Field(max_length=20)]


def cloud_event_headers(event: Mapping[str, Any], source: str = "livefuse") -> list[tuple[str, bytes]]:
    """Return the headers, in CloudEvents binary mode, of the JSON object of a fuse event or replenishment request."""
    return [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_id", (event.get("event_id") or event["request_id"]).encode()),
        ("ce_source", source.encode()),
        ("ce_type", event.get("type", "replenishment.requested").encode()),
        ("ce_time", event["occurred_at"].encode()),
        ("ce_subject", event["product_id"].encode()),
        ("content-type", b"application/json"),
    ]
