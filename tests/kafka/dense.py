"""A dense sale: small limits and cool-downs of seconds, so that within a minute thousands of fuse events happen.

    capture = DenseSale(seed=1, start_ms=..., seconds=60, per_second=200).capture()

It is made to be unkind: orders are keyed by order id and hold lines of several products, so what belongs to a product
is spread over partitions; records are late, sent twice, and of one millisecond; ids are integers and not ASCII;
operators send commands that fit and some that do not; three rule sets follow each other.

It is fair in one thing: the order in which the records are sent is the order in which intake merges them (contract,
section 4), late records included. Only so is "live" the same question as "backlog".
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import orjson

from deploy.simulator.capture import CaptureRecord
from schemas.rules import RuleSet
from schemas.times import from_ms, to_ms
from schemas.topics import TopicNames, partition_of
from tests.kafka.cluster import INPUT_PARTITIONS, SIGNALS_PARTITIONS

NAMES: Final = TopicNames()

_SECONDS: Final = {"auto": {"recovery": "auto", "cooldown": "1s", "probation": "1s"}}

_OVERSELL: Final[dict[str, Any]] = {
    "id": "oversell", "kind": "oversell", "severity": "critical", "reaction_time": "1s", "rate_windows": ["1s", "5s"],
    "history": "30s", "resume_above": 5, "safety_stock": 20, "hot_units": 5, "cover": "10s",
}  # fmt: skip
_OVERSELL_AUTO: Final[dict[str, Any]] = {
    "id": "oversell-auto", "kind": "oversell", "floor": 4, "match": {"categories": ["toys"]}, **_SECONDS["auto"],
}  # fmt: skip
_SURGE: Final[dict[str, Any]] = {
    "id": "surge", "kind": "complaint_surge", "more_than": 3, "window": "6s", "lateness": "3s", **_SECONDS["auto"],
    "override": [{"product": "p3", "more_than": 1}, {"room": "r2", "window": "9s"}],
}  # fmt: skip
_CRITICAL: Final[dict[str, Any]] = {
    "id": "critical", "kind": "complaint_surge", "severity": "critical", "more_than": 0, "window": "2s",
    "lateness": "1s", "categories": ["food_safety", "allergy"], "probation": "3s",
}  # fmt: skip
_SHADOW: Final[dict[str, Any]] = {
    "id": "shadow", "kind": "complaint_surge", "mode": "shadow", "more_than": 2, "window": "5s", **_SECONDS["auto"],
}  # fmt: skip
_RETURNS: Final[dict[str, Any]] = {
    "id": "returns", "kind": "return_spike", "rise": 0.02, "window": "1m", "history": 2, "min_units": 3,
    "min_returns": 2, "prior_rate": 0.01, "prior_units": 5, "z": 0.1, **_SECONDS["auto"],
}  # fmt: skip

_RULE_SETS: Final = (
    (_OVERSELL, _OVERSELL_AUTO, _SURGE, _CRITICAL, _SHADOW, _RETURNS),
    # Fuses of rules that are off or gone close; other limits hold for those that stay.
    (_OVERSELL | {"resume_above": 1}, _SURGE | {"mode": "off"}, _CRITICAL | {"more_than": 1}, _RETURNS),
    (_OVERSELL, _OVERSELL_AUTO, _SURGE | {"more_than": 2}, _CRITICAL, _SHADOW, _RETURNS | {"rise": 0.05}),
)

# Quiet around a new rule set, which concerns all products: see `feed_live`.
_QUIET_MS: Final = 200
_REPEATED: Final = 0.03


class _Product:
    def __init__(self, number: int, rng: Random) -> None:
        ids = (f"p{number}", number + 4_000_000, f"p{number} größe Ω")
        self.id: str | int = ids[0 if number % 5 else number // 5 % 3]
        self.skus: tuple[str | None, ...] = ((None,), ("s1", "s2"), (None, "s1", str(self.id)))[number % 3]
        self.room = f"r{number % 4}"
        self.category = (None, "toys", "food")[number % 3]
        self.touched_ms = 0
        self.low = rng.random() < 0.5


class DenseSale:
    """Makes one capture. `start_ms` is the first event time; all times lie within `seconds` after it.

    With `gap_ms` no product is in two records within that time (but for the late and the repeated); `late` is the share
    of records that happened up to 20 s before they come.
    """

    def __init__(
        self,
        *,
        seed: int,
        start_ms: int,
        seconds: float,
        per_second: float,
        products: int = 60,
        gap_ms: int = 0,
        late: float = 0.03,
    ) -> None:
        self._rng = Random(seed)
        self._start_ms = start_ms
        self._end_ms = start_ms + round(seconds * 1000)
        self._mean_ms = 1000 / per_second
        self._gap_ms = gap_ms
        self._late = late
        self._products = [_Product(number, self._rng) for number in range(products)]
        self._now = start_ms
        self._count = 0
        self._keys: dict[tuple[str, int], int] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._records: list[tuple[tuple[int, int, int, int], CaptureRecord]] = []
        self._orders: list[dict[str, Any]] = []
        self._sent: list[tuple[str, str, dict[str, Any]]] = []

    def capture(self) -> list[CaptureRecord]:
        """Return the records in the order in which they are to be sent."""
        changes = [self._start_ms + (self._end_ms - self._start_ms) * part // 3 for part in range(3)]
        kinds: tuple[tuple[int, Callable[[_Product], None]], ...] = (
            *((33, self._order), (5, self._cancel), (27, self._stock), (12, self._return)),
            *((17, self._complain), (6, self._command)),
        )
        weights = [weight for weight, _ in kinds]
        now = float(self._start_ms)
        while now < self._end_ms:
            self._now = int(now)
            if changes and self._now >= changes[0]:
                self._now += _QUIET_MS
                self._new_rules(len(_RULE_SETS) - len(changes))
                changes.pop(0)
                now = float(self._now + _QUIET_MS)
                continue
            if self._sent and self._rng.random() < _REPEATED:
                self._repeat()
            else:
                (_, make), *_ = self._rng.choices(kinds, weights)
                make(self._pick())
            now += self._rng.expovariate(1 / self._mean_ms)
        return [record for _, record in sorted(self._records, key=lambda each: each[0])]

    def _pick(self) -> _Product:
        quiet = [each for each in self._products if each.touched_ms <= self._now - self._gap_ms]
        product = self._rng.choice(quiet or self._products)
        product.touched_ms = self._now
        return product

    def _id(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _time(self) -> int:
        """Return when it happened: mostly now."""
        late = self._rng.random() < self._late and self._now > self._start_ms + 3_000
        return self._now - self._rng.randint(1, self._rng.choice((300, 4_000, 20_000))) if late else self._now

    def _order(self, product: _Product) -> None:
        products = [product, *(self._pick() for _ in range(self._rng.choice((0, 0, 1, 3))))]
        order: dict[str, Any] = {
            "order_id": self._id("o"),
            "occurred_at": self._time(),
            "room_id": product.room,
            "lines": [
                {
                    "product_id": each.id,
                    "quantity": self._rng.choice((1, 1, 2, 5)),
                    "sku_id": self._rng.choice(each.skus),
                    "product_category": each.category,
                }
                for each in products
            ],
        }
        if self._rng.random() < 0.2:
            order["event_id"] = self._id("e")
        self._orders = [*self._orders[-40:], order]
        self._send(NAMES.orders, order["order_id"], order)

    def _cancel(self, product: _Product) -> None:
        if not self._orders:
            return self._order(product)
        order = self._rng.choice(self._orders)
        self._send(NAMES.orders, order["order_id"], order | {"status": "cancelled", "occurred_at": self._now})
        return None

    def _stock(self, product: _Product) -> None:
        product.low = not product.low
        level = {
            "product_id": product.id,
            "sku_id": self._rng.choice(product.skus),
            "on_hand": self._rng.choice((0, 1, 4) if product.low else (40, 150, 1_000)),
            "occurred_at": self._time(),
            "snapshot_id": self._id("n"),
        }
        if self._rng.random() < 0.3:
            level["safety_stock"] = self._rng.choice((0, 10, 60))
        self._send(NAMES.stock_levels, str(product.id), level)

    def _return(self, product: _Product) -> None:
        value = {
            "return_id": self._id("r"),
            "product_id": product.id,
            "quantity": self._rng.choice((1, 1, 3)),
            # As text, so that both forms of times are in the capture.
            "occurred_at": from_ms(self._time()),
            "sku_id": self._rng.choice(product.skus),
        }
        self._send(NAMES.returns, str(product.id), value)

    def _complain(self, product: _Product) -> None:
        value = {
            "complaint_id": self._id("c"),
            "product_id": product.id,
            "occurred_at": from_ms(self._time()),
            "category": self._rng.choice(("quality", "quality", "food_safety", "allergy", "service")),
            "room_id": product.room,
        }
        self._send(NAMES.complaints, str(product.id), value)

    def _command(self, product: _Product) -> None:
        action = self._rng.choice(("resume", "resume", "resume", "acknowledge", "pause", "allow", "release"))
        value: dict[str, Any] = {
            "command_id": self._id("k"),
            "product_id": product.id,
            "action": action,
            "actor": self._rng.choice(("sam", "kim")),
            "reason": "tried",
            "issued_at": self._now,
        }
        if action in {"pause", "allow"}:
            value["expires_at"] = self._now + self._rng.choice((700, 2_000, 5_000))
        if action in {"resume", "acknowledge"} and self._rng.random() < 0.3:
            value["rule"] = self._rng.choice(("oversell", "surge", "critical"))
        if self._rng.random() < 0.15:
            value["expected_sequence"] = self._rng.randint(0, 12)
        self._send(NAMES.commands, str(product.id), value)

    def _new_rules(self, number: int) -> None:
        rules = {"version": number + 1, "issued_at": self._now, "actor": "sam", "rules": _RULE_SETS[number]}
        self._write(NAMES.rules, 0, "rules", self._now, RuleSet.model_validate(rules).model_dump_json().encode())

    def _repeat(self) -> None:
        # A stock level that comes again is applied again, so it is late then; any other repeat changes nothing.
        choices = [each for each in self._sent[-60:] if self._late or each[0] != NAMES.stock_levels]
        if not choices:
            return
        topic, key, value = self._rng.choice(choices)
        # Not where it lies already: a repeat may come by another way.
        self._send(topic, f"{key}-again", value)

    def _send(self, topic: str, key: str, value: dict[str, Any]) -> None:
        self._sent = [*self._sent[-60:], (topic, key, value)]
        partitions = SIGNALS_PARTITIONS if topic == NAMES.commands else INPUT_PARTITIONS
        self._write(topic, partition_of(key, partitions), key, _ms(value), orjson.dumps(value))

    def _write(self, topic: str, partition: int, key: str, time_ms: int, value: bytes) -> None:
        source = topic, partition
        offset = self._offsets[source] = self._offsets.get(source, -1) + 1
        order = self._keys[source] = max(self._keys.get(source, 0), time_ms)
        record = CaptureRecord(topic, partition, offset, order, key.encode(), value)
        self._records.append(((order, NAMES.inputs.index(topic), partition, offset), record))


def _ms(value: dict[str, Any]) -> int:
    """Return the event time of a record that was made here."""
    return to_ms(value.get("occurred_at", value.get("issued_at")))
