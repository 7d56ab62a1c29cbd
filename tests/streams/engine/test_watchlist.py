"""The watch list is the same whether the products that have changed stayed decoded or not."""

from random import Random

import pytest

from streams.engine import watchlist
from streams.engine.partition import Partition
from streams.engine.signals import COMPLAINT, ORDER, RETURN, RULES, STOCK, Signal
from streams.engine.watchlist import EVERY_MS
from tests.streams.driver import SOURCE, Driver, ms, rules

START = ms("12:00:00")
PRODUCTS = 400
SURGE = {"id": "surge", "kind": "complaint_surge", "more_than": 6}
OVERSELL = {"id": "oversell", "kind": "oversell"}
SPIKE = {"id": "spike", "kind": "return_spike", "min_returns": 1, "min_units": 1}


def signal(chance: Random, number: int, time: int) -> Signal:
    kind = chance.choice((ORDER, ORDER, ORDER, STOCK, COMPLAINT, RETURN))
    head = [kind, 0, number * 256, time, f"p{int(chance.random() ** 2 * PRODUCTS)}"]
    if kind == ORDER:
        return [*head, 1, f"o{number}", None, chance.randrange(1, 4), None, None, None]
    if kind == STOCK:
        return [*head, None, chance.choice((5, 20, 50_000)), 0, None, None, None]
    return [*head, f"c{number}", "other", None] if kind == COMPLAINT else [*head, f"r{number}", 1, None, None, None]


@pytest.mark.parametrize("seed", range(3))
def test_products_that_were_let_go_are_listed_as_those_that_stayed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Few, so that it matters which they are. (Compiled, it stays as it is.)
    monkeypatch.setattr(watchlist, "_CANDIDATES", 20)
    chance, time = Random(seed), START
    first = rules(SURGE, OVERSELL, SPIKE, version=1, issued_at=START)
    stay, go = Partition(0, first), Partition(0, first)
    go.hot_products = 1
    lists = []
    for number in range(1_200):
        time += chance.choice((0, 10, 200))
        fact = signal(chance, number, time)
        if number in {400, 800}:
            changed = rules(SURGE | {"more_than": number // 40}, SPIKE, version=number, issued_at=time)
            fact = [RULES, 0, number * 256, time, "", changed.model_dump(mode="json")]
        for partition in (stay, go):
            partition.apply([SOURCE], [fact])
        if chance.random() < 0.05:
            assert stay.take_dirty() == go.take_dirty()
            kept, decoded_again = stay.watchlist(), go.watchlist()
            assert kept == decoded_again
            lists.append(kept)
    listed = [each for each in lists if each is not None]
    assert len(listed) > (time - START) / EVERY_MS / 2
    assert len({rule for rule in (b'"surge"', b'"oversell"', b'"spike"') if any(rule in each for each in listed)}) == 3


def test_what_was_nearest_under_older_rules_keeps_no_other_product_from_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchlist, "_CANDIDATES", 1)
    driver = Driver(rules(SURGE, OVERSELL, version=1), product="nearly sold out")
    driver.partition.hot_products = 1
    driver.stock("12:00:00", 4)
    driver.order("12:00:01")
    driver.product = "complained about"
    driver.complain("12:00:02")
    driver.product = "hot"
    driver.order("12:00:03")
    driver.partition.take_dirty()
    driver.take(rules(SURGE, version=2, issued_at="12:00:04"))
    assert b"complained about" in (driver.partition.watchlist() or b"")


def test_a_successor_lists_what_was_near_before_though_nobody_touches_it() -> None:
    driver = Driver(rules(SURGE, version=1), product="complained about")
    assert driver.partition.watchlist() is None
    driver.complain("12:00:02")
    assert b"complained about" in (driver.partition.watchlist() or b"")
    driver.restart()
    driver.tick("12:00:10")
    assert b"complained about" in (driver.partition.watchlist() or b"")


def test_a_successor_says_that_nothing_is_near_any_more() -> None:
    driver = Driver(rules(SURGE, version=1), product="complained about")
    driver.complain("12:00:02")
    assert driver.partition.watchlist() is not None
    driver.restart()
    driver.take(rules(version=2, issued_at="12:00:04"))
    driver.tick("12:00:10")
    assert b'"products":[]' in (driver.partition.watchlist() or b"")
    driver.tick("12:00:20")
    assert driver.partition.watchlist() is None
