"""Operators' commands (contract, sections 3 and 6). Topic `livefuse.commands`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from schemas.ids import Id
from schemas.records import RECORD
from schemas.times import Time

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
