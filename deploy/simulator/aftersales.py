"""Aftersales: returns of earlier purchases and complaints about the catalogue, at a steady rate and never near a limit.

Chance alone would bring some product near a limit in a long sale; so what would be too much for a product within
75 minutes is left out. A return is of an earlier purchase: it follows a product's usual sales, not today's rush.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Final

from deploy.simulator.catalogue import Catalogue
from deploy.simulator.config import SaleConfig
from deploy.simulator.messages import Message, complaint, goods_return
from deploy.simulator.trade import UNITS_PER_ORDER

_RETURNED: Final = 0.03
_COMPLAINED: Final = 0.004
_REPEATED: Final = 0.01
_LATE: Final = 0.02
_LATEST_MS: Final = 15 * 60_000

_REACH_MS: Final = 75 * 60_000
_HOUR_MS: Final = 60 * 60_000

# A return spike needs 5 returns, and 10 points more than usual of the units sold.
_MOST_RETURNS: Final = 4
_MOST_RETURNED: Final = 0.05

# A surge needs 51 complaints, or 6 critical ones, within an hour.
_MOST_COMPLAINTS: Final = 18
_MOST_CRITICAL: Final = 2
_CRITICAL: Final = ("food_safety", "allergy", "counterfeit")
_CATEGORIES: Final = (
    *("quality",) * 10,
    *("logistics",) * 8,
    *("service",) * 4,
    *("misleading",) * 3,
    *("other",) * 3,
    *_CRITICAL,
)


class _Allowance:
    """How many times something happened to each product within the last 75 minutes."""

    def __init__(self) -> None:
        self._times: dict[int, deque[int]] = {}

    def take(self, rank: int, at_ms: int, most: float) -> bool:
        """Count one more and return True, unless there would be more than `most`."""
        times = self._times.setdefault(rank, deque())
        while times and times[0] <= at_ms - _REACH_MS:
            times.popleft()
        if len(times) + 1 > most:
            return False
        times.append(at_ms)
        return True


class Aftersales:
    """Returns and complaints. Each of the two streams may be read once."""

    def __init__(self, config: SaleConfig, catalogue: Catalogue) -> None:
        self._config = config
        self._catalogue = catalogue
        self._run = f"{config.start_ms // 1000:x}"

    def returns(self) -> Iterator[Message]:
        """Yield returns of one unit each in the order in which they arrive, without end."""
        rng = Random(f"{self._config.seed}/returns")  # noqa: S311 (as in the catalogue)
        units_per_second = self._config.orders_per_second * UNITS_PER_ORDER
        allowance = _Allowance()

        def messages() -> Iterator[Message]:
            for number, at_ms in enumerate(self._times(rng, units_per_second * _RETURNED)):
                rank = self._catalogue.draw(rng)
                hours = min(1.0, (at_ms - self._config.start_ms) / _HOUR_MS)
                sold = units_per_second * self._catalogue.shares[rank] * 3600 * hours
                sku = rng.choice(self._catalogue.products[rank].skus)
                if allowance.take(rank, at_ms, max(_MOST_RETURNS, sold * _MOST_RETURNED)):
                    yield goods_return(f"r{self._run}-{number}", at_ms, sku)

        return self._delivered(messages(), rng)

    def complaints(self) -> Iterator[Message]:
        """Yield complaints in the order in which they arrive, without end."""
        rng = Random(f"{self._config.seed}/complaints")  # noqa: S311 (as in the catalogue)
        all_categories, critical = _Allowance(), _Allowance()

        def messages() -> Iterator[Message]:
            for number, at_ms in enumerate(self._times(rng, self._config.orders_per_second * _COMPLAINED)):
                rank = self._catalogue.draw(rng)
                sku = rng.choice(self._catalogue.products[rank].skus)
                category = rng.choice(_CATEGORIES)
                if category in _CRITICAL and not critical.take(rank, at_ms, _MOST_CRITICAL):
                    continue
                if all_categories.take(rank, at_ms, _MOST_COMPLAINTS):
                    yield complaint(f"c{self._run}-{number}", at_ms, sku, category)

        return self._delivered(messages(), rng)

    def _times(self, rng: Random, per_second: float) -> Iterator[int]:
        now = float(self._config.start_ms)
        while True:
            now += rng.expovariate(per_second) * 1000
            yield int(now)

    def _delivered(self, messages: Iterator[Message], rng: Random) -> Iterator[Message]:
        """Yield the messages as they arrive: some of them late, some of them twice."""
        on_the_way: list[tuple[int, int, Message]] = []
        for number, message in enumerate(messages):
            while on_the_way and on_the_way[0][0] <= message.ts_ms:
                yield heappop(on_the_way)[2]
            chance = rng.random()
            arrives_ms = message.ts_ms
            if chance < _LATE and self._config.disorder:
                arrives_ms += rng.randint(1_000, _LATEST_MS)
            heappush(on_the_way, (arrives_ms, 2 * number, message._replace(ts_ms=arrives_ms)))
            if chance > 1 - _REPEATED and self._config.repeats:
                again_ms = arrives_ms + rng.randint(50, 5_000)
                heappush(on_the_way, (again_ms, 2 * number + 1, message._replace(ts_ms=again_ms)))
