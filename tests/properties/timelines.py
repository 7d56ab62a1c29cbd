"""Timelines of a few products under small limits, aimed at edges.

A timeline is written by a `Writer` from short strings of bytes, one for each step. While it writes, the writer runs the
reference: so it knows which timers are due when, which fuses are open and what the sequence is, and aims at exactly
that, a millisecond before and a millisecond after.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis.vendor.pretty import RepresentationPrinter

from schemas.rules import RuleSet
from tests.properties.digits import Digits
from tests.properties.random_rules import changed_rules, lengths, raw_rules, rule_set
from tests.properties.reference import MEMORY_MS, Reference
from tests.properties.reference_fuses import DAY_MS, Fuses, Written
from tests.properties.reference_rules import (
    CANCELLATION,
    COMMAND,
    COMPLAINT,
    ORDER,
    RETURN,
    RULES,
    STOCK,
    Signal,
)

START_MS = 1_794_398_400_000
"""2026-11-11T12:00:00Z, where every timeline begins."""

SOURCES = (
    *("live.orders/0", "live.orders/1", "live.returns/0", "live.complaints/0", "live.complaints/1"),
    *("live.stock-levels/0", "livefuse.commands/0", "livefuse.rules/0"),
)
SOURCES_OF = {
    ORDER: (0, 1),
    CANCELLATION: (0, 1),
    RETURN: (2,),
    COMPLAINT: (3, 4),
    STOCK: (5,),
    COMMAND: (6,),
    RULES: (7,),
}

PRODUCTS = ("p1", "p1", "p1", "p2", "p1", "p2", "p1", "p3")
SKUS = ("", "", "s1", "", "s2", "itself")
ROOMS = (None, None, None, None, None, "r1", None, "r2")
CATEGORIES = (None, None, None, "food", None, None, "toys", None)
COMPLAINT_CATEGORIES = ("quality", "food_safety", "quality", "service")
ON_HAND = (3, 10, 30, 100, 0, -5, 1000, 6, 12, 60, 14, 62)
QUANTITIES = (1, 2, 1, 5, 1, 10, 3, 40, 1_000_000)


@dataclass(frozen=True)
class Timeline:
    """The rules at the start, the signals (lists) and ticks (integers) in order.

    `written` is what the reference writes, one list for each step; `hits` are the branches that it took.
    """

    rules: RuleSet
    steps: tuple[Signal | int, ...]
    written: tuple[list[Written], ...] = field(repr=False)
    hits: Counter[str] = field(repr=False)

    @staticmethod
    def of(rules: RuleSet, steps: Sequence[Signal | int]) -> "Timeline":
        """Run the reference over steps."""
        reference = Reference(rules)
        written = [reference.tick(step) if isinstance(step, int) else reference.apply(step) for step in steps]
        return Timeline(rules, tuple(steps), tuple(written), reference.hits)

    def in_order(self) -> "Timeline":
        """Return the same signals by time, without the ticks."""
        signals = sorted((step for step in self.steps if not isinstance(step, int)), key=lambda signal: int(signal[3]))
        renumbered = [[*signal[:2], 256 * place + 255, *signal[3:]] for place, signal in enumerate(signals)]
        return Timeline.of(self.rules, renumbered)

    def __repr__(self) -> str:
        rules = self.rules.model_dump(mode="json")["rules"]
        lines = ["rules", *(f"  {rule}" for rule in rules), "steps", *(f"  {step}," for step in self.steps)]
        return "\n".join(["Timeline:", *lines])

    def _repr_pretty_(self, printer: RepresentationPrinter, *_: object) -> None:
        """Be shown by hypothesis as `repr` has it."""
        printer.text(repr(self))


class Writer:
    """Writes a timeline, one step after the other."""

    def __init__(self, rules_text: bytes) -> None:
        digits = Digits(rules_text)
        self._tempo = digits.pick((1, 1, 8, 30))
        self._raw = raw_rules(digits)
        self._removed: list[dict[str, Any]] = []
        self._first_rules = rule_set(0, 0, self._raw)
        self._reference = Reference(self._first_rules)
        self._offset = 0
        self._ids = 0
        self._now = START_MS
        self._signals: list[Signal] = []
        self._steps: list[Signal | int] = []
        self._written: list[list[Written]] = []

    def timeline(self) -> Timeline:
        """Return what has been written."""
        return Timeline(self._first_rules, tuple(self._steps), tuple(self._written), self._reference.hits)

    def step(self, text: bytes) -> None:
        """Write one step: nothing, a signal, some signals of one kind, or a tick."""
        digits = Digits(text)
        what = digits.below(256)
        kinds = (
            *((1, self._nothing), (60, self._orders), (75, self._cancellation), (110, self._returns)),
            *((160, self._complaints), (193, self._stock_level), (206, self._repeat), (232, self._command)),
            *((240, self._new_rules), (256, self._tick)),
        )
        next(write for end, write in kinds if what < end)(digits)

    def _nothing(self, digits: Digits) -> None:
        """Leave the timeline as it is: what hypothesis shrinks a step to."""

    # Facts of the shop

    def _orders(self, digits: Digits) -> None:
        product_id = digits.pick(PRODUCTS)
        time = self._time(digits, product_id)
        order_id, event_id = self._id("o"), self._id("e") if digits.one_in(4) else None
        sku_id, quantity = self._sku(digits, product_id), digits.pick(QUANTITIES[:-1])
        room_id, category = digits.pick(ROOMS), digits.pick(CATEGORIES)
        self._offset += 1
        for line in range(1, 1 + digits.pick((1, 1, 2, 3))):
            self._send(
                [ORDER, time, product_id, line, order_id, event_id, quantity, sku_id, room_id, category], line=line
            )
            product_id = digits.pick((product_id, "p2", "p1"))
            sku_id = self._sku(digits, product_id)

    def _cancellation(self, digits: Digits) -> None:
        product_id = digits.pick(PRODUCTS)
        time = self._time(digits, product_id)
        orders = [signal for signal in self._signals if signal[0] == ORDER and signal[4] == product_id][-8:]
        self._offset += 1
        if orders and not digits.one_in(8):
            _, _, _, _, _, line, order_id, _, quantity, sku_id, *_ = digits.pick(orders)
        else:
            line, order_id, quantity, sku_id = 1, self._id("o"), digits.pick(QUANTITIES), self._sku(digits, product_id)
        event_id = self._id("e") if digits.one_in(4) else None
        self._send([CANCELLATION, time, product_id, line, order_id, event_id, quantity, sku_id, None, None], line=line)

    def _returns(self, digits: Digits) -> None:
        product_id = digits.pick(PRODUCTS)
        for _ in range(digits.pick((1, 1, 2, 3))):
            self._offset += 1
            time = self._time(digits, product_id)
            quantity, sku_id = digits.pick(QUANTITIES[:-1]), self._sku(digits, product_id)
            place = digits.pick(ROOMS), digits.pick(CATEGORIES)
            self._send([RETURN, time, product_id, self._id("t"), quantity, sku_id, *place])

    def _complaints(self, digits: Digits) -> None:
        product_id = digits.pick(PRODUCTS)
        for _ in range(digits.pick((1, 2, 1, 3))):
            self._offset += 1
            time = self._time(digits, product_id)
            category = digits.pick(COMPLAINT_CATEGORIES)
            self._send([COMPLAINT, time, product_id, self._id("c"), category, digits.pick(ROOMS)])

    def _stock_level(self, digits: Digits) -> None:
        product_id = digits.pick(PRODUCTS)
        levels = [signal[3] for signal in self._signals if signal[0] == STOCK and signal[4] == product_id]
        time = self._time(digits, product_id)
        if levels and digits.one_in(4):
            time = levels[-1] + digits.pick((0, -1, 1, -999, 1000))
        sku_id = self._sku(digits, product_id)
        on_hand, reserved = digits.pick(ON_HAND), digits.pick((0, 0, 0, 2))
        safety_stock, room_id = digits.pick((None, None, 5, 60)), digits.pick(ROOMS)
        snapshot_id = self._id("n") if digits.one_in(2) else None
        self._offset += 1
        self._send([STOCK, time, product_id, sku_id, on_hand, reserved, safety_stock, room_id, snapshot_id])

    def _repeat(self, digits: Digits) -> None:
        """Send something again: as it was, or with other contents, now or when it is just about to be forgotten."""
        candidates = [signal for signal in self._signals if signal[0] != RULES]
        if not candidates:
            return
        signal = candidates[-1 - digits.below(min(len(candidates), 12))]
        clock = self._clock(signal[4])
        remembered = signal[3] if digits.one_in(2) else clock
        edge = remembered + MEMORY_MS
        time = digits.pick((signal[3], clock, self._now + 1, edge, edge - 1, edge))
        again = [signal[0], time, *signal[4:]]
        if signal[0] in {ORDER, CANCELLATION}:
            again[6] = digits.pick((signal[8], 1, 7))
        elif signal[0] == RETURN:
            again[4] = digits.pick((signal[6], 1, 7))
        elif signal[0] == COMMAND:
            again[3] = signal[5] | {"issued_at": time}
        if time >= edge - 1 and digits.one_in(2):
            # Something else brings the clock to the edge first: it is the clock before the repeat that counts.
            self._offset += 1
            self._send([RETURN, time, signal[4], self._id("t"), 1, None, None, None])
        self._offset += 1
        self._send(again, line=signal[2] % 256)

    # Operators, rules, ticks

    def _command(self, digits: Digits) -> None:
        product_id = digits.pick(PRODUCTS)
        time = self._time(digits, product_id)
        action = digits.pick(("resume", "acknowledge", "pause", "allow", "release", "resume", "acknowledge"))
        known = self._fuses(product_id)
        fuses = [fuse for fuse in known.all.values() if fuse.state == "open"] if known else []
        aimed = digits.pick(fuses) if fuses else None
        rule_id = digits.pick((None, aimed.rule_id if aimed else "spike", None, "again"))
        sku_id = digits.pick((None, aimed.sku_id if aimed else "s1", None, product_id, "s2"))
        clock = max(time, self._clock(product_id))
        ends = (None, clock + 1000, time + DAY_MS, time + DAY_MS + 1, clock, clock + 1, clock + 10_000, clock + 60_000)
        expires_at = digits.pick(ends) if action in {"pause", "allow"} or digits.one_in(8) else None
        sequence = known.sequence if known else 0
        command = {
            "command_id": self._id("k"),
            "action": action,
            "actor": digits.pick(("sam", "kim")),
            "reason": digits.pick(("checked", "looks wrong")),
            "issued_at": time,
            "rule": rule_id,
            "sku_id": sku_id,
            "expires_at": expires_at,
            "expected_sequence": digits.pick((None, None, None, sequence, sequence + 1)),
        }
        self._offset += 1
        self._send([COMMAND, time, product_id, command])

    def _new_rules(self, digits: Digits) -> None:
        version = self._reference.rules.version + digits.pick((1, 1, 1, 2, 0))
        time = self._time(digits, "p1")
        if version > self._reference.rules.version:
            self._raw = changed_rules(digits, self._raw, self._removed)
        rules = rule_set(version, time, self._raw)
        self._offset += 1
        self._send([RULES, time, "", rules.model_dump(mode="json")])

    def _tick(self, digits: Digits) -> None:
        time = self._time(digits, digits.pick(PRODUCTS))
        self._steps.append(time)
        self._written.append(self._reference.tick(time))

    # Parts

    def _send(self, facts: list[Any], line: int = 0) -> None:
        kind, time, *rest = facts
        source = SOURCES_OF[kind][self._offset % len(SOURCES_OF[kind])]
        signal = [kind, source, 256 * self._offset + line, time, *rest]
        self._signals.append(signal)
        self._steps.append(signal)
        self._written.append(self._reference.apply(signal))
        self._now = max(self._now, time)

    def _id(self, letter: str) -> str:
        self._ids += 1
        return f"{letter}{self._ids}"

    def _sku(self, digits: Digits, product_id: str) -> str | None:
        sku_id = digits.pick(SKUS[:2] if product_id == "p2" else SKUS)
        return product_id if sku_id == "itself" else sku_id or None

    def _clock(self, product_id: str) -> int:
        known = self._fuses(product_id)
        return known.clock if known is not None else self._now

    def _fuses(self, product_id: str) -> Fuses | None:
        product = self._reference.products.get(product_id)
        return product.fuses if product is not None else None

    def _time(self, digits: Digits, product_id: str) -> int:
        """Choose a time: mostly a little later, often at an edge of something, sometimes late."""
        how = digits.below(32)
        if how < 19:
            return self._clock(product_id) + self._tempo * digits.pick((0, 1, 100, 400, 999, 1000, 0, 2000, 3000, 37))
        if how < 23:
            return digits.pick(self._anchors(product_id)) + digits.pick((0, 1, -1))
        edges = lengths(self._reference.rules)
        edge = edges[min(digits.below(len(edges)), digits.below(len(edges)))]
        near = edge + digits.pick((0, -1, 1))
        if how < 27:
            return digits.pick(self._anchors(product_id)) + near
        if how < 30:
            return max(START_MS - DAY_MS, self._clock(product_id) - near)
        if how == 30:
            return self._clock(product_id) + near
        return self._clock(product_id) + digits.pick((0, DAY_MS, MEMORY_MS, 5000))

    def _anchors(self, product_id: str) -> list[int]:
        """Return the times at which something of the product is due, was marked or was seen lately."""
        anchors = [int(signal[3]) for signal in self._signals if signal[4] == product_id][-6:] or [self._now]
        known = self._fuses(product_id)
        if known is not None:
            dues = [*(fuse.due for fuse in known.all.values()), known.override_due]
            anchors += [due for due in dues if due is not None] * 2
            anchors += [fuse.mark for fuse in known.all.values() if fuse.mark >= START_MS]
        return anchors
