"""The life of an alert, on a fake clock, told to something that treats it as an Alertmanager does.

minute   0        10             20          25
open ────┴─ escalated ──┴─ closed ──┴─ forgotten
"""

from typing import Any

import pytest

from alerts.follower import oldest_opening_ms
from alerts.pager.alert import Identity
from alerts.pager.alerts import Alerts
from alerts.pager.payload import AGAIN_MS, VALID_MS, Links, Payloads
from schemas.events import FuseEvent, FuseState
from schemas.times import from_ms
from tests.alerts.pager.alertmanager_like import AlertmanagerLike
from tests.alerts.pager.examples import CLOSED, OVERSELL, event
from tests.alerts.pager.wall_clock import MINUTE, NOON_MS, Clock

ESCALATE_MS = 10 * MINUTE


class Desk:
    """A pager without its I/O: tells an Alertmanager at once what changes, and every minute what holds."""

    def __init__(self, alertmanager: AlertmanagerLike, clock: Clock, escalate_ms: int | None = ESCALATE_MS) -> None:
        self.alertmanager = alertmanager
        self.clock = clock
        self.alerts = Alerts()
        self.payloads = Payloads(
            "livefuse", Links("https://console/", "https://runbooks"), escalate_after_ms=escalate_ms
        )

    def take(self, what: FuseEvent, known_ms: int | None = None) -> None:
        changed = self.alerts.observe(what, self.clock.ms if known_ms is None else known_ms, live=True)
        self.tell(changed)

    def pass_minutes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.pass_by(MINUTE)
            self.alerts.forget(self.clock.ms)
            self.tell(tuple(self.alerts))
            self.alertmanager.look()

    def tell(self, identities: tuple[Identity, ...]) -> None:
        for identity in identities:
            alert = self.alerts.get(identity)
            assert alert is not None
            assert self.alertmanager.tell(self.payloads.of(alert, self.clock.ms)) == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alertmanager(clock: Clock) -> AlertmanagerLike:
    return AlertmanagerLike(clock)


@pytest.fixture
def desk(alertmanager: AlertmanagerLike, clock: Clock) -> Desk:
    return Desk(alertmanager, clock)


def state_of(what: FuseEvent, **changes: Any) -> FuseState:
    """Return the state right after an event of the product's only fuse."""
    entry = {
        "rule": what.rule,
        "sku_id": what.sku_id,
        "state": what.to,
        "epoch": what.epoch,
        "shadow": what.shadow,
        "severity": what.severity,
        "since": what.occurred_at,
        "acknowledged_by": None,
        "due": None,
        "cause": event().cause.model_dump(),
        **changes,
    }
    return FuseState.model_validate(
        {
            "product_id": what.product_id,
            "sequence": what.sequence,
            "room_id": what.room_id,
            "paused": what.paused.model_dump(),
            "override": None,
            "fuses": [entry],
        }
    )


@pytest.mark.parametrize(
    ("product_id", "page"),
    [("p42", "p42"), ("a/b ?", "a%2Fb%20%3F"), (".", "?id=."), ("..", "?id=.."), ("...", "...")],
)
def test_each_product_has_a_page(product_id: str, page: str) -> None:
    assert Links("https://console/").product(product_id) == f"https://console/products/{page}"
    assert Links().product(product_id) is None


def test_an_alert_says_who_and_why_in_two_languages(desk: Desk) -> None:
    desk.take(event(OVERSELL))
    ((said, labels),) = desk.alertmanager.said
    assert said == "firing"
    assert labels == {
        "alertname": "FuseOpen",
        "severity": "critical",
        "rule": "oversell",
        "product_id": "p42",
        "sku_id": "red",
        "room_id": "r1",
        "application": "livefuse",
    }
    (alert,) = [each for identity in desk.alerts if (each := desk.alerts.get(identity))]
    (post,) = desk.payloads.of(alert, desk.clock.ms)
    assert (post["startsAt"], post["endsAt"]) == (from_ms(NOON_MS), from_ms(NOON_MS + VALID_MS))
    assert post["generatorURL"] == post["annotations"]["console_url"] == "https://console/products/p42"
    assert post["annotations"]["runbook_url"] == "https://runbooks/FuseOpen"
    assert "249" in post["annotations"]["description"]
    assert post["annotations"]["summary"] != post["annotations"]["summary_zh"]
    assert all(post["annotations"][name] for name in ("summary", "summary_zh", "description", "description_zh"))


def test_what_a_fuse_has_not_got_is_no_label(desk: Desk) -> None:
    desk.take(event(room_id=None))
    assert {"room_id", "sku_id", "drill"}.isdisjoint(desk.alertmanager.said[0][1])


def test_an_exercise_says_so(desk: Desk) -> None:
    desk.take(event(product_id="livefuse-drill-1"))
    assert desk.alertmanager.said[0][1]["drill"] == "true"


