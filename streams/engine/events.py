"""What the engine says: fuse events, replenishment requests and fuse states, as the contract writes them."""

from typing import Any, Final, NamedTuple

import orjson

from schemas.events import event_id, request_id
from schemas.times import from_ms
from streams.engine.fuse import Fuse
from streams.engine.state import ProductState
from streams.engine.verdicts import Replenish

FUSE_EVENTS: Final = "fuse-events"
REPLENISHMENT: Final = "replenishment"


class Output(NamedTuple):
    """One record for one of the output topics."""

    topic: str
    product_id: str
    value: bytes
    event: dict[str, Any]


def fuse_event(
    state: ProductState,
    kind: str,
    *,
    version: int,
    actor: str,
    reason: str | None = None,
    cause: dict[str, Any] | None = None,
    fuse: Fuse | None = None,
    before: str | None = None,
    command: dict[str, Any] | None = None,
) -> Output:
    """Make the product's next event, after the change that it tells of. ``before`` is the fuse's state before it.

    ``command`` is given where an event belongs to no fuse: its rule and SKU are told as the operator named them.
    """
    state.sequence += 1
    whole, skus = state.paused()
    named = command or {}
    event = {
        "event_id": event_id(state.product_id, state.sequence),
        "sequence": state.sequence,
        "type": kind,
        "product_id": state.product_id,
        "sku_id": fuse.sku_id if fuse else named.get("sku_id"),
        "room_id": state.room_id,
        "rule": fuse.rule_id if fuse else named.get("rule"),
        "rule_version": version,
        "from": before,
        "to": fuse.state if fuse else None,
        "epoch": fuse.epoch if fuse else None,
        "shadow": fuse.shadow if fuse else False,
        "severity": fuse.severity if fuse else None,
        "occurred_at": from_ms(state.clock),
        "actor": actor,
        "reason": reason,
        "paused": {"product": whole, "skus": skus},
        "cause": cause or {},
    }
    return Output(FUSE_EVENTS, state.product_id, orjson.dumps(event), event)


def replenishment(state: ProductState, request: Replenish) -> Output:
    """Make the product's next replenishment request."""
    state.requests += 1
    event = {
        "request_id": request_id(state.product_id, state.requests),
        "product_id": state.product_id,
        "sku_id": request.sku_id,
        "available": request.available,
        "safety_stock": request.safety_stock,
        "rate_per_second": request.rate_per_second,
        "seconds_left": request.seconds_left,
        "suggested_quantity": request.suggested_quantity,
        "occurred_at": from_ms(state.clock),
    }
    return Output(REPLENISHMENT, state.product_id, orjson.dumps(event), event)


def fuse_state(state: ProductState) -> bytes | None:
    """Return the product's record for the fuse-state topic; None (a tombstone) when nothing is left to say."""
    override = state.override
    fuses = list(state.all_fuses())
    if override is None and not fuses:
        return None
    whole, skus = state.paused()
    return orjson.dumps(
        {
            "product_id": state.product_id,
            "sequence": state.sequence,
            "room_id": state.room_id,
            "paused": {"product": whole, "skus": skus},
            "override": override
            and {
                "state": override.state,
                "until": _text(override.until),
                "actor": override.actor,
                "reason": override.reason,
                "since": from_ms(override.since),
            },
            "fuses": [
                {
                    "rule": fuse.rule_id,
                    "sku_id": fuse.sku_id,
                    "state": fuse.state,
                    "epoch": fuse.epoch,
                    "shadow": fuse.shadow,
                    "severity": fuse.severity,
                    "since": from_ms(fuse.since),
                    "acknowledged_by": fuse.acknowledged_by,
                    "due": _text(fuse.due),
                    "cause": fuse.cause,
                }
                for fuse in fuses
            ],
        }
    )


def _text(time_ms: int | None) -> str | None:
    return None if time_ms is None else from_ms(time_ms)
