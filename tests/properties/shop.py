"""A driver for timelines that are told by hand: one shop, times in seconds after the start, events as they come out."""

from datetime import datetime
from typing import Any

from schemas.rules import RuleSet
from tests.properties.reference import Reference
from tests.properties.reference_fuses import Written
from tests.properties.reference_rules import CANCELLATION, COMMAND, COMPLAINT, ORDER, RETURN, RULES, STOCK, Signal
from tests.properties.timelines import START_MS, Timeline


def at_ms(at: float) -> int:
    """Return a time that is given in seconds after the start."""
    return START_MS + round(at * 1000)


class Shop:
    """Makes signals of one product and shows them to the reference; `steps` are the signals and ticks so far."""

    def __init__(self, *rules: dict[str, Any], product: str = "p") -> None:
        self.rules = RuleSet.model_validate({"version": 0, "issued_at": 0, "actor": "sam", "rules": rules})
        self.reference = Reference(self.rules)
        self.product = product
        self.steps: list[Signal | int] = []
        self.written: list[list[Written]] = []
        self.events: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []

    def order(self, at: float, quantity: int = 1, *, order: str = "", sku: str | None = None, **more: Any) -> None:
        self._order(ORDER, at, order, quantity, sku, more)

    def cancel(self, at: float, quantity: int = 1, *, order: str = "", sku: str | None = None, **more: Any) -> None:
        self._order(CANCELLATION, at, order, quantity, sku, more)

    def give_back(self, at: float, quantity: int = 1, *, room: str | None = None) -> None:
        self._show(RETURN, at, f"t{len(self.steps)}", quantity, None, room, None)

    def complain(self, at: float, complaint: str = "", *, category: str = "quality", room: str | None = None) -> None:
        self._show(COMPLAINT, at, complaint or f"c{len(self.steps)}", category, room)

    def stock(self, at: float, on_hand: int, *, sku: str | None = None, **more: Any) -> None:
        reserved, safety_stock = more.get("reserved", 0), more.get("safety_stock")
        self._show(STOCK, at, sku, on_hand, reserved, safety_stock, None, more.get("snapshot"))

    def command(self, at: float, action: str, **more: Any) -> None:
        named = {"rule": None, "sku_id": None, "expires_at": None, "expected_sequence": None}
        told = {"command_id": f"k{len(self.steps)}", "action": action, "actor": "kim", "reason": "why"}
        self._show(COMMAND, at, told | {"issued_at": at_ms(at)} | named | more)

    def new_rules(self, at: float, version: int, *rules: dict[str, Any]) -> None:
        new = RuleSet.model_validate({"version": version, "issued_at": at_ms(at), "actor": "sam", "rules": rules})
        self._take([RULES, 0, self._position(), at_ms(at), "", new.model_dump(mode="json")])

    def tick(self, at: float) -> None:
        self.steps.append(at_ms(at))
        self._sort(self.reference.tick(at_ms(at)))

    def timeline(self) -> Timeline:
        """Return what has been shown so far."""
        return Timeline(self.rules, tuple(self.steps), tuple(self.written), self.reference.hits)

    def told(self) -> list[tuple[float, str]]:
        """Return when (in seconds after the start) something was told, and what."""
        start = [event["occurred_at"] for event in self.events]
        return [(_seconds(text), event["type"]) for text, event in zip(start, self.events, strict=True)]

    def _order(self, kind: int, at: float, order: str, quantity: int, sku: str | None, more: dict[str, Any]) -> None:
        line, event = more.get("line", 1), more.get("event")
        order_id = order or f"o{len(self.steps)}"
        self._show(kind, at, line, order_id, event, quantity, sku, more.get("room"), more.get("category"))

    def _show(self, kind: int, at: float, *facts: object) -> None:
        self._take([kind, 0, self._position(), at_ms(at), self.product, *facts])

    def _position(self) -> int:
        return 256 * (1 + len(self.steps))

    def _take(self, signal: Signal) -> None:
        self.steps.append(signal)
        self._sort(self.reference.apply(signal))

    def _sort(self, written: list[Written]) -> None:
        self.written.append(written)
        self.events += [one.value for one in written if one.topic == "fuse-events"]
        self.requests += [one.value for one in written if one.topic == "replenishment"]


def _seconds(text: str) -> float:
    return (round(datetime.fromisoformat(text).timestamp() * 1000) - START_MS) / 1000
