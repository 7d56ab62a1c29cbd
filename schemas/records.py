"""Input records: what the shop tells (contract, section 3).

Validated straight from the bytes of a Kafka record: `Order.model_validate_json(value)`. Strict: a quantity is a JSON
integer, never text, a fraction or a truth value. Unknown fields are ignored, null in an optional field is as good as
nothing. Texts that people wrote (`text`, `reason`) stay out of every representation.

The intake reads through `schemas.parse`, which derives faster validators from these models, and the common shapes by
hand (`streams.intake.shapes`), which a test holds against them.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.ids import Id
from schemas.limits import ComplaintCategory
from schemas.nulls import NullMeans
from schemas.times import Time

RECORD: Final = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)

MOST_UNITS: Final = 1_000_000
MOST_STOCK: Final = 1_000_000_000
MOST_LINES: Final = 200

Quantity = Annotated[int, Field(strict=True, ge=1, le=MOST_UNITS)]
Stock = Annotated[int, Field(strict=True, ge=0, le=MOST_STOCK)]
Status = Literal["placed", "cancelled"]


class OrderLine(BaseModel):
    """So many units of one product in an order."""

    model_config = RECORD

    product_id: Id
    quantity: Quantity
    sku_id: Id | None = None
    product_category: Id | None = None


class Order(BaseModel):
    """An order that was placed, or cancelled, as a whole. Topic `live.orders`."""

    model_config = RECORD

    order_id: Id
    occurred_at: Time
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=MOST_LINES)]
    status: Annotated[Status, NullMeans("placed")] = "placed"
    event_id: Id | None = None
    room_id: Id | None = None


class Return(BaseModel):
    """Units of one product that came back. Topic `live.returns`."""

    model_config = RECORD

    return_id: Id
    product_id: Id
    quantity: Quantity
    occurred_at: Time
    order_id: Id | None = None
    sku_id: Id | None = None
    room_id: Id | None = None
    reason: Annotated[str | None, Field(repr=False)] = None
    product_category: Id | None = None


class Complaint(BaseModel):
    """One complaint about one product. Topic `live.complaints`."""

    model_config = RECORD

    complaint_id: Id
    product_id: Id
    occurred_at: Time
    category: Annotated[ComplaintCategory, NullMeans("other")] = "other"
    room_id: Id | None = None
    order_id: Id | None = None
    text: Annotated[str | None, Field(repr=False)] = None


class StockLevel(BaseModel):
    """What is in stock of one SKU, over all warehouses, as of a time. Topic `live.stock-levels`."""

    model_config = RECORD

    product_id: Id
    on_hand: Annotated[int, Field(strict=True, ge=-MOST_STOCK, le=MOST_STOCK)]
    occurred_at: Time
    sku_id: Id | None = None
    reserved: Annotated[Stock, NullMeans(0)] = 0
    safety_stock: Stock | None = None
    snapshot_id: Id | None = None
    room_id: Id | None = None