def test_one_page_for_an_hour_and_one_end(desk: Desk) -> None:
    desk.take(event())
    desk.pass_minutes(60)
    assert desk.alertmanager.notified() == ["firing"]
    desk.take(event(CLOSED, sequence=8, occurred_at=desk.clock.ms))
    desk.pass_minutes(4)
    assert len(desk.alerts) == 1
    desk.pass_minutes(2)
    assert desk.alertmanager.notified() == ["firing", "resolved"]
    assert len(desk.alerts) == 0


def test_it_ends_by_itself_when_nobody_says_it_any_more(desk: Desk) -> None:
    desk.take(event())
    desk.clock.pass_by(VALID_MS)
    assert desk.alertmanager.firing() == []


def test_a_fuse_on_probation_pages_nobody_until_it_trips_again(desk: Desk) -> None:
    desk.take(event())
    desk.take(event(type="fuse.probation", to="probation", sequence=8))
    assert desk.alertmanager.notified() == ["firing", "resolved"]
    desk.pass_minutes(2)
    desk.take(event(epoch=2, sequence=9, occurred_at=desk.clock.ms))
    desk.pass_minutes(2)
    # The end of the first opening is not told any more: it would end the second one.
    assert desk.alertmanager.notified() == ["firing", "resolved", "firing"]
    desk.take(event(CLOSED, epoch=2, sequence=10, occurred_at=desk.clock.ms))
    assert desk.alertmanager.firing() == []


def test_an_opening_in_another_room_is_another_alert_and_the_end_of_the_first_is_told_on(desk: Desk) -> None:
    desk.take(event())
    desk.take(event(CLOSED, sequence=8, room_id="r2"))
    desk.take(event(epoch=2, sequence=9, room_id="r2"))
    assert len(desk.alerts) == 2
    (firing,) = desk.alertmanager.firing()
    assert firing["room_id"] == "r2"
    desk.pass_minutes(6)
    assert len(desk.alerts) == 1


def test_an_opening_whose_predecessors_end_was_missed_ends_it(desk: Desk) -> None:
    desk.take(event())
    desk.take(event(epoch=2, sequence=12, severity="critical"))
    (firing,) = desk.alertmanager.firing()
    assert firing["severity"] == "critical"


@pytest.mark.parametrize("again", [event(), event(CLOSED, sequence=8), event(type="fuse.probation", sequence=8)])
def test_events_that_come_again_change_nothing(desk: Desk, again: FuseEvent) -> None:
    desk.take(event())
    desk.take(event(CLOSED, sequence=8))
    said = list(desk.alertmanager.said)
    desk.take(again)
    assert desk.alertmanager.said == said


def test_shadow_overrides_and_rejections_have_no_alert(desk: Desk) -> None:
    desk.take(event(shadow=True))
    desk.take(event(type="override.set", rule=None, epoch=None, severity=None))
    desk.take(event(type="command.rejected", epoch=None, severity=None))
    desk.take(event(CLOSED, epoch=7))
    assert desk.alertmanager.alerts == {}


def test_event_times_ahead_of_the_clock_neither_delay_a_page_nor_its_end(desk: Desk) -> None:
    desk.take(event(occurred_at=desk.clock.ms + 5 * MINUTE))
    assert desk.alertmanager.told().starts_at == NOON_MS
    desk.pass_minutes(1)
    desk.take(event(CLOSED, sequence=8, occurred_at=desk.clock.ms + 5 * MINUTE))
    assert desk.alertmanager.notified() == ["firing", "resolved"]


def test_a_backlog_of_last_year_still_pages(desk: Desk) -> None:
    desk.take(event(occurred_at=NOON_MS - 365 * 24 * 60 * MINUTE))
    assert desk.alertmanager.notified() == ["firing"]
    desk.take(event(CLOSED, sequence=8, occurred_at=NOON_MS - 364 * 24 * 60 * MINUTE))
    assert desk.alertmanager.notified() == ["firing", "resolved"]


def test_who_does_not_answer_is_called_again_until_somebody_does(desk: Desk) -> None:
    desk.take(event())
    desk.pass_minutes(9)
    assert desk.alertmanager.notified("FuseNotAcknowledged") == []
    desk.pass_minutes(2)
    assert desk.alertmanager.notified("FuseNotAcknowledged") == ["firing"]
    desk.take(event(type="fuse.acknowledged", sequence=8, actor="operator:mei"))
    assert desk.alertmanager.notified("FuseNotAcknowledged") == ["firing", "resolved"]
    assert desk.alertmanager.notified() == ["firing"]
    desk.pass_minutes(20)
    assert desk.alertmanager.notified("FuseNotAcknowledged") == ["firing", "resolved"]


@pytest.mark.parametrize("answer", [event(type="fuse.acknowledged", sequence=8), event(CLOSED, sequence=8)])
def test_an_answer_in_time_calls_nobody(desk: Desk, answer: FuseEvent) -> None:
    desk.take(event())
    desk.pass_minutes(9)
    desk.take(answer)
    desk.pass_minutes(20)
    assert desk.alertmanager.notified("FuseNotAcknowledged") == []


