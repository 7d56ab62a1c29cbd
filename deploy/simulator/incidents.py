"""Incidents: each must open a fuse of the default rules, once, at the time that plain counting here works out."""

import math
from collections.abc import Sequence
from typing import Final

from deploy.simulator.scene import PLENTY, Episode, Scene

EVERYDAY: Final = ("quality", "logistics", "service", "misleading", "other")

# The limits of the default rules that the arithmetic below needs.
_MORE_THAN: Final = 50
_MORE_THAN_CRITICAL: Final = 5
_REACTION_S: Final = 3
_RISE_AND_PRIOR: Final = 0.2
_PRIOR_RATE: Final = 0.1
_Z: Final = 3


def flash_deal_oversold(scene: Scene) -> Episode:
    """Sell 360 of 300 within twelve seconds; a delivery later closes the fuse by evidence."""
    on_hand = 300
    scene.sku = scene.sku._replace(safety_stock=100)
    scene.stock(scene.slot.opens_ms, on_hand)
    times = [scene.slot.start_ms + number * 33 + scene.rng.randint(0, 30) for number in range(360)]
    for at_ms in times:
        scene.buy(at_ms)
    scene.stock(times[-1] + 1000, on_hand - len(times))
    scene.stock(max(scene.at(1), times[-1] + 2000), 5_000)
    note = "360 units of a stock of 300 sold within 12 s; requests replenishment; a delivery closes the fuse"
    return scene.incident("oversell", _oversold_at(times, on_hand), note, sku=scene.sku)


def one_size_oversold(scene: Scene) -> Episode:
    """Sell one variant out while the others have plenty: its fuse opens, the product is not paused."""
    scarce, others = scene.sku, scene.product.skus[1:]
    on_hand = 120
    scene.stock(scene.slot.opens_ms, on_hand)
    for sku in others:
        scene.stock(scene.slot.opens_ms, PLENTY, sku)
    times = scene.times(180)
    for at_ms in times:
        scene.buy(at_ms)
        scene.buy(at_ms + 1, 1, scene.rng.choice(others))
    scene.stock(times[-1] + 1000, on_hand - len(times))
    return scene.incident("oversell", _oversold_at(times, on_hand), "one variant of several sells out", sku=scarce)


def critical_complaints(scene: Scene) -> Episode:
    """Six reports of an allergy, and some other complaints that do not count as critical."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for at_ms in scene.times(4, 0, 0.5):
        scene.complain(at_ms, scene.rng.choice(EVERYDAY))
    times = scene.times(_MORE_THAN_CRITICAL + 1)
    for at_ms in times:
        scene.complain(at_ms, "allergy")
    return scene.incident("critical-complaints", times[-1], "the sixth report of an allergy within the hour")


def complaint_surge(scene: Scene) -> Episode:
    """Sixty complaints within the hour: the 51st opens the fuse."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    times = scene.times(60)
    for at_ms in times:
        scene.complain(at_ms, scene.rng.choice(EVERYDAY))
    return scene.incident("complaint-surge", times[_MORE_THAN], "60 complaints within the hour, the 51st counts")


def surge_completed_late(scene: Scene) -> Episode:
    """Fifty complaints, and one from their midst that arrives after all of them: the clock is the fiftieth's."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    times = scene.times(_MORE_THAN, 0, 0.9)
    for at_ms in times:
        scene.complain(at_ms, scene.rng.choice(EVERYDAY))
    scene.complain(scene.at(0.5), "quality", arrives_ms=scene.at(1))
    note = "50 complaints within the hour; the 51st happened among them and arrives after them"
    return scene.incident("complaint-surge", times[-1], note, decided_ms=scene.at(1))


def return_spike(scene: Scene) -> Episode:
    """Sell 200, get back a few as ever, then every second one."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    sold = 200
    for at_ms in scene.times(sold, 0, 0.6):
        scene.buy(at_ms)
    times = scene.times(4, 0.2, 0.6) + scene.times(100, 0.6, 1)
    for at_ms in times:
        scene.give_back(at_ms)
    enough = next(units for units in range(5, len(times)) if _spikes(units, sold))
    note = f"200 units sold within the hour, 104 returned: the {enough}th return is too many"
    return scene.incident("return-spike", times[enough - 1], note)


def _oversold_at(times: Sequence[int], on_hand: int) -> int:
    """Return when orders of one unit each, at these times, leave no more than sells before a pause takes effect."""
    seconds = [at_ms // 1000 for at_ms in times]
    for sold, (at_ms, now) in enumerate(zip(times, seconds, strict=True), 1):
        counts = [
            (sum(last - width < second <= last for second in seconds[:sold]), width)
            for width in (3, 60)
            for last in (now, now - 1)
        ]
        level = max(math.ceil(count * _REACTION_S / width) for count, width in counts)
        if on_hand - sold <= level:
            return at_ms
    raise ValueError("these orders leave more than sells before a pause")


def _spikes(units: int, sold: int) -> bool:
    """Tell whether so many units returned, of a product first sold within the hour, are a return spike."""
    bound = units * (1 - 1 / (9 * units) - _Z / (3 * math.sqrt(units))) ** 3
    return units / sold >= _RISE_AND_PRIOR and bound > _PRIOR_RATE * sold
