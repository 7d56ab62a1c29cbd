"""What goes over the API, as models: the documentation and the check of what comes in.

Times are RFC 3339 in UTC with milliseconds, as in fuse events. Answers that are made often are written as JSON by the
board itself and held against these models in the tests.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alerts.console.identity import Role
from schemas.audit import AuditEntry
from schemas.commands import Action
from schemas.events import EventType, FuseEvent, FuseStateName, Moment, Number, OverrideInForce, Paused
from schemas.ids import Id, TextId
from schemas.rules import Severity

_ANSWER = ConfigDict(frozen=True, extra="forbid")
_QUESTION = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

Kind = Literal["complaint_surge", "return_spike", "oversell"]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S", repr=False)]
"""Why somebody orders something: never empty, and not only blanks."""


class Fuse(BaseModel):
    """A fuse that is open or on probation. `opened_at`, `opening`: of its present opening, where that is known.

    `due`: when it leaves its state by itself; null: it waits for a person, or, over-sell, for stock.
    """

    model_config = _ANSWER

    rule: str
    kind: Kind
    sku_id: str | None
    state: FuseStateName
    epoch: int
    shadow: bool
    severity: Severity
    since: Moment
    due: Moment | None
    acknowledged_by: str | None
    cause: dict[str, Any]
    opened_at: Moment | None
    room_id: str | None
    last: "LastChange | None"


class LastChange(BaseModel):
    """The last event of a fuse or product: who or what did it, when and why."""

    model_config = _ANSWER

    type: EventType
    actor: str
    reason: str | None
    occurred_at: Moment


class Product(BaseModel):
    """A product of which something is to be said: paused in whole or in part, overruled, on probation, in shadow.

    `sequence` is what a command has to expect. `sure` is false while an event is known of which the state is not: only
    `paused` is then up to date.
    """

    model_config = _ANSWER

    product_id: str
    room_id: str | None
    sequence: int
    sure: bool
    paused: Paused
    override: OverrideInForce | None
    fuses: tuple[Fuse, ...]
    last: LastChange | None


class Watched(BaseModel):
    """A product near a limit, as of `as_of`. `nearness` 1 is the limit."""

    model_config = _ANSWER

    product_id: str
    sku_id: str | None
    room_id: str | None
    rule: str
    nearness: float
    measured: Number
    limit: Number
    available: int | None
    seconds_left: Number | None
    as_of: Moment


class Input(BaseModel):
    """One input topic: when its last record came (Kafka's time), and how many records the intakes have before them."""

    model_config = _ANSWER

    input: Literal["orders", "returns", "complaints", "stock_levels"]
    topic: str
    last_at: Moment | None
    lag: int


class Problem(BaseModel):
    """Something that the page must not hide. `code` is for the page's own words, `text` for everybody else."""

    model_config = _ANSWER

    code: Literal[
        "broker_away", "no_intake", "no_worker", "behind", "sequence_gap", "health_unknown", "audit_unavailable"
    ]
    since: Moment
    text: str


class Health(BaseModel):
    """How far what is shown can be trusted. `behind_s`: for how long records wait undecided, 0 when none does.

    `intakes` and `workers` are null while the broker does not tell.
    """

    model_config = _ANSWER

    heard_at: Moment | None
    looked_at: Moment | None
    intakes: int | None
    workers: int | None
    intake_lag: int
    worker_lag: int
    behind_s: float
    inputs: tuple[Input, ...]
    problems: tuple[Problem, ...]


class Counts(BaseModel):
    """How many products stand so. Each is counted once, as what comes first here."""

    model_config = _ANSWER

    paused: int
    partly: int
    allowed: int
    open: int
    probation: int
    shadow: int


class Snapshot(BaseModel):
    """All that the page shows, at one moment: paused products first. `counts` tell also of what `products` leaves out.

    `events` are the newest, oldest first. An event of it may come in the next delta again: `event_id` tells.
    """

    model_config = _ANSWER

    id: str
    now: Moment
    products: tuple[Product, ...]
    counts: Counts
    watchlist: tuple[Watched, ...]
    events: tuple[FuseEvent, ...]
    health: Health


class Delta(BaseModel):
    """What has changed since the message before; what is left out has not.

    Products are those that changed, events those that are new; the others are whole.
    """

    model_config = _ANSWER

    id: str
    now: Moment
    products: tuple[Product, ...] = ()
    gone: tuple[str, ...] = ()
    counts: Counts | None = None
    watchlist: tuple[Watched, ...] | None = None
    events: tuple[FuseEvent, ...] = ()
    health: Health | None = None


class Point(BaseModel):
    """What was measured at a time, and the limit then."""

    model_config = _ANSWER

    at: Moment
    measured: Number
    limit: Number


class Series(BaseModel):
    """The last hour of one rule and SKU of a product."""

    model_config = _ANSWER

    rule: str
    sku_id: str | None
    points: tuple[Point, ...]


class ProductQuery(BaseModel):
    """Which product."""

    model_config = _QUESTION

    id: TextId


class ProductsQuery(BaseModel):
    """Which products, as they are listed. `text` is looked for in ids; `after`: `next` of the answer before."""

    model_config = _QUESTION

    room: TextId | None = None
    rule: TextId | None = None
    state: Literal["paused", "partly", "allowed", "open", "probation", "shadow"] | None = None
    text: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: Annotated[str | None, Field(min_length=1, max_length=1_024)] = None


class Products(BaseModel):
    """Products, paused ones first. `next` goes on behind them; null: there are no more."""

    model_config = _ANSWER

    products: tuple[Product, ...]
    next: str | None


class EventsQuery(BaseModel):
    """Which events of the last hour. `text` is looked for in ids, actors and reasons; `before`: as `next` said."""

    model_config = _QUESTION

    room: TextId | None = None
    rule: TextId | None = None
    type: EventType | None = None
    text: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    before: Annotated[int | None, Field(ge=1, lt=2**53)] = None


class Events(BaseModel):
    """Fuse events of the last hour, newest first. `next` goes on before them; null: there are no more."""

    model_config = _ANSWER

    events: tuple[FuseEvent, ...]
    next: int | None


class ProductDetail(BaseModel):
    """One product with its chart. `product` is null when nothing is to be said of it: it is on sale.

    `sequence` is what a command has to expect of it, also when it is on sale; 0 when nothing was ever read of it.
    """

    model_config = _ANSWER

    product_id: str
    sequence: int
    product: Product | None
    watched: tuple[Watched, ...]
    series: tuple[Series, ...]


class History(BaseModel):
    """What happened to a product, oldest first. `complete` is false where older events were left out."""

    model_config = _ANSWER

    product_id: str
    events: tuple[FuseEvent, ...]
    audit: tuple[AuditEntry, ...]
    complete: bool


class Audit(BaseModel):
    """Lines of the audit, newest first. `complete` is false where older ones were left out."""

    model_config = _ANSWER

    entries: tuple[AuditEntry, ...]
    complete: bool


class Ask(BaseModel):
    """An order for one product. The same `request_id` again is the same order: it is carried out once.

    `duration_s` for pause (without it: until released) and allow (needed, at most 24 h). `expected_sequence`: what the
    person saw; if the product has moved on, nothing is done and the answer is 409.
    """

    model_config = _QUESTION

    request_id: UUID
    product_id: Id
    action: Action
    reason: Reason
    expected_sequence: Annotated[int, Field(strict=True, ge=0, lt=2**53)]
    rule: Id | None = None
    sku_id: Id | None = None
    duration_s: Annotated[int, Field(strict=True, ge=1, le=30 * 86_400)] | None = None


class Target(BaseModel):
    """One product of an order for many, as it was seen."""

    model_config = _QUESTION

    product_id: Id
    expected_sequence: Annotated[int, Field(strict=True, ge=0, lt=2**53)]


class BulkAsk(BaseModel):
    """An order for products of one room. `confirm` is the room's id, typed by the person."""

    model_config = _QUESTION

    request_id: UUID
    room_id: Id
    confirm: Id
    action: Action
    reason: Reason
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=500)]
    duration_s: Annotated[int, Field(strict=True, ge=1, le=30 * 86_400)] | None = None


