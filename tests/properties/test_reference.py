"""The reference itself, held against examples that were worked out by hand."""

from typing import Any

import pytest

from tests.properties.reference_fuses import rfc3339
from tests.properties.shop import Shop, at_ms

SURGE: dict[str, Any] = {"id": "surge", "kind": "complaint_surge"}
SPIKE: dict[str, Any] = {"id": "spike", "kind": "return_spike", "history": 2}
STOCK: dict[str, Any] = {"id": "stock", "kind": "oversell"}
SMALL: dict[str, Any] = SURGE | {"more_than": 2, "window": "10s", "lateness": "5s"}
HOUR = 3600


class TestComplaintSurge:
    def test_the_51st_complaint_trips_and_the_50th_does_not(self) -> None:
        shop = Shop(SURGE)
        for number in range(50):
            shop.complain(number, f"c{number}")
        assert shop.events == []
        shop.complain(50, "c50")
        assert shop.told() == [(50, "fuse.opened")]
        assert shop.events[0]["cause"] == {
            "measured": 51,
            "limit": 50,
            "window_s": 3600,
            "evidence": [f"c{number}" for number in range(51)],
        }
        assert shop.events[0]["paused"] == {"product": True, "skus": []}

    @pytest.mark.parametrize(("apart", "trips"), [(10, False), (9.999, True)])
    def test_complaints_that_are_a_whole_window_apart_do_not_count_together(self, apart: float, *, trips: bool) -> None:
        #  0 s      5 s       10 s: not less than the window apart
        #  c ─────── c ─────── c
        shop = Shop(SMALL)
        for at in (0, 5, apart):
            shop.complain(at)
        assert (shop.events != []) == trips

    @pytest.mark.parametrize(("late", "trips"), [(5, True), (4.999, False)])
    def test_a_late_complaint_completes_a_past_window_within_the_reach(self, late: float, *, trips: bool) -> None:
        #  5 s 6 s           20 s
        #  ▲ c c c            c   the clock; its reach is window + lateness = 15 s, back to 5 s
        shop = Shop(SMALL)
        for at in (6, 7, 20, late):
            shop.complain(at)
        assert [what for what in shop.told() if trips] == ([(20, "fuse.opened")] if trips else [])
        assert len(shop.events) == trips

    def test_evidence_is_of_the_earliest_of_the_fullest_windows_in_order_of_time(self) -> None:
        #  0   2      9      11   all but 0 and 11 lie together; 9 came last
        shop = Shop(SMALL)
        for at, name in ((0, "a"), (11, "d"), (2, "b")):
            shop.complain(at, name)
        assert shop.events == []
        shop.complain(9, "c")
        assert shop.events[0]["cause"]["evidence"] == ["a", "b", "c"]

    def test_a_product_in_probation_trips_at_the_factor_of_the_limit_and_only_by_what_came_after_the_mark(self) -> None:
        #  3 trips │ resume at 3: mark │ 2 is more than floor(2 × 0.5) = 1
        shop = Shop(SMALL)
        for at in (0, 1, 2):
            shop.complain(at)
        shop.command(3, "resume")
        shop.complain(3)
        shop.complain(4)
        assert [what for _, what in shop.told()] == ["fuse.opened", "fuse.probation"]
        shop.complain(5)
        assert shop.events[-1]["from"] == "probation"
        assert (shop.events[-1]["cause"]["measured"], shop.events[-1]["cause"]["limit"]) == (2, 1)
        assert shop.events[-1]["epoch"] == 2

    def test_only_the_newest_complaints_are_kept(self) -> None:
        shop = Shop(SURGE | {"more_than": 63}, SURGE | {"id": "wide", "more_than": 200})
        for number in range(257):
            shop.complain(10 + number / 1000)
        kept = {rule: len(evidence.kept) for rule, evidence in _evidence(shop).items()}
        assert kept == {"surge": 256, "wide": 257}
        shop.complain(9)
        assert shop.reference.hits["complaint_surge.cut"] == 1


def _evidence(shop: Shop) -> dict[str, Any]:
    return dict(shop.reference.products["p"].evidence)


