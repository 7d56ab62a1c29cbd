from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.pager.route import QuietHours, Route
from tests.alerts.pager.examples import CLOSED, NO_FUSE, event

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = QuietHours(time(22), time(8), SHANGHAI)
LUNCH = QuietHours(time(12), time(13, 30), SHANGHAI)


def at(hour: int, minute: int = 0, day: int = 11) -> datetime:
    """Return a time in Shanghai."""
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, at(21, 59), at(21, 59)),
        (NIGHT, at(22), at(8, day=12)),
        (NIGHT, at(23, 59), at(8, day=12)),
        (NIGHT, at(0), at(8)),
        (NIGHT, at(7, 59), at(8)),
        (NIGHT, at(8), at(8)),
        (LUNCH, at(11, 59), at(11, 59)),
        (LUNCH, at(12, 1), at(13, 30)),
        (LUNCH, at(13, 30), at(13, 30)),
    ],
)
def test_quiet_hours_end(hours: QuietHours, now: datetime, until: datetime) -> None:
    assert hours.until(now.astimezone(UTC)) == until


def test_without_settings_a_channel_hears_all_but_shadow_and_rejections() -> None:
    route = Route()
    for heard in (event(), event(CLOSED), event(NO_FUSE, type="override.set"), event(type="fuse.acknowledged")):
        assert route.wants(heard, "r1")
    assert not route.wants(event(shadow=True), "r1")
    assert not route.wants(event(NO_FUSE, type="command.rejected"), "r1")


def test_severity_room_and_rule_say_what_is_for_a_channel() -> None:
    assert not Route(min_severity="critical").wants(event(), "r1")
    assert Route(min_severity="warning").wants(event(severity="critical"), "r1")
    assert not Route(min_severity="warning").wants(event(NO_FUSE, type="override.set"), "r1")
    assert Route(rooms=frozenset({"r1"})).wants(event(CLOSED, room_id="r2"), "r1")
    assert not Route(rooms=frozenset({"r1"})).wants(event(), "r2")
    assert not Route(rooms=frozenset({"r1"})).wants(event(), None)
    assert not Route(rules=frozenset({"oversell"})).wants(event(), "r1")
    assert not Route(resolved=False).wants(event(CLOSED), "r1")
    assert not Route(after=timedelta(minutes=5)).wants(event(NO_FUSE, type="override.set"), "r1")


def test_what_waits_is_told_later_and_critical_fuses_do_not_wait_for_the_morning() -> None:
    night, later = at(23), at(23) + timedelta(minutes=5)
    assert Route().due(event(), night) == night
    assert Route(after=timedelta(minutes=5)).due(event(), night) == later
    assert Route(quiet_hours=NIGHT).due(event(), night) == at(8, day=12)
    assert Route(quiet_hours=NIGHT).due(event(severity="critical"), night) == night
    assert Route(quiet_hours=NIGHT, after=timedelta(minutes=5)).due(event(severity="critical"), night) == later
    assert Route(quiet_hours=NIGHT).due(event(CLOSED), night) == night
    assert Route(quiet_hours=NIGHT).due(event(NO_FUSE, type="override.set"), night) is None
    assert Route(quiet_hours=NIGHT).due(event(NO_FUSE, type="override.set"), at(12)) == at(12)
