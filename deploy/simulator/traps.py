"""Traps: each looks like an incident to a rule that is built carelessly, and must open no fuse."""

from typing import Final

from deploy.simulator.incidents import EVERYDAY
from deploy.simulator.scene import PLENTY, Episode, Scene

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS


def fiftieth_complaint(scene: Scene) -> Episode:
    """Fifty complaints, and a 51st an hour after the first to the millisecond, where the sale lasts that long."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    times = scene.times(50)
    for at_ms in times:
        scene.complain(at_ms, scene.rng.choice(EVERYDAY))
    last_ms = times[0] + _HOUR_MS
    note = "50 complaints within the hour"
    if scene.slot.sale_ends_ms is None or last_ms < scene.slot.sale_ends_ms:
        scene.complain(last_ms, "quality")
        note += ", the 51st exactly an hour after the first"
    return scene.trap("complaint-surge", note)


def five_critical(scene: Scene) -> Episode:
    """Five reports of an allergy: one less than counts, with other complaints between them."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for at_ms in scene.times(5):
        scene.complain(at_ms, "allergy")
    for at_ms in scene.times(10):
        scene.complain(at_ms, scene.rng.choice(EVERYDAY))
    return scene.trap("critical-complaints", "5 reports of an allergy among 15 complaints")


def whale_order(scene: Scene) -> Episode:
    """One order of a quarter of the stock, cancelled eight seconds later."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for at_ms in scene.times(60):
        scene.buy(at_ms)
    scene.buy_and_cancel(scene.at(0.5), scene.at(0.5) + 8_000, PLENTY // 4)
    return scene.trap("oversell", "an order of 5,000 of a stock of 20,000, cancelled 8 s later")


def stock_feed_glitch(scene: Scene) -> Episode:
    """Report a stock level of nothing that is older than the one in force."""
    on_hand = 800
    scene.stock(scene.slot.opens_ms, on_hand)
    times = scene.times(100)
    for at_ms in times:
        scene.buy(at_ms)
    counted_ms = scene.at(0.5) // 1000 * 1000
    scene.stock(counted_ms, on_hand - sum(at_ms < counted_ms for at_ms in times))
    scene.report_late(counted_ms - 4 * _MINUTE_MS, 0, scene.at(0.6))
    return scene.trap("oversell", "a stock level of 0 arrives that is older than the one in force")


def repeated_orders(scene: Scene) -> Episode:
    """Each of 480 orders sent twice: 960 of a stock of 1,000, if the repeats counted."""
    scene.stock(scene.slot.opens_ms, 1_000)
    for at_ms in scene.times(480):
        scene.repeat(scene.buy(at_ms))
    return scene.trap("oversell", "480 orders of a stock of 1,000, each sent twice")


def repeated_complaints(scene: Scene) -> Episode:
    """Forty complaints, most of them sent twice and some three times: 75 records."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for number, at_ms in enumerate(scene.times(40)):
        message = scene.complain(at_ms, scene.rng.choice(EVERYDAY))
        for _ in range((2, 1, 1, 1, 1, 1, 0, 0)[number % 8]):
            scene.repeat(message)
    return scene.trap("complaint-surge", "40 complaints in 75 records")


def repeated_returns(scene: Scene) -> Episode:
    """Eight per cent of the units returned, each return sent three times."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for at_ms in scene.times(300, 0, 0.6):
        scene.buy(at_ms)
    for at_ms in scene.times(24, 0.6, 1):
        message = scene.give_back(at_ms)
        scene.repeat(message)
        scene.repeat(message)
    return scene.trap("return-spike", "300 units sold, 24 returned, each return sent three times")


def late_complaints(scene: Scene) -> Episode:
    """Forty-five complaints now, and twenty that arrive with them but are older than the rule reaches back."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for at_ms in scene.times(45, 0, 0.9):
        scene.complain(at_ms, scene.rng.choice(EVERYDAY))
    for arrives_ms in scene.times(20, 0.9, 1):
        age_ms = scene.rng.randint(80 * _MINUTE_MS, 90 * _MINUTE_MS)
        scene.complain(arrives_ms - age_ms, scene.rng.choice(EVERYDAY), arrives_ms=arrives_ms)
    return scene.trap("complaint-surge", "45 complaints, and 20 more that arrive 80 to 90 minutes late")


def few_sales(scene: Scene) -> Episode:
    """Ten of twenty-five returned: too few sold to say anything."""
    scene.stock(scene.slot.opens_ms, PLENTY)
    for at_ms in scene.times(25, 0, 0.5):
        scene.buy(at_ms)
    for at_ms in scene.times(10, 0.5, 1):
        scene.give_back(at_ms)
    return scene.trap("return-spike", "25 units sold, 10 returned: too few to judge")


def returns_after_show(scene: Scene) -> Episode:
    """Eight per cent returned in an hour in which nothing sells: measured against the best hour, nothing unusual.

    All is sold within one hour of the clock, and the returns begin when that hour has become history.
    """
    scene.stock(scene.slot.opens_ms, PLENTY)
    times = scene.times(1_000)
    if times[0] // _HOUR_MS != times[-1] // _HOUR_MS:
        shift_ms = times[-1] // _HOUR_MS * _HOUR_MS - times[0]
        times = [at_ms + shift_ms for at_ms in times]
    for at_ms in times:
        scene.buy(at_ms)
    begin_ms = (times[-1] // _HOUR_MS + 2) * _HOUR_MS + _MINUTE_MS
    for number in range(80):
        scene.give_back(begin_ms + number * 15_000 + scene.rng.randint(0, 10_000))
    return scene.trap("return-spike", "1,000 units sold in the show, 80 returned in a later hour without orders")
