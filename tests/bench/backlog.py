"""A backlog: the records of a sale that wait in the input topics, in order of time, with incidents among them.

Most are orders of one line; `MIX` has the rest. Products with incidents have no other records, and the others have no
incidents, so that what trips is known: `incidents` tells how many products, `tripping` which ones and by which rule.
The same arguments make the same records. A second `batch` goes on with the same products, other ids and new incidents.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, count, islice
from random import Random
from typing import Final
from zlib import crc32

import orjson

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import CATEGORIES, Sku, make_product
from deploy.simulator.messages import Message, complaint, goods_return, order, order_line, stock_level
from schemas.times import from_ms
from schemas.topics import TopicNames, partition_of

NAMES: Final = TopicNames()
PARTITIONS: Final = 4
"""Partitions of each input topic, and of the signals topic."""

MIX: Final = {NAMES.orders: 0.86, NAMES.stock_levels: 0.07, NAMES.returns: 0.04, NAMES.complaints: 0.03}
"""Which share of the records each topic has."""

STEP_MS: Final = 12
"""From one record to the next: 83 records a second, so 600,000 are two hours of a sale."""

PLENTY: Final = 50_000

_ROOMS: Final = 5
_TWO_LINES: Final = 0.1
_TWO_UNITS: Final = 0.2
_COMPLAINTS: Final = ("quality", "logistics", "service", "misleading", "other")
_DRAWN_AT_ONCE: Final = 20_000

_EPISODES: Final = 4
_EPISODE_STEPS: Final = 20
_UNITS: Final = 60
_FACTS_OF_A_BATCH: Final = 10_000_000
_RULES: Final = ("complaint-surge", "oversell", "return-spike")

Make = Callable[[int], Message]
"""Event time in ms to the record that happens then."""


def incidents() -> int:
    """Return how many products trip in a backlog of any size."""
    return 3 * _EPISODES


def tripping(batch: int = 0) -> dict[str, str]:
    """Return the products with incidents and the rule that each of them trips."""
    return {sku.product_id: rule for sku, rule in _troubled(batch)}


def backlog(
    size: int, start_ms: int, *, products: int = 3_000, seed: int = 1, batch: int = 0
) -> Iterator[CaptureRecord]:
    """Yield `size` records, the first at `start_ms`. Raises ValueError when there is no room for the incidents."""
    script = _script(size, batch)
    numbers: Counter[tuple[str, int]] = Counter()
    sold = _sold(products, Random(seed), first=batch * _FACTS_OF_A_BATCH + 1)
    for index, make in enumerate(islice(sold, size)):
        ts_ms, topic, key, value = script.get(index, make)(start_ms + index * STEP_MS)
        partition = crc32(key) % PARTITIONS
        yield CaptureRecord(topic, partition, numbers[topic, partition], ts_ms, key, value)
        numbers[topic, partition] += 1


def end_ms(size: int, start_ms: int) -> int:
    """Return a time after all records of a backlog."""
    return start_ms + size * STEP_MS


def sentinel_products(partitions: int = PARTITIONS) -> list[str]:
    """Return the products of the sentinels, one of each signals partition."""
    found: dict[int, str] = {}
    for product_id in map("sentinel-{}".format, count()):
        found.setdefault(partition_of(product_id, partitions), product_id)
        if len(found) == partitions:
            break
    return [found[partition] for partition in sorted(found)]


def sentinels(at_ms: int, *, number: int = 1, partitions: int = PARTITIONS) -> list[CaptureRecord]:
    """Return a command for a product of each signals partition, at a time later than all records before.

    When the `override.set` event of each has come out, everything has been applied. `number` counts the calls with the
    same topics.
    """
    records = []
    for partition, product_id in enumerate(sentinel_products(partitions)):
        command = {
            "command_id": f"{product_id}-{number}",
            "product_id": product_id,
            "action": "pause",
            "actor": "benchmark",
            "reason": "everything before this has been applied",
            "issued_at": from_ms(at_ms),
        }
        records.append(
            CaptureRecord(NAMES.commands, partition, number - 1, at_ms, product_id.encode(), orjson.dumps(command))
        )
    return records


def popularity(products: int) -> list[float]:
    """Return the weight of each product in a draw: as in the simulator, the best seller has a twenty-fifth of all."""
    return [1 / (rank + 4) for rank in range(products)]


def _sold(products: int, rng: Random, *, first: int) -> Iterator[Make]:
    skus = [make_product(number, rng.choice(CATEGORIES), _ROOMS, rng).skus for number in range(products)]
    return everyday(skus, popularity(products), rng, first=first)


def everyday(
    skus: Sequence[tuple[Sku, ...]], weights: Iterable[float], rng: Random, *, first: int = 1
) -> Iterator[Make]:
    """Yield, without end, what makes the records of products that do not trip.

    `skus` are those of each product, `weights` tell how well it sells. Their ids are numbers from `first` on.
    """
    cumulated = list(accumulate(weights))
    topics, shares = list(MIX), list(accumulate(MIX.values()))
    number = first - 1
    while True:
        drawn = rng.choices(topics, cum_weights=shares, k=_DRAWN_AT_ONCE)
        bought = rng.choices(skus, cum_weights=cumulated, k=2 * _DRAWN_AT_ONCE)
        for topic, product, other in zip(drawn, bought[::2], bought[1::2], strict=True):
            number += 1
            sku = product[int(rng.random() * len(product))]
            if topic == NAMES.orders:
                both = (sku, other[0]) if rng.random() < _TWO_LINES else (sku,)
                yield _order(number, both, 2 if rng.random() < _TWO_UNITS else 1)
            elif topic == NAMES.stock_levels:
                yield _stock_level(rng.choice(rng.choice(skus)), PLENTY)
            elif topic == NAMES.returns:
                yield _return(number, sku)
            else:
                # Who complains has nothing to do with what sells best; so no product comes near a limit by chance.
                yield _complaint(number, rng.choice(skus)[0], _COMPLAINTS[number % len(_COMPLAINTS)])


def _troubled(batch: int) -> list[tuple[Sku, str]]:
    rng = Random(0)
    first = 900_000 + batch * incidents()
    products = (make_product(first + number, "food", _ROOMS, rng) for number in range(incidents()))
    return [(product.skus[0], _RULES[number % len(_RULES)]) for number, product in enumerate(products)]


def _script(size: int, batch: int) -> dict[int, Make]:
    """Return the records of the incidents by their place in the backlog."""
    length = 2 * _UNITS * _EPISODE_STEPS
    if size < incidents() * length:
        raise ValueError(f"a backlog has at least {incidents() * length} records, or the incidents have no room")
    script: dict[int, Make] = {}
    for number, (sku, trips) in enumerate(_troubled(batch)):
        surge, empty, spike = (trips == rule for rule in _RULES)
        begin = number * (size // incidents())
        for step in range(2 * _UNITS):
            fact = 100_000_000 + batch * _FACTS_OF_A_BATCH + begin + step
            if surge:
                make = _complaint(fact, sku, _COMPLAINTS[step % len(_COMPLAINTS)])
            elif step == 0:
                make = _stock_level(sku, _UNITS // 2 if empty else PLENTY)
            elif empty or step < _UNITS:
                make = _order(fact, (sku,), 1)
            else:
                make = _return(fact, sku) if spike else _order(fact, (sku,), 1)
            script[begin + step * _EPISODE_STEPS] = make
    return script


def _order(number: int, skus: tuple[Sku, ...], quantity: int) -> Make:
    lines = [order_line(sku, quantity) for sku in skus]
    return lambda at_ms: order(f"o{number}", at_ms, skus[0].room_id, lines)


def _return(number: int, sku: Sku) -> Make:
    return lambda at_ms: goods_return(f"r{number}", at_ms, sku)


def _complaint(number: int, sku: Sku, category: str) -> Make:
    return lambda at_ms: complaint(f"c{number}", at_ms, sku, category)


def _stock_level(sku: Sku, on_hand: int) -> Make:
    return lambda at_ms: stock_level(sku, at_ms, on_hand)
