"""The returns of this hour against the best hour of sales and the worst hour of returns of a week."""

import pytest

from streams.engine.return_spike import ReturnSpike
from tests.streams.driver import Driver, ms, rules

SPIKE = {"id": "spike", "kind": "return_spike"}
HOUR = 3_600_000


def test_returns_that_rise_by_ten_points_trip() -> None:
    driver = Driver(rules(SPIKE))
    driver.order("10:00:00", 100)
    # b = 0.1 × 100 / (100 + 100) = 0.05, so 15 of 100 would be a rise of 10 points; Byar's bound of R must exceed 5.
    for minute in range(13):
        assert driver.returned(f"12:{minute:02}:00") == []
    driver.returned("12:30:00")
    (event,) = driver.returned("12:31:00")
    assert event["type"] == "fuse.opened"
    cause = event["cause"]
    assert (cause["measured"], cause["b"], cause["limit"], cause["R"], cause["N"], cause["k"]) == (
        0.15, 0.05, 0.15, 15, 100, 15,
    )  # fmt: skip


def test_returns_after_a_show_are_measured_against_its_best_hour() -> None:
    driver = Driver(rules(SPIKE))
    driver.order("10:00:00", 10_000)
    for minute in range(59):
        driver.returned(f"12:{minute:02}:00", 10)
    assert driver.events == []


def test_the_worst_hour_of_the_history_counts() -> None:
    driver = Driver(rules(SPIKE))
    driver.order("08:00:00", 100)
    driver.returned("09:10:00", 14)
    # b = 14 / 100. 24 of 100 are ten points more, but Byar's bound exceeds 14 only from 27 on.
    for minute in range(26):
        driver.returned(f"12:{minute:02}:00")
    assert driver.events == []
    (event,) = driver.returned("12:26:00")
    assert (event["cause"]["measured"], event["cause"]["b"]) == (0.27, 0.14)


@pytest.mark.parametrize(("returns", "units"), [(4, 50), (14, 29)])
def test_too_few_returns_or_units_say_nothing(returns: int, units: int) -> None:
    driver = Driver(rules(SPIKE))
    driver.order("10:00:00", units)
    for minute in range(returns):
        driver.returned(f"12:{minute:02}:00", 5 if returns == 4 else 1)
    assert driver.events == []


def test_after_a_close_only_later_returns_count() -> None:
    driver = Driver(rules(SPIKE))
    driver.order("10:00:00", 100)
    for minute in range(20):
        driver.returned(f"12:{minute:02}:00")
    driver.command("12:20:00", "resume")
    driver.tick("12:50:00")
    assert driver.story == ["fuse.opened spike", "fuse.probation spike", "fuse.closed spike"]
    for second in range(14):
        driver.returned(f"12:51:{second:02}")
    assert len(driver.story) == 3


def test_evidence_of_two_weeks_is_kept_and_survives_a_restart() -> None:
    driver = Driver(rules(SPIKE))
    start = ms("12:00:00")
    for day in range(20):
        for hour in range(3):
            driver.order(start + day * 24 * HOUR + hour * HOUR, 100)
            driver.returned(start + day * 24 * HOUR + hour * HOUR + 60_000, 5)
    driver.restart()
    state = driver.partition._peek("p1")  # noqa: SLF001 (what a restart must keep)
    assert state is not None
    _, evidence = state.evidence["spike"]
    assert isinstance(evidence, ReturnSpike)
    # Twice the history of 168 hours, less one, and the hour of the window.
    assert len(evidence.periods) == 14 * 3 + 1
    assert driver.events == []