def test_a_close_ends_the_escalation_too(desk: Desk) -> None:
    desk.take(event())
    desk.pass_minutes(11)
    desk.take(event(CLOSED, sequence=8, occurred_at=desk.clock.ms))
    assert desk.alertmanager.notified("FuseNotAcknowledged") == ["firing", "resolved"]


def test_nothing_is_escalated_where_that_is_switched_off(alertmanager: AlertmanagerLike, clock: Clock) -> None:
    desk = Desk(alertmanager, clock, escalate_ms=None)
    desk.take(event())
    desk.pass_minutes(120)
    assert alertmanager.notified("FuseNotAcknowledged") == []


def test_the_next_word_comes_when_the_escalation_is_due_at_the_latest(desk: Desk) -> None:
    desk.take(event())
    (alert,) = [each for identity in desk.alerts if (each := desk.alerts.get(identity))]
    soon = NOON_MS + ESCALATE_MS - 5_000
    assert desk.payloads.next_ms(alert, NOON_MS) == NOON_MS + AGAIN_MS
    assert desk.payloads.next_ms(alert, soon) == NOON_MS + ESCALATE_MS


def restarted(desk: Desk, events: list[tuple[FuseEvent, int]], states: list[tuple[FuseState, int]]) -> Desk:
    """Return another pager that has read events and states, and tells the same Alertmanager."""
    successor = Desk(desk.alertmanager, desk.clock)
    for each, known_ms in events:
        successor.alerts.observe(each, known_ms)
    for state, known_ms in states:
        successor.alerts.complete(state, known_ms, desk.clock.ms)
    successor.alerts.forget(desk.clock.ms)
    successor.tell(tuple(successor.alerts))
    return successor


def test_a_restart_pages_nobody_again(desk: Desk) -> None:
    opened, acknowledged = event(), event(type="fuse.acknowledged", sequence=8, room_id="r9")
    desk.take(opened)
    before = desk.alertmanager.told()
    desk.pass_minutes(2)
    known_ms = desk.clock.ms
    desk.take(acknowledged)
    desk.pass_minutes(1)
    # The state was written when the product had moved to another room.
    state = state_of(acknowledged, state="open", since=opened.occurred_at, acknowledged_by="mei")
    successor = restarted(desk, [(opened, NOON_MS), (acknowledged, known_ms)], [(state, known_ms)])
    successor.pass_minutes(15)
    assert desk.alertmanager.notified() == ["firing"]
    assert desk.alertmanager.notified("FuseNotAcknowledged") == []
    after = desk.alertmanager.told()
    assert (after.starts_at, after.annotations) == (before.starts_at, before.annotations)


def test_without_its_event_an_opening_comes_from_the_state(desk: Desk) -> None:
    opened = event()
    desk.take(opened)
    starts_at = desk.alertmanager.told().starts_at
    desk.pass_minutes(1)
    successor = restarted(desk, [], [(state_of(opened), NOON_MS)])
    assert desk.alertmanager.notified() == ["firing"]
    assert desk.alertmanager.told().starts_at == starts_at
    successor.take(opened, NOON_MS)
    assert len(successor.alerts) == 1
    successor.take(event(CLOSED, sequence=8))
    assert desk.alertmanager.notified() == ["firing", "resolved"]


def test_what_closed_while_nobody_looked_is_told_for_five_minutes(desk: Desk) -> None:
    desk.take(event())
    desk.clock.pass_by(MINUTE)
    closed_ms = desk.clock.ms
    closed = state_of(event(CLOSED, sequence=8, occurred_at=closed_ms))
    desk.clock.pass_by(MINUTE)
    successor = restarted(desk, [], [(closed, closed_ms)])
    assert desk.alertmanager.notified() == ["firing", "resolved"]
    successor.pass_minutes(4)
    assert len(successor.alerts) == 0
    late = restarted(desk, [], [(closed, closed_ms)])
    assert len(late.alerts) == 0


def test_a_state_older_than_an_end_that_was_read_does_not_open_again(desk: Desk) -> None:
    opened = event()
    successor = restarted(desk, [(event(CLOSED, sequence=8), NOON_MS)], [(state_of(opened), NOON_MS)])
    assert len(successor.alerts) == 0


def test_a_state_newer_than_the_events_counts_and_the_event_comes_after_it(desk: Desk) -> None:
    second = event(epoch=2, sequence=9)
    history = [(event(), NOON_MS), (event(CLOSED, sequence=8), NOON_MS)]
    successor = restarted(desk, history, [(state_of(second), NOON_MS)])
    assert len(desk.alertmanager.firing()) == 1
    successor.take(second)
    assert len(successor.alerts) == 1
    assert desk.alertmanager.notified() == ["firing"]


def test_shadow_and_closed_fuses_do_not_count_as_the_oldest_opening() -> None:
    opened = event()
    states = [
        state_of(event(occurred_at=NOON_MS - 5, shadow=True)),
        state_of(event(CLOSED, occurred_at=NOON_MS - 4)),
        state_of(event(occurred_at=NOON_MS + 3)),
        state_of(opened),
    ]
    assert oldest_opening_ms(states) == NOON_MS
    assert oldest_opening_ms(states[:2]) is None