class TestReturnSpike:
    def test_the_worked_example(self) -> None:
        #  12:00 ─ 100 units sold ─ 13:00 ──────────── 14:00 ── 14:30: window 13:31 to 14:30, history 11:00 to 13:00
        #  N = 100, b = 0.1 × 100 / (100 + 100) = 0.05, so 15 units are exactly 0.10 more; Byar's bound of 15 is 5.9 > 5
        shop = Shop(SPIKE)
        for number in range(10):
            shop.order(60 * number, 10)
        for number in range(4):
            shop.give_back(2.5 * HOUR + number, 3)
        shop.give_back(2.5 * HOUR + 4, 2)
        assert shop.events == []
        shop.give_back(2.5 * HOUR + 5, 1)
        assert shop.events[0]["cause"] == {
            "measured": 0.15,
            "limit": 0.15,
            "window_s": 3600,
            "b": 0.05,
            "R": 15,
            "N": 100,
            "k": 6,
            "evidence": ["t10", "t11", "t12", "t13", "t14", "t15"],
        }

    def test_four_returns_are_too_few(self) -> None:
        shop = Shop(SPIKE)
        shop.order(0, 100)
        for number in range(4):
            shop.give_back(2.5 * HOUR + number, 20)
        assert shop.events == []
        shop.give_back(2.5 * HOUR + 5, 1)
        assert shop.events[0]["cause"]["R"] == 81

    def test_what_an_earlier_hour_returned_is_no_alarm(self) -> None:
        #  12:00 100 sold │ 13:00 20 of 100 back: b = 0.2 │ 15:06 25 of 100 back: 0.05 more, 30: 0.1 more
        shop = Shop(SPIKE | {"z": 0.0, "min_returns": 2})
        shop.order(0, 100)
        shop.give_back(1.5 * HOUR, 20)
        shop.give_back(3.1 * HOUR, 24)
        shop.give_back(3.1 * HOUR, 1)
        assert shop.events == []
        shop.give_back(3.1 * HOUR, 5)
        assert shop.events[0]["cause"] == {
            "measured": 0.3,
            "limit": 0.3,
            "window_s": 3600,
            "b": 0.2,
            "R": 30,
            "N": 100,
            "k": 3,
            "evidence": ["t2", "t3", "t4"],
        }

    def test_orders_out_of_reach_are_ignored(self) -> None:
        #  the clock is 14:59:59.999: window from 14:00, history 13 and 12 o'clock, orders from 11:00 on
        shop = Shop(SPIKE)
        shop.order(3 * HOUR - 0.001)
        shop.order(-HOUR - 0.001)
        assert shop.reference.hits["return_spike.late"] == 1
        shop.order(-HOUR)
        assert shop.reference.hits["return_spike.late"] == 1


