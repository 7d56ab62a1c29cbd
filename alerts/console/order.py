"""An order and what is known of it: what somebody asked for, the commands that it became, what came of them."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol
from uuid import UUID, uuid5

from alerts.console.models import Product
from schemas.audit import AuditEntry
from schemas.commands import Action
from schemas.events import NAMESPACE, FuseEvent

Outcome = Literal["applied", "rejected", "pending"]


class Products(Protocol):
    """What the desk has to know of products. The board tells."""

    @property
    def ready(self) -> bool:
        """Whether everything of before is read."""

    def product(self, product_id: str) -> Product | None:
        """Return the product as the page shows it; None when nothing is to be said of it."""

    def sequence(self, product_id: str) -> int | None:
        """Return the sequence of the last event that is known; None when nothing was ever read of the product."""

    def room(self, product_id: str) -> str | None:
        """Return the room in which the product was last seen."""


class Wish(NamedTuple):
    """What somebody wants done to one product, as it was seen."""

    product_id: str
    expected_sequence: int


class Asked(NamedTuple):
    """One order, for one product or for many of a room."""

    request_id: UUID
    action: Action
    reason: str
    wishes: tuple[Wish, ...]
    rule: str | None = None
    sku_id: str | None = None
    room_id: str | None = None
    duration_s: int | None = None


class Told(NamedTuple):
    """What came of the order for one product. `repeated`: it was asked for before."""

    command_id: str
    product_id: str
    outcome: Outcome
    rejected: str | None
    events: tuple[FuseEvent, ...]
    repeated: bool


@dataclass(slots=True)
class Commanded:
    """A command of which there is a line in the audit, and what is known of it."""

    entry: AuditEntry
    is_ours: bool
    events: dict[int, FuseEvent] = field(default_factory=dict)
    outcome: str | None = None
    detail: str | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def command_id(self) -> str:
        """The id, which the pipeline obeys once."""
        return self.entry.command_id or ""


def command_id_of(actor: str, request_id: UUID, product_id: str) -> str:
    """Return the id of a command: the same for the same order. No actor and no product id can hold a line feed."""
    return str(uuid5(NAMESPACE, f"console\n{actor}\n{request_id}\n{product_id}"))


def content_of(entry: AuditEntry) -> tuple[object, ...]:
    """Return what makes two orders the same."""
    duration_ms = None if entry.expires_at is None else entry.expires_at - entry.at
    return (
        entry.action,
        entry.product_id,
        entry.sku_id,
        entry.rule,
        entry.room_id,
        entry.reason,
        entry.expected_sequence,
        duration_ms,
    )
