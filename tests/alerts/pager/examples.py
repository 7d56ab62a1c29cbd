"""Fuse events and notices to speak of."""

from typing import Any

from alerts.pager.notice import Notice
from schemas.events import FuseEvent

SURGE: dict[str, Any] = {
    "event_id": "1fbd2bdd-6fae-59f6-87c9-a5382c6bda15",
    "sequence": 7,
    "type": "fuse.opened",
    "product_id": "p42",
    "sku_id": None,
    "room_id": "r1",
    "rule": "complaint-surge",
    "rule_version": 3,
    "from": "closed",
    "to": "open",
    "epoch": 1,
    "shadow": False,
    "severity": "warning",
    "occurred_at": "2026-11-11T12:00:00.123Z",
    "actor": "rule",
    "reason": None,
    "paused": {"product": True, "skus": []},
    "cause": {"measured": 51, "limit": 50, "window_s": 3600, "evidence": ["c16", "c17", "c18"]},
}
OVERSELL: dict[str, Any] = {
    "rule": "oversell",
    "severity": "critical",
    "sku_id": "red",
    "paused": {"product": False, "skus": ["red"]},
    "cause": {
        "measured": 249,
        "limit": 249,
        "level": 249,
        "rate": 83.0,
        "on_hand": 500,
        "as_of": "2026-11-11T11:59:00.000Z",
        "evidence": ["o1"],
    },
}
RETURNS: dict[str, Any] = {
    "rule": "return-spike",
    "cause": {
        "measured": 0.15,
        "limit": 0.132,
        "window_s": 3600,
        "b": 0.032,
        "R": 45,
        "N": 300,
        "k": 12,
        "evidence": ["x1", "x2"],
    },
}
CLOSED: dict[str, Any] = {
    "type": "fuse.closed",
    "from": "open",
    "to": "closed",
    "paused": {"product": False, "skus": []},
    "cause": {},
}
NO_FUSE: dict[str, Any] = {"rule": None, "from": None, "to": None, "epoch": None, "severity": None}


def event(*changes: dict[str, Any], **more: Any) -> FuseEvent:
    """Return a complaint surge's opening with changes laid over it."""
    data = dict(SURGE)
    for change in (*changes, more):
        data |= change
    return FuseEvent.model_validate(data)


def notice(*changes: dict[str, Any], **more: Any) -> Notice:
    """Return the notice of such an event."""
    return Notice.of(event(*changes, **more))
