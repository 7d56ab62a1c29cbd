"""Scenes and episodes: a scene is one product of its own and a time; an episode is what was made to happen in it."""

import math
from random import Random
from typing import Final, NamedTuple

from deploy.simulator.catalogue import Product, Sku
from deploy.simulator.labels import Label
from deploy.simulator.messages import Message, complaint, goods_return, order, order_line, stock_level

PLENTY: Final = 20_000


class Slot(NamedTuple):
    """When an episode takes place. Its stock is known from the opening of the show; it lasts for about its span."""

    opens_ms: int
    start_ms: int
    span_ms: int
    sale_ends_ms: int | None


class Episode(NamedTuple):
    """An incident or a trap. `messages` stand in the order in which they arrive.

    `decided_ms` is when the record arrives that opens the fuse; for a trap, when its last one does.
    """

    label: Label
    messages: tuple[Message, ...]
    decided_ms: int


class Scene:
    """Writes down what happens to one product. All times are milliseconds since 1970."""

    def __init__(self, name: str, product: Product, slot: Slot, rng: Random) -> None:
        self.name = name
        self.product = product
        self.sku = product.skus[0]
        self.slot = slot
        self.rng = rng
        self._messages: list[Message] = []

    def at(self, part: float) -> int:
        """Return a time in the span: 0 is its beginning, 1 its end."""
        return math.floor(self.slot.start_ms + self.slot.span_ms * part)

    def times(self, count: int, begin: float = 0, end: float = 1) -> list[int]:
        """Return rising times, spread evenly but for some jitter between two parts of the span."""
        step = (end - begin) / count
        return [self.at(begin + step * (number + self.rng.random() * 0.8)) for number in range(count)]

    def stock(self, at_ms: int, on_hand: int, sku: Sku | None = None) -> None:
        """Report a stock level as of the second of this time."""
        self._messages.append(stock_level(sku or self.sku, at_ms // 1000 * 1000, on_hand))

    def buy(self, at_ms: int, units: int = 1, sku: Sku | None = None) -> Message:
        """Place an order of one line."""
        lines = [order_line(sku or self.sku, units)]
        return self._send(order(self._new_id("o"), at_ms, self.product.room_id, lines))

    def buy_and_cancel(self, at_ms: int, cancelled_ms: int, units: int) -> None:
        """Place an order of one line and cancel it later."""
        order_id, lines = self._new_id("o"), [order_line(self.sku, units)]
        self._send(order(order_id, at_ms, self.product.room_id, lines))
        self._send(order(order_id, cancelled_ms, self.product.room_id, lines, cancelled=True))

    def give_back(self, at_ms: int) -> Message:
        """Return one unit."""
        return self._send(goods_return(self._new_id("r"), at_ms, self.sku))

    def complain(self, at_ms: int, category: str, *, arrives_ms: int | None = None) -> Message:
        """Complain; the record arrives at once, or late."""
        message = complaint(self._new_id("c"), at_ms, self.sku, category)
        return self._send(message if arrives_ms is None else message._replace(ts_ms=arrives_ms))

    def report_late(self, as_of_ms: int, on_hand: int, arrives_ms: int) -> None:
        """Report a stock level that arrives long after its as-of time."""
        self._send(stock_level(self.sku, as_of_ms, on_hand)._replace(ts_ms=arrives_ms))

    def repeat(self, message: Message) -> None:
        """Send the same record once more, some seconds later."""
        self._send(message._replace(ts_ms=message.ts_ms + self.rng.randint(100, 4_000)))

    def incident(
        self, rule: str, at_ms: int, note: str, *, sku: Sku | None = None, decided_ms: int | None = None
    ) -> Episode:
        """Return the episode: a fuse of this rule opens at `at_ms`, when the record of `decided_ms` arrives."""
        sku_id = None if sku is None else sku.sku_id
        label = Label(self.product.product_id, sku_id, rule, "incident", self.name, at_ms, note)
        return Episode(label, self._arrivals(), at_ms if decided_ms is None else decided_ms)

    def trap(self, rule: str, note: str) -> Episode:
        """Return the episode: no fuse opens, though one of this rule might be thought to."""
        label = Label(self.product.product_id, None, rule, "trap", self.name, None, note)
        messages = self._arrivals()
        return Episode(label, messages, messages[-1].ts_ms)

    def _send(self, message: Message) -> Message:
        self._messages.append(message)
        return message

    def _new_id(self, letter: str) -> str:
        # The time of the slot tells two sales on one broker apart, as the prefixes of the other ids do.
        return f"{letter}{self.slot.opens_ms // 1000:x}-{self.product.product_id}-{len(self._messages)}"

    def _arrivals(self) -> tuple[Message, ...]:
        return tuple(sorted(self._messages, key=lambda message: message.ts_ms))
