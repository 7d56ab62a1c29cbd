"""Attempts to sign in, and lines of the audit that come in floods."""

from typing import Any

from alerts.console.audit import line
from alerts.console.flood import FIRST, Flood
from alerts.console.limiter import Limiter
from schemas.audit import AuditEntry

NOON = 1_762_862_400.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def refused(**facts: Any) -> AuditEntry:
    return line("refused", None, "10.0.0.1", int(NOON * 1000), outcome="csrf", **facts)


def test_five_a_minute_and_then_as_the_window_slides() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    for _ in range(5):
        assert limiter.begin("mei", "10.0.0.1") is None
        clock.now += 10
    assert limiter.begin("mei", "10.0.0.1") == 10
    clock.now += 10
    assert limiter.begin("mei", "10.0.0.1") is None
    assert limiter.begin("mei", "10.0.0.1") == 10


def test_twenty_in_a_quarter_of_an_hour() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    for _ in range(20):
        assert limiter.begin("mei", "10.0.0.1") is None
        clock.now += 13
    assert limiter.begin("mei", "10.0.0.1") == 900 - 20 * 13


def test_nobody_is_kept_out_by_another_address_nor_by_another_name() -> None:
    limiter = Limiter(Clock())
    for _ in range(5):
        limiter.begin("mei", "10.0.0.1")
    assert limiter.begin("mei", "10.0.0.2") is None
    assert limiter.begin("bo", "10.0.0.1") is None


def test_an_address_that_tries_many_names_is_kept_out() -> None:
    limiter = Limiter(Clock())
    assert [limiter.begin(f"user{each}", "10.0.0.1") for each in range(30)] == [None] * 30
    assert limiter.begin("mei", "10.0.0.1") == 60
    assert limiter.begin("mei", "10.0.0.2") is None


def test_all_addresses_of_one_customer_are_one() -> None:
    limiter = Limiter(Clock())
    for each in range(5):
        assert limiter.begin("mei", f"2001:db8:1:2::{each}") is None
    assert limiter.begin("mei", "2001:db8:1:2:ffff::1") is not None
    assert limiter.begin("mei", "2001:db8:1:3::1") is None


def test_who_signs_in_begins_anew() -> None:
    limiter = Limiter(Clock())
    for _ in range(60):
        assert limiter.begin("mei", "10.0.0.1") is None
        limiter.succeeded("mei", "10.0.0.1")


def test_of_a_flood_the_first_are_written_and_then_one_a_minute() -> None:
    clock = Clock()
    flood = Flood(clock)
    assert [flood.admits(("csrf", "10.0.0.1"), refused()) for _ in range(100)] == [True] * FIRST + [False] * 95
    assert flood.admits(("csrf", "10.0.0.2"), refused())
    assert flood.due() == []
    clock.now += 60
    (folded,) = flood.due()
    assert (folded.what, folded.detail) == ("refused", "95 more like this")
    assert [flood.admits(("csrf", "10.0.0.1"), refused()) for _ in range(3)] == [False] * 3
    clock.now += 60
    (folded,) = flood.due()
    assert folded.detail == "3 more like this"
    clock.now += 60
    assert flood.due() == []
    assert flood.admits(("csrf", "10.0.0.1"), refused())


def test_a_flood_from_everywhere_is_one_flood() -> None:
    flood = Flood(Clock())
    admitted = sum(flood.admits(("csrf", str(each)), refused()) for each in range(20_000))
    assert admitted == 5_000 + FIRST
