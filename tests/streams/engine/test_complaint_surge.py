"""The 51st complaint within any rolling hour.

::

    11:00:00.000        12:00:00.000
    |c1 ........ c50    |            50 within the hour: quiet
    |c1 ........ c50   c51           11:59:59.999: 51 within less than an hour: trip
    |c1 ........ c50    |c51         12:00:00.000: c1 is exactly an hour away: quiet
"""

import pytest

from tests.streams.driver import Driver, rules

SURGE = {"id": "surge", "kind": "complaint_surge", "more_than": 3, "window": "60m", "lateness": "15m"}


def test_the_51st_trips_and_the_50th_does_not() -> None:
    driver = Driver()
    for second in range(50):
        assert driver.complain(f"11:00:{second:02}") == []
    (event,) = driver.complain("11:59:59.999")
    assert (event["type"], event["rule"], event["paused"]) == (
        "fuse.opened", "complaint-surge", {"product": True, "skus": []},
    )  # fmt: skip
    assert event["cause"]["measured"] == 51
    assert event["cause"]["limit"] == 50
    assert event["cause"]["window_s"] == 3600
    assert len(event["cause"]["evidence"]) == 51


@pytest.mark.parametrize(("last", "trips"), [("11:59:59.999", True), ("12:00:00.000", False)])
def test_the_window_is_open_at_one_end(last: str, trips: bool) -> None:  # noqa: FBT001 (a table of cases)
    driver = Driver(rules(SURGE))
    for at in ("11:00:00", "11:20:00", "11:40:00", last):
        driver.complain(at)
    assert bool(driver.events) is trips


def test_a_late_complaint_completes_a_window_of_the_past() -> None:
    driver = Driver(rules(SURGE))
    for at in ("11:00:00", "11:10:00", "11:20:00"):
        driver.complain(at)
    driver.order("12:14:00")
    (event,) = driver.complain("11:05:00", "late")
    assert event["occurred_at"] == "2026-11-11T12:14:00.000Z"
    assert event["cause"]["evidence"] == ["c0", "late", "c1", "c2"]


def test_a_complaint_beyond_window_and_lateness_is_ignored_and_counted() -> None:
    driver = Driver(rules(SURGE))
    for at in ("11:00:00", "11:10:00", "11:20:00"):
        driver.complain(at)
    driver.order("12:20:00.001")
    assert driver.complain("11:05:00") == []
    assert sum(driver.partition.counts.late) == 1


def test_a_repeat_counts_once() -> None:
    driver = Driver(rules(SURGE))
    for _ in range(10):
        driver.complain("11:00:00", "same")
    assert driver.events == []


def test_only_the_named_categories_count() -> None:
    driver = Driver(rules(SURGE | {"categories": ["allergy"]}))
    for second in range(9):
        driver.complain(f"11:00:0{second}", category="quality")
    assert driver.events == []
    for second in range(4):
        driver.complain(f"11:01:0{second}", category="allergy")
    assert driver.story == ["fuse.opened surge"]


def test_in_probation_half_the_limit_trips_and_old_complaints_do_not_count() -> None:
    driver = Driver(rules(SURGE))
    for second in range(4):
        driver.complain(f"11:00:0{second}")
    driver.command("11:05:00", "resume")
    driver.complain("11:06:00")
    (event,) = driver.complain("11:06:01")
    assert (event["from"], event["to"], event["cause"]["limit"], event["cause"]["measured"]) == (
        "probation", "open", 1, 2,
    )  # fmt: skip


def test_a_product_category_has_its_own_limit() -> None:
    driver = Driver(rules(SURGE | {"override": [{"category": "food", "more_than": 1}]}))
    driver.order("10:59:00", category="food")
    driver.complain("11:00:00")
    driver.complain("11:00:01")
    assert driver.story == ["fuse.opened surge"]