class Result(BaseModel):
    """What came of an order. `pending`: it is written and counts as soon as it is read; the event will tell.

    `rejected` says why the order changed nothing, as in `command.rejected`: `conflict`, `nothing_open`, ...
    """

    model_config = _ANSWER

    request_id: UUID
    command_id: str
    product_id: str
    outcome: Literal["applied", "rejected", "pending"]
    rejected: str | None
    events: tuple[FuseEvent, ...]
    product: Product | None


class BulkResult(BaseModel):
    """What came of each order of many, in their order."""

    model_config = _ANSWER

    request_id: UUID
    results: tuple[Result, ...]


class Person(BaseModel):
    """Who has signed in."""

    model_config = _ANSWER

    name: str
    role: Role


class Session(BaseModel):
    """Who asks, and how one may sign in. `csrf` goes back in the header `X-CSRF-Token` of every POST."""

    model_config = _ANSWER

    user: Person | None
    csrf: str | None
    ways: tuple[Literal["password", "proxy", "oidc"], ...]
    application: str
    version: str


class Login(BaseModel):
    """A name and a password."""

    model_config = _QUESTION

    name: Annotated[str, Field(min_length=1, max_length=128)]
    password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


class Refusal(BaseModel):
    """Why a request was turned down: a code for programs, a sentence for people.

    With `conflict` it holds the product as it is now.
    """

    model_config = _ANSWER

    error: str
    message: str
    product: Product | None = None
    result: Result | None = None
