"""Trade: the orders of the whole catalogue, their cancellations, and the stock levels that follow from them.

Nothing here comes near a limit. Each SKU starts with more than it sells in minutes of the fastest rush, and is topped
up at the first stock level under half of that.
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from heapq import heappop, heappush
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from deploy.simulator.catalogue import Catalogue
from deploy.simulator.config import SaleConfig
from deploy.simulator.messages import Line, Message, order, order_line, stock_level

# Of all orders: how many lines, how many units in a line.
_LINES: Final = (1,) * 15 + (2,) * 3 + (3, 5)
_UNITS: Final = (1,) * 25 + (2,) * 5 + (3, 5)
UNITS_PER_ORDER: Final = (sum(_LINES) / len(_LINES)) * (sum(_UNITS) / len(_UNITS))

_CANCELLED: Final = 0.01
_LATE: Final = 0.003
_REPEATED: Final = 0.003

# A rush decays by e in this time.
_RUSH_S: Final = 25.0

# A SKU that sold is counted once a minute, each in its own second of it.
_SLOTS: Final = 60

_FLASH_FACTORS: Final = (20, 100)
_FLASH_SECONDS: Final = (20, 60)
_SUPPLY_S: Final = 600


class _Later(NamedTuple):
    """A message that arrives later, and the units that go back to stock with it, by SKU."""

    ts_ms: int
    number: int
    message: Message
    units: tuple[tuple[int, int], ...] = ()


class _Flash(NamedTuple):
    """A deal on one product."""

    rank: int
    per_second: float
    end_ms: int


class Trade:
    """The shop floor. `messages` may be read once."""

    def __init__(self, config: SaleConfig, catalogue: Catalogue) -> None:
        self._config = config
        self._catalogue = catalogue
        self._rng = Random(f"{config.seed}/trade")  # noqa: S311 (as in the catalogue)
        self._prefix = f"o{config.start_ms // 1000:x}"
        self._skus = [sku for product in catalogue.products for sku in product.skus]
        self._first = _first_skus(catalogue)
        self._supply = _supply(config, catalogue)
        self._on_hand = list(self._supply)
        self._sold: list[set[int]] = [set() for _ in range(_SLOTS)]
        self._later: list[_Later] = []
        self._number = 0
        self._flash: _Flash | None = None

    def messages(self) -> Iterator[Message]:
        """Yield orders and stock levels in the order in which they arrive, without end."""
        second_ms = self._config.start_ms
        for sku, on_hand in zip(self._skus, self._on_hand, strict=True):
            yield stock_level(sku, second_ms, on_hand)
        while True:
            yield from self._sell(second_ms)
            second_ms += 1000
            yield from self._count_stock(second_ms)

    def _sell(self, second_ms: int) -> Iterator[Message]:
        """Yield what arrives in one second. Its rate is constant; arrivals have no memory, so the draw begins anew."""
        self._begin_or_end_flash(second_ms)
        usual = self._usual_rate(second_ms)
        flash = self._flash.per_second if self._flash else 0.0
        per_ms = (usual + flash) / 1000
        flash_share = flash / (usual + flash)
        draw, later, end_ms = self._rng.expovariate, self._later, second_ms + 1000
        now = second_ms + draw(per_ms)
        while now < end_ms:
            at_ms = int(now)
            if later and later[0].ts_ms <= at_ms:
                yield from self._due(at_ms)
            yield from self._place(at_ms, flash_share)
            now += draw(per_ms)
        yield from self._due(end_ms - 1)

    def _usual_rate(self, at_ms: int) -> float:
        """Return the orders per second without the flash deal."""
        since_opening_s = (at_ms - self._config.start_ms) % self._config.show_ms / 1000
        rush = 1 + (self._config.peak_factor - 1) * math.exp(-since_opening_s / _RUSH_S)
        return self._config.orders_per_second * rush

    def _begin_or_end_flash(self, second_ms: int) -> None:
        since_s = (second_ms - self._config.start_ms) // 1000
        if self._flash and second_ms >= self._flash.end_ms:
            self._flash = None
        if since_s and since_s % (self._config.flash_every // timedelta(seconds=1)) == 0:
            rank = self._rng.choice(_flash_ranks(self._catalogue))
            factor = self._rng.uniform(*_FLASH_FACTORS)
            per_second = self._config.orders_per_second * self._catalogue.shares[rank] * factor
            self._flash = _Flash(rank, per_second, second_ms + self._rng.randint(*_FLASH_SECONDS) * 1000)

    def _place(self, at_ms: int, flash_share: float) -> Iterator[Message]:
        rng = self._rng
        self._number += 1
        order_id = f"{self._prefix}-{self._number}"
        lines: list[Line] = []
        units: list[tuple[int, int]] = []
        for _ in range(_LINES[int(rng.random() * len(_LINES))]):
            in_flash = self._flash and rng.random() < flash_share
            rank = self._flash.rank if self._flash and in_flash else self._catalogue.draw(rng)
            number = self._first[rank] + int(rng.random() * len(self._catalogue.products[rank].skus))
            quantity = _UNITS[int(rng.random() * len(_UNITS))]
            lines.append(order_line(self._skus[number], quantity))
            units.append((number, quantity))
            self._on_hand[number] -= quantity
            self._sold[number % _SLOTS].add(number)
        room_id = self._catalogue.products[rank].room_id
        message = order(order_id, at_ms, room_id, lines)
        chance = rng.random()
        if chance < _CANCELLED:
            cancelled_ms = at_ms + rng.randint(5_000, 300_000)
            self._postpone(order(order_id, cancelled_ms, room_id, lines, cancelled=True), cancelled_ms, tuple(units))
        elif chance < _CANCELLED + _REPEATED and self._config.repeats:
            self._postpone(message, at_ms + rng.randint(50, 2_000))
        elif chance > 1 - _LATE and self._config.disorder:
            self._postpone(message, at_ms + rng.randint(1_000, 120_000))
            return
        yield message

    def _postpone(self, message: Message, ts_ms: int, units: tuple[tuple[int, int], ...] = ()) -> None:
        heappush(self._later, _Later(ts_ms, self._number, message, units))

    def _due(self, at_ms: int) -> Iterator[Message]:
        """Yield what was postponed until `at_ms`; what is cancelled goes back to stock."""
        while self._later and self._later[0].ts_ms <= at_ms:
            later = heappop(self._later)
            for number, quantity in later.units:
                self._on_hand[number] += quantity
                self._sold[number % _SLOTS].add(number)
            yield later.message._replace(ts_ms=later.ts_ms)

    def _count_stock(self, second_ms: int) -> Iterator[Message]:
        """Yield the stock levels of the SKUs whose turn is this second, as far as they sold; top up what runs low."""
        sold = self._sold[second_ms // 1000 % _SLOTS]
        for number in sorted(sold):
            if self._on_hand[number] < self._supply[number] / 2:
                self._on_hand[number] = self._supply[number]
            yield stock_level(self._skus[number], second_ms, self._on_hand[number])
        sold.clear()


def _first_skus(catalogue: Catalogue) -> list[int]:
    """Return for each product the number of its first SKU."""
    return [0, *accumulate(len(product.skus) for product in catalogue.products)]


def _flash_ranks(catalogue: Catalogue) -> range:
    """Return the ranks of the products that flash deals are about: well known, but no best sellers."""
    return range(len(catalogue.products) // 50, len(catalogue.products) // 5)


def _supply(config: SaleConfig, catalogue: Catalogue) -> list[int]:
    """Return for each SKU how many there are at first: a multiple of 50, enough for minutes of rush and flash deal."""
    flash = _flash_ranks(catalogue)
    supply: list[int] = []
    for rank, (product, share) in enumerate(zip(catalogue.products, catalogue.shares, strict=True)):
        factor = config.peak_factor + (_FLASH_FACTORS[1] if rank in flash else 0)
        per_second = config.orders_per_second * UNITS_PER_ORDER * share * factor / len(product.skus)
        supply += [2_000 + math.ceil(per_second * _SUPPLY_S / 50) * 50] * len(product.skus)
    return supply
