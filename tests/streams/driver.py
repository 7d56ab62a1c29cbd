"""A driver for the engine: facts in, events out, time as text. One product unless a test names others."""

from datetime import datetime
from typing import Any

from schemas.rules import DEFAULT_RULES, Rule, RuleSet
from streams.engine.events import FUSE_EVENTS, Output
from streams.engine.partition import Partition
from streams.engine.signals import CANCELLATION, COMMAND, COMPLAINT, ORDER, RETURN, RULES, STOCK, Signal

SOURCE = "test/0"
DAY = "2026-11-11T"


def ms(at: str | int) -> int:
    """Read "12:00:00.123" (of 2026-11-11), a full time, or milliseconds."""
    if isinstance(at, int):
        return at
    text = at if "T" in at else DAY + at
    moment = datetime.fromisoformat(text if text.endswith("Z") else text + "Z")
    return round(moment.timestamp() * 1000)


def rules(*items: dict[str, Any], version: int = 0, issued_at: str | int = 0) -> RuleSet:
    """Make a rule set from rules as a rules file has them."""
    made = tuple(Rule.model_validate(item) for item in items)
    return RuleSet(version=version, issued_at=ms(issued_at), actor="test", rules=made)


class Driver:
    """Feeds one partition. Every method returns the outputs of that step."""

    def __init__(self, rule_set: RuleSet = DEFAULT_RULES, product: str = "p1") -> None:
        self.partition = Partition(0, rule_set)
        self.product = product
        self.outputs: list[Output] = []
        self._offset = 0

    @property
    def events(self) -> list[dict[str, Any]]:
        """All fuse events so far."""
        return [output.event for output in self.outputs if output.topic == FUSE_EVENTS]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """All replenishment requests so far."""
        return [output.event for output in self.outputs if output.topic != FUSE_EVENTS]

    @property
    def story(self) -> list[str]:
        """The events as short texts: type, rule, SKU."""
        return [
            " ".join(str(event[key]) for key in ("type", "rule", "sku_id") if event[key] is not None)
            for event in self.events
        ]

    def feed(self, *signals: Signal) -> list[dict[str, Any]]:
        """Apply signals whose source and position are still open."""
        for signal in signals:
            self._offset += 1
            signal[1], signal[2] = 0, self._offset * 256
        return self._gather(self.partition.apply([SOURCE], signals))

    def order(
        self, at: str | int, units: int = 1, order_id: str | None = None, *, cancelled: bool = False, **more: Any
    ) -> list[dict[str, Any]]:
        """Send an order line; ``more``: sku, room, category, event, line, product."""
        kind = CANCELLATION if cancelled else ORDER
        return self.feed([
            kind, 0, 0, ms(at), more.get("product", self.product), more.get("line", 1),
            order_id or f"o{self._offset}", more.get("event"), units,
            more.get("sku"), more.get("room"), more.get("category"),
        ])  # fmt: skip

    def returned(self, at: str | int, units: int = 1, return_id: str | None = None) -> list[dict[str, Any]]:
        """Send a return."""
        return self.feed([RETURN, 0, 0, ms(at), self.product, return_id or f"r{self._offset}", units, None, None, None])

    def complain(
        self, at: str | int, complaint_id: str | None = None, category: str = "quality", room: str | None = None
    ) -> list[dict[str, Any]]:
        """Send a complaint."""
        return self.feed([COMPLAINT, 0, 0, ms(at), self.product, complaint_id or f"c{self._offset}", category, room])

    def stock(
        self, at: str | int, on_hand: int, reserved: int = 0, safety: int | None = None, sku: str | None = None
    ) -> list[dict[str, Any]]:
        """Send a stock level as of ``at``."""
        return self.feed([STOCK, 0, 0, ms(at), self.product, sku, on_hand, reserved, safety, None, None])

    def command(self, at: str | int, action: str, **more: Any) -> list[dict[str, Any]]:
        """Send an operator's command; ``more``: until, rule, sku, expected_sequence, command_id."""
        until = more.get("until")
        command = {
            "command_id": more.get("command_id", f"k{self._offset}"),
            "action": action,
            "actor": "ann",
            "reason": "because",
            "issued_at": ms(at),
            "rule": more.get("rule"),
            "sku_id": more.get("sku"),
            "expires_at": None if until is None else ms(until),
            "expected_sequence": more.get("expected_sequence"),
        }
        return self.feed([COMMAND, 0, 0, ms(at), self.product, command])

    def take(self, rule_set: RuleSet) -> list[dict[str, Any]]:
        """Send a new rule set."""
        return self.feed([RULES, 0, 0, rule_set.issued_at, "", rule_set.model_dump(mode="json")])

    def tick(self, at: str | int) -> list[dict[str, Any]]:
        """Say that every source has passed a time."""
        return self._gather(self.partition.tick(ms(at)))

    def restart(self) -> None:
        """Go on with what a new worker would read back."""
        states = self.partition.take_dirty()
        snapshot = self.partition.snapshot()
        self.partition = Partition(0, DEFAULT_RULES)
        self.partition.restore(snapshot)
        for product_id, value in states:
            self.partition.load(product_id, value)
        self.partition.loaded()

    def _gather(self, outputs: list[Output]) -> list[dict[str, Any]]:
        self.outputs += outputs
        return [output.event for output in outputs]
