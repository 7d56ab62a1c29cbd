"""Signals: validated facts about one product, as plain sequences.

A signal is a list (a JSON array in a frame), because millions of them pass through a process and an object for each
would cost more than what is decided about it. All kinds share the head::

    [kind, source, position, time_ms, product_id, ...]

``source`` is the index of the source partition in the frame's table, ``position`` is ``offset * 256 + line`` (line 1
to 200 for order lines, else 0), so it rises strictly within a source. What follows the head is told beside each kind.
"""

from typing import Any, Final

Signal = list[Any]

ORDER: Final = 0
"""[..., line, order_id, event_id | None, quantity, sku_id | None, room_id | None, category | None]"""
ORDER_FIELDS: Final = 12
CANCELLATION: Final = 1
"""As ORDER: the line of an order record whose status is ``cancelled``."""
RETURN: Final = 2
"""[..., return_id, quantity, sku_id | None, room_id | None, category | None]"""
COMPLAINT: Final = 3
"""[..., complaint_id, category, room_id | None]"""
STOCK: Final = 4
"""[..., sku_id | None, on_hand, reserved, safety_stock | None, room_id | None, snapshot_id | None]"""
COMMAND: Final = 5
"""[..., {command_id, action, actor, reason, issued_at, rule, sku_id, expires_at, expected_sequence}] (times in ms)"""
RULES: Final = 6
"""[..., {version, issued_at, actor, rules}]; product_id is "" and every partition gets one."""
TICK: Final = 7
"""[TICK, 0, 0, time_ms, ""]: every source has passed ``time_ms``. Stands in front of each late signal, see
:func:`tick_before`.
"""

LINES_PER_OFFSET: Final = 256


def tick_before(key: int) -> Signal:
    """Return the tick that stands in front of a late signal.

    ``key`` is the place of the signal in the merged order, later than its own time. All sources have passed the
    millisecond before, and whether a tick has said so would otherwise be chance: so it is said.
    """
    return [TICK, 0, 0, key - 1, ""]
