"""Stock that sells faster than a pause takes effect.

::

    second       0    1    2    3
    sold        83   83   83    2      the whole seconds 0 to 2: 83 a second, level = 83 × 3 = 249
    left  500  417  334  251  249      trip
"""

from tests.streams.driver import Driver, rules

OVERSELL = {"id": "oversell", "kind": "oversell"}


def test_an_opening_rush_is_seen_after_three_seconds_with_249_left() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:59:59", 500)
    for second in range(3):
        driver.order(f"12:00:0{second}", 83)
    assert driver.events == []
    driver.order("12:00:03", 1)
    assert driver.events == []
    (event,) = [e for e in driver.order("12:00:03", 1) if e.get("type")]
    assert (event["type"], event["sku_id"], event["cause"]["measured"]) == ("fuse.opened", None, 249)
    assert (event["cause"]["limit"], event["cause"]["rate"], event["cause"]["on_hand"]) == (249, 83.0, 500)
    assert event["paused"] == {"product": True, "skus": []}


def test_selling_out_slowly_trips_at_the_last_unit() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:00", 3)
    driver.order("11:10:00")
    assert driver.events == []
    # One unit within 3 s may be followed by another one before the pause takes effect: level 1.
    (event,) = driver.order("11:20:00")
    assert (event["cause"]["measured"], event["cause"]["limit"]) == (1, 1)


def test_no_order_no_trip() -> None:
    driver = Driver(rules(OVERSELL))
    assert driver.stock("11:00:00", 0) == []


def test_a_stock_level_that_arrives_late_still_subtracts_what_was_ordered_after_it() -> None:
    driver = Driver(rules(OVERSELL))
    driver.order("11:00:10", 30)
    driver.order("11:05:00", 30)
    (event,) = [e for e in driver.stock("11:00:00", 60) if e.get("type")]
    assert event["cause"]["measured"] == 0


def test_an_older_stock_level_is_ignored() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:10", 10_000)
    driver.order("11:00:11")
    assert driver.stock("11:00:09", 0) == []
    assert sum(driver.partition.counts.late) == 1


def test_new_stock_closes_and_a_little_does_not() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:00", 1)
    driver.order("11:00:01")
    driver.stock("11:00:02", 10)
    assert driver.story == ["fuse.opened oversell"]
    (event,) = [e for e in driver.stock("11:00:03", 1_000) if e.get("type")]
    assert (event["type"], event["actor"], event["paused"]["product"]) == ("fuse.closed", "rule", False)


def test_a_cancelled_whale_closes() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:00", 10_000)
    driver.order("11:00:01", 10_000, "whale")
    driver.order("11:00:30", 10_000, "whale", cancelled=True)
    driver.stock("11:02:00", 10_000)
    assert driver.story[0] == "fuse.opened oversell"
    driver.stock("11:03:00", 60_000)
    assert driver.story[-1] == "fuse.closed oversell"


def test_the_product_pauses_when_every_stocked_sku_is_out() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:00", 1, sku="red")
    driver.stock("11:00:00", 1, sku="blue")
    (first,) = [e for e in driver.order("11:00:01", sku="red") if e.get("type")]
    assert first["paused"] == {"product": False, "skus": ["red"]}
    (second,) = [e for e in driver.order("11:00:02", sku="blue") if e.get("type")]
    assert second["paused"] == {"product": True, "skus": ["blue", "red"]}


def test_a_replenishment_request_comes_once_for_each_crossing() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:00", 105, safety=100)
    driver.order("11:00:10", 6)
    driver.order("11:00:20", 1)
    (request,) = driver.requests
    assert (request["available"], request["safety_stock"], request["sku_id"]) == (99, 100, None)
    # 6 units in 60 s, for an hour: 360 - 99.
    assert request["suggested_quantity"] == 360 - 99
    driver.stock("11:01:00", 120, safety=100)
    driver.order("11:02:00", 30)
    assert len(driver.requests) == 1
    driver.stock("11:03:00", 121, safety=100)
    driver.order("11:04:00", 30)
    assert len(driver.requests) == 2


def test_without_a_safety_stock_of_its_own_only_a_hot_sku_asks() -> None:
    driver = Driver(rules(OVERSELL))
    driver.stock("11:00:00", 400)
    driver.order("11:00:10", 49)
    assert driver.requests == []
    driver.order("11:00:20", 1)
    assert [request["available"] for request in driver.requests] == [350]


def test_in_shadow_nothing_is_paused_and_nothing_is_ordered() -> None:
    driver = Driver(rules(OVERSELL | {"mode": "shadow"}))
    driver.stock("11:00:00", 1, safety=100)
    driver.order("11:00:10")
    (event,) = driver.events
    assert event["shadow"] is True
    assert event["paused"] == {"product": False, "skus": []}
    assert driver.requests == []
