"""The audit of the live console: who did what, when, from where, why, and what came of it. Topic `livefuse.audit`.

Append-only. A line may be there twice when the broker was away while it was written; then both bear one `entry_id`.
"""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.commands import Action
from schemas.events import Moment

What = Literal["command", "outcome", "refused", "login", "logout", "login_failed", "export"]

_LINE: Final = ConfigDict(frozen=True, extra="ignore")


class AuditEntry(BaseModel):
    """One line of the audit.

    `what`: `command` (asked for; written before the command itself), `outcome` (what came of it), `refused` (a request
    that was turned down: `outcome` says why), `login`, `logout`, `login_failed`, `export`. `actor` is null where
    nobody has signed in; `client` is the address that the request came from. `sequence` is that of the last fuse event
    that a command made.
    """

    model_config = _LINE

    entry_id: UUID
    at: Moment
    what: What
    actor: str | None
    role: Literal["viewer", "operator", "admin"] | None
    way: str | None
    client: str
    session_id: str | None = None
    request_id: UUID | None = None
    command_id: str | None = None
    action: Action | None = None
    product_id: str | None = None
    sku_id: str | None = None
    rule: str | None = None
    room_id: str | None = None
    reason: Annotated[str | None, Field(repr=False)] = None
    expires_at: Moment | None = None
    expected_sequence: int | None = None
    outcome: str | None = None
    status: int | None = None
    sequence: int | None = None
    detail: str | None = None