class TestOversell:
    def test_an_opening_rush_is_seen_after_3_seconds(self) -> None:
        #  83 a second on 500: after 3 s the level is 83 × 3 = 249; the 251st order leaves just that
        shop = Shop(STOCK)
        shop.stock(0, 500)
        for number in range(251):
            assert shop.events == []
            shop.order(number // 83 + (number % 83) / 100, order=f"o{number}")
        assert shop.told() == [(3.01, "fuse.opened")]
        assert shop.events[0]["cause"] == {
            "measured": 249,
            "limit": 249,
            "level": 249,
            "rate": 83.0,
            "on_hand": 500,
            "as_of": rfc3339(at_ms(0)),
            "evidence": ["o250"],
        }

    def test_orders_of_the_second_of_a_stock_level_count_as_after_it(self) -> None:
        #   8.999 │ 9.000 ... stock as of 9.900 ...
        shop = Shop(STOCK | {"reaction_time": "0s"})
        shop.order(8.999, 5)
        shop.order(9, 3)
        shop.stock(9.9, 10)
        shop.order(10, 6)
        assert shop.events == []
        shop.cancel(10, 1)
        shop.order(10, 2)
        assert shop.events[0]["cause"]["measured"] == 0

    def test_a_stock_level_that_arrives_late_still_has_later_orders_subtracted(self) -> None:
        shop = Shop(STOCK | {"reaction_time": "0s", "history": "60s"})
        shop.order(0, 7)
        shop.order(60, 1)
        shop.stock(-0.001, 8)
        assert shop.events == []
        shop.stock(0, 8)
        assert shop.events[0]["cause"]["measured"] == 0

    def test_it_closes_on_evidence_above_twice_its_level(self) -> None:
        #  level 4 at the opening: above max(3, 8) it closes, on a stock level or a cancellation, never on an order
        shop = Shop(STOCK | {"floor": 4, "resume_above": 3, "reaction_time": "0s"})
        shop.stock(0, 10)
        shop.order(0, 6)
        shop.stock(1, 8)
        shop.cancel(1, 1)
        assert [what for _, what in shop.told()] == ["fuse.opened", "fuse.closed"]
        assert shop.events[1]["cause"] == {"measured": 9, "limit": 8, "as_of": rfc3339(at_ms(1))}
        assert shop.events[1]["actor"] == "rule"

    def test_a_product_is_paused_when_all_its_known_skus_are(self) -> None:
        shop = Shop(STOCK | {"reaction_time": "0s"})
        for sku in ("b", "a", None):
            shop.stock(0, 1, sku=sku)
        shop.stock(0, 5, sku=None)
        for sku in ("b", "a"):
            shop.order(0, 1, sku=sku)
        shop.order(0, 5, sku="p")
        assert [(event["sku_id"], event["paused"]) for event in shop.events] == [
            ("b", {"product": False, "skus": ["b"]}),
            ("a", {"product": False, "skus": ["a", "b"]}),
            ("p", {"product": True, "skus": ["a", "b", "p"]}),
        ]

    def test_replenishment_is_asked_for_once_per_crossing(self) -> None:
        #  safety stock 10: armed again above 12
        rule = STOCK | {
            "reaction_time": "0s",
            "safety_stock": 10,
            "hot_units": 5,
            "cover": "60s",
            "rate_windows": ["1s", "4s"],
        }
        shop = Shop(rule)
        shop.stock(0, 15)
        shop.order(0, 4)
        assert shop.requests == []
        shop.order(0, 2)
        shop.order(0, 1)
        assert shop.requests == [
            {
                "request_id": shop.requests[0]["request_id"],
                "product_id": "p",
                "sku_id": None,
                "available": 9,
                "safety_stock": 10,
                "rate_per_second": 6.0,
                "seconds_left": 1.5,
                "suggested_quantity": 90 - 9,
                "occurred_at": rfc3339(at_ms(0)),
            }
        ]
        shop.stock(1, 12)
        shop.stock(2, 10)
        assert len(shop.requests) == 1
        shop.stock(3, 13)
        shop.stock(4, 10)
        assert len(shop.requests) == 2


class TestFuses:
    def test_the_cooldown_doubles_and_probation_ends_in_closed(self) -> None:
        #  0 open ─ 10 s ─ probation ── trips at 12 ─ 20 s ─ probation at 32 ─ 5 s ─ closed at 37
        shop = Shop(SMALL | {"recovery": "auto", "cooldown": "10s", "probation": "5s"})
        for at in (0, 0, 0, 11, 12, 32):
            shop.complain(at)
        assert shop.told() == [(0, "fuse.opened"), (10, "fuse.probation"), (12, "fuse.opened")]
        shop.tick(31.999)
        assert len(shop.events) == 3
        shop.tick(32)
        shop.tick(100)
        assert shop.told()[3:] == [(32, "fuse.probation"), (37, "fuse.closed")]

    def test_openings_of_the_last_24_hours_count_and_8_hours_are_the_most(self) -> None:
        shop = Shop(SMALL | {"recovery": "auto", "cooldown": "3h", "probation": "1s"})
        opened = []
        for at in (0, 4, 11, 24, 48):
            for number in range(3):
                shop.complain(at * HOUR, f"{at}-{number}")
            opened.append(shop.events[-1]["type"])
            shop.tick((at + 8) * HOUR + 2)
        lasted = [
            later[0] - sooner[0]
            for sooner, later in zip(shop.told(), shop.told()[1:], strict=False)
            if later[1] == "fuse.probation"
        ]
        # At 24 h those of 4 h and 11 h count, the one of 0 h is a whole day old; at 48 h the one of 24 h is.
        assert opened == ["fuse.opened"] * 5
        assert [length / HOUR for length in lasted] == [3, 6, 8, 8, 3]

    def test_a_timer_due_at_the_time_of_a_signal_fires_after_it(self) -> None:
        #  due at 10 s: the complaint of 10 s meets an open fuse, the one of 10.001 s a fuse in probation
        shop = Shop(SMALL | {"recovery": "auto", "cooldown": "10s", "more_than": 0})
        shop.complain(0)
        shop.complain(10)
        assert shop.told() == [(0, "fuse.opened")]
        shop.complain(10.001)
        assert shop.told()[1:] == [(10, "fuse.probation"), (10.001, "fuse.opened")]

    def test_timers_due_together_fire_by_rule_then_the_override(self) -> None:
        rule = SMALL | {"recovery": "auto", "cooldown": "10s", "more_than": 0}
        shop = Shop(rule | {"id": "z"}, rule | {"id": "a"})
        shop.complain(0)
        shop.command(0, "pause", expires_at=at_ms(10))
        shop.tick(10)
        assert [(event["type"], event["rule"]) for event in shop.events[3:]] == [
            ("fuse.probation", "a"),
            ("fuse.probation", "z"),
            ("override.cleared", None),
        ]

    def test_a_shadow_fuse_pauses_nothing(self) -> None:
        shop = Shop(SMALL | {"mode": "shadow", "more_than": 0, "severity": "info"})
        shop.complain(0)
        shop.new_rules(1, 1, SMALL | {"mode": "enforce", "more_than": 0})
        shop.command(2, "acknowledge")
        assert [(event["shadow"], event["severity"], event["rule_version"]) for event in shop.events] == [
            (True, "info", 0),
            (True, "info", 1),
        ]
        assert shop.events[-1]["paused"] == {"product": False, "skus": []}

    def test_a_fuse_closes_when_its_rule_goes(self) -> None:
        shop = Shop(SMALL | {"more_than": 0})
        shop.complain(0)
        shop.new_rules(5, 3)
        assert shop.told() == [(0, "fuse.opened"), (5, "fuse.closed")]
        assert (shop.events[1]["actor"], shop.events[1]["cause"]) == ("rules", {"rules_version": 3})
        shop.new_rules(6, 3, SMALL)
        shop.new_rules(7, 4, SMALL | {"more_than": 0})
        shop.complain(8)
        assert shop.events[2]["epoch"] == 2
        assert shop.events[2]["cause"]["measured"] == 1


class TestCommands:
    @pytest.mark.parametrize(
        ("action", "more", "rejected"),
        [
            ("pause", {"expected_sequence": 7}, "conflict"),
            ("release", {"expires_at": at_ms(5)}, "expired"),
            ("allow", {}, "expiry_missing"),
            ("allow", {"expires_at": at_ms(5) + 24 * HOUR * 1000 + 1}, "expiry_too_far"),
            ("release", {}, "nothing_to_release"),
            ("resume", {"rule": "other"}, "nothing_open"),
            ("acknowledge", {"sku_id": "s"}, "nothing_open"),
            ("acknowledge", {"sku_id": "p"}, None),
            ("pause", {"expected_sequence": 1}, None),
            ("allow", {"expires_at": at_ms(5) + 24 * HOUR * 1000}, None),
        ],
    )
    def test_a_command_that_does_not_fit_says_so(self, action: str, more: dict[str, Any], rejected: str | None) -> None:
        shop = Shop(SMALL | {"more_than": 0})
        shop.complain(0)
        shop.command(5, action, **more)
        assert (shop.events[-1]["type"] == "command.rejected") == (rejected is not None)
        assert shop.events[-1]["cause"].get("rejected") == rejected
        assert shop.events[-1]["actor"] == "operator:kim"

    def test_a_fuse_is_acknowledged_once_for_each_opening(self) -> None:
        shop = Shop(SMALL | {"more_than": 0})
        shop.complain(0)
        shop.command(1, "acknowledge")
        shop.command(2, "acknowledge")
        shop.command(3, "resume")
        shop.complain(4)
        shop.command(5, "acknowledge")
        assert [event["cause"].get("rejected") or event["type"] for event in shop.events] == [
            "fuse.opened",
            "fuse.acknowledged",
            "already_acknowledged",
            "fuse.probation",
            "fuse.opened",
            "fuse.acknowledged",
        ]

    def test_an_override_beats_every_fuse_until_it_expires(self) -> None:
        #  0 open │ 1 allow until 6 │ 6 cleared: the fuse holds again
        shop = Shop(SMALL | {"more_than": 0})
        shop.complain(0)
        shop.command(1, "allow", expires_at=at_ms(6))
        shop.tick(6)
        assert [(event["type"], event["paused"]["product"]) for event in shop.events] == [
            ("fuse.opened", True),
            ("override.set", False),
            ("override.cleared", True),
        ]


class TestRepeats:
    @pytest.mark.parametrize(("again", "applied"), [(HOUR - 0.001, False), (HOUR, True)])
    def test_a_fact_is_remembered_for_60_minutes_of_the_clock(self, again: float, *, applied: bool) -> None:
        #  0 o ──────── 60 min: something else moves the clock ── o again, with its old time
        shop = Shop(STOCK)
        shop.stock(0, 10)
        shop.order(0, order="o")
        shop.complain(again)
        shop.order(0, order="o")
        assert shop.reference.hits["oversell.late.0"] == applied

    def test_a_repeat_that_bears_a_time_60_minutes_later_is_a_new_fact(self) -> None:
        shop = Shop()
        shop.order(0, order="o")
        shop.order(HOUR - 0.001, order="o")
        assert shop.reference.products["p"].clock == at_ms(0)
        shop.order(HOUR, order="o")
        assert shop.reference.products["p"].clock == at_ms(HOUR)

    def test_the_status_tells_an_order_from_its_cancellation_and_an_event_id_does_not(self) -> None:
        shop = Shop()
        shop.order(0, order="o")
        shop.cancel(1, order="o")
        shop.order(2, order="o", line=2)
        shop.order(3, order="q", event="e")
        clock = shop.reference.products["p"].clock
        shop.cancel(4, order="other", event="e")
        assert clock == at_ms(3) == shop.reference.products["p"].clock

    def test_1024_facts_of_a_kind_are_remembered(self) -> None:
        shop = Shop()
        for number in range(1025):
            shop.order(number / 1000, order=f"o{number}")
        shop.order(2, order="o1")
        assert shop.reference.products["p"].clock == at_ms(1.024)
        shop.order(2, order="o0")
        assert shop.reference.products["p"].clock == at_ms(2)
