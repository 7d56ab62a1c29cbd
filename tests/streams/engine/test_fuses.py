"""Fuses, timers, overrides, commands and rule sets.

::

    open ── 30 m ──▶ probation ── 30 m ──▶ closed            recovery = "auto"
    open again within 24 h ── 60 m ──▶ probation             doubled for each earlier opening, at most 8 h
"""

import pytest

from tests.streams.driver import Driver, ms, rules

SURGE = {"id": "surge", "kind": "complaint_surge", "more_than": 0}
AUTO = SURGE | {"recovery": "auto"}


def test_an_automatic_fuse_recovers_by_probation() -> None:
    driver = Driver(rules(AUTO))
    driver.complain("12:00:00")
    driver.tick("12:29:59.999")
    assert driver.story == ["fuse.opened surge"]
    (probation,) = driver.tick("12:30:00")
    assert (probation["actor"], probation["occurred_at"]) == ("timer", "2026-11-11T12:30:00.000Z")
    (closed,) = driver.tick("23:00:00")
    assert closed["occurred_at"] == "2026-11-11T13:00:00.000Z"
    assert closed["paused"]["product"] is False


def test_the_cooldown_doubles_for_each_opening_of_the_day_up_to_eight_hours() -> None:
    driver = Driver(rules(AUTO | {"cooldown": "3h"}))
    waits = []
    at = ms("2026-11-11T00:00:00Z")
    for number in range(4):
        driver.complain(at, f"x{number}")
        state = driver.partition._peek("p1")  # noqa: SLF001 (the timer itself)
        assert state is not None
        due = state.due
        assert due is not None
        waits.append((due - at) // 3_600_000)
        driver.tick(due)
        at = due + 1
    assert waits == [3, 6, 8, 8]


def test_a_signal_fires_the_timers_due_before_it_first() -> None:
    driver = Driver(rules(AUTO))
    driver.complain("12:00:00")
    driver.order("15:00:00")
    assert driver.story == ["fuse.opened surge", "fuse.probation surge", "fuse.closed surge"]
    assert [event["occurred_at"][11:16] for event in driver.events] == ["12:00", "12:30", "13:00"]


def test_a_timer_due_at_the_time_of_a_signal_fires_after_it() -> None:
    driver = Driver(rules(AUTO | {"more_than": 0, "probation_factor": 1}))
    driver.complain("12:00:00")
    driver.tick("12:30:00")
    driver.complain("13:00:00")
    assert driver.story == ["fuse.opened surge", "fuse.probation surge", "fuse.opened surge"]


def test_sequence_and_event_ids_have_no_gap() -> None:
    driver = Driver(rules(AUTO))
    driver.complain("12:00:00")
    driver.tick("14:00:00")
    driver.command("14:01:00", "release")
    assert [event["sequence"] for event in driver.events] == [1, 2, 3, 4]
    assert len({event["event_id"] for event in driver.events}) == 4


def test_an_operator_may_overrule_a_fuse_until_an_hour_has_passed() -> None:
    driver = Driver(rules(SURGE))
    driver.complain("12:00:00")
    (allowed,) = driver.command("12:01:00", "allow", until="13:01:00")
    assert (allowed["type"], allowed["actor"], allowed["paused"]["product"]) == ("override.set", "operator:ann", False)
    (cleared,) = driver.tick("13:01:00")
    assert (cleared["type"], cleared["actor"], cleared["paused"]["product"]) == ("override.cleared", "timer", True)


def test_an_operator_pauses_what_no_fuse_pauses() -> None:
    driver = Driver(rules(SURGE))
    (paused,) = driver.command("12:00:00", "pause")
    assert paused["paused"]["product"] is True
    assert (paused["rule"], paused["from"], paused["epoch"], paused["severity"]) == (None, None, None, None)
    (released,) = driver.command("12:01:00", "release")
    assert released["paused"]["product"] is False


@pytest.mark.parametrize(
    ("action", "more", "rejected"),
    [
        ("resume", {}, "nothing_open"),
        ("acknowledge", {}, "nothing_open"),
        ("release", {}, "nothing_to_release"),
        ("allow", {}, "expiry_missing"),
        ("allow", {"until": "2026-11-12T12:00:00.001Z"}, "expiry_too_far"),
        ("pause", {"until": "12:00:00"}, "expired"),
        ("pause", {"expected_sequence": 7}, "conflict"),
    ],
)
def test_a_command_that_does_not_fit_changes_nothing_and_says_so(
    action: str, more: dict[str, object], rejected: str
) -> None:
    driver = Driver(rules(SURGE))
    (event,) = driver.command("12:00:00", action, **more)
    assert event["type"] == "command.rejected"
    assert event["cause"]["rejected"] == rejected
    assert event["paused"] == {"product": False, "skus": []}


def test_a_command_counts_once() -> None:
    driver = Driver(rules(SURGE))
    driver.command("12:00:00", "pause", command_id="k")
    assert driver.command("12:00:01", "pause", command_id="k") == []


def test_a_fuse_is_acknowledged_once_for_each_opening() -> None:
    driver = Driver(rules(SURGE))
    driver.complain("12:00:00")
    driver.command("12:00:01", "acknowledge")
    (again,) = driver.command("12:00:02", "acknowledge")
    assert again["cause"]["rejected"] == "already_acknowledged"
    assert driver.story == ["fuse.opened surge", "fuse.acknowledged surge", "command.rejected"]


def test_a_new_rule_set_keeps_fuses_and_closes_those_whose_rule_is_gone() -> None:
    driver = Driver(rules(SURGE, AUTO | {"id": "other"}))
    driver.complain("12:00:00")
    driver.take(rules(SURGE, version=1, issued_at="12:10:00"))
    assert driver.story == ["fuse.opened other", "fuse.opened surge", "fuse.closed other"]
    closed = driver.events[-1]
    assert (closed["actor"], closed["rule_version"], closed["cause"]) == ("rules", 1, {"rules_version": 1})
    assert closed["paused"]["product"] is True


def test_an_older_rule_set_is_ignored() -> None:
    driver = Driver(rules(SURGE, version=3))
    driver.complain("12:00:00")
    assert driver.take(rules(version=3, issued_at="12:10:00")) == []


def test_everything_survives_a_restart() -> None:
    driver = Driver(rules(AUTO))
    driver.complain("12:00:00", room="r1")
    driver.command("12:01:00", "pause", until="12:20:00")
    driver.restart()
    driver.tick("14:00:00")
    assert driver.story == [
        "fuse.opened surge", "override.set", "override.cleared", "fuse.probation surge", "fuse.closed surge",
    ]  # fmt: skip
    assert [event["sequence"] for event in driver.events] == [1, 2, 3, 4, 5]
    assert driver.events[-1]["room_id"] == "r1"
