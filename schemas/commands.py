"""Operators' commands (contract, sections 3 and 6). Topic `livefuse.commands`."""

from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field

from schemas.ids import Id
from schemas.records import RECORD
from schemas.times import Time, from_ms

Action = Literal["pause", "allow", "release", "resume", "acknowledge"]


class Command(BaseModel):
    """What an operator orders for one product.

    `pause` and `allow` override every fuse until `expires_at`, `release` takes that back; `resume` takes open fuses, of
    `rule` and `sku_id` or all, to probation; `acknowledge` marks them as seen. With `expected_sequence` the command
    only holds if nothing has happened to the product in between.
    """

    model_config = RECORD

    command_id: Id
    product_id: Id
    action: Action
    actor: Id
    # It comes out again in fuse events, which must stay small.
    reason: Annotated[str, Field(max_length=2_000, repr=False)]
    issued_at: Time
    rule: Id | None = None
    sku_id: Id | None = None
    expires_at: Time | None = None
    expected_sequence: Annotated[int, Field(strict=True, ge=0, lt=2**53)] | None = None


def encode_command(command: Command) -> bytes:
    """Return the record of a command, its times as text and without what it leaves open."""
    data = command.model_dump(exclude_none=True)
    times = {name: from_ms(data[name]) for name in ("issued_at", "expires_at") if name in data}
    return orjson.dumps(data | times)
