import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy.report.data import as_json
from deploy.report.incident import Known, Span
from deploy.report.page import render
from deploy.report.report import Report, Times
from tests.alerts.pager.examples import OVERSELL
from tests.deploy.report.telling import (
    HOUR,
    MINUTE,
    NOON,
    acknowledged,
    closed,
    of,
    opened,
    resumed,
    said,
)

WHOLE = (
    opened(1000),
    acknowledged(61_000, 2),
    resumed(10 * MINUTE, 3, late_ms=500),
    closed(40 * MINUTE, 4),
)


def section(page: str, heading: str) -> list[str]:
    """Return the lines below a heading that begins so."""
    lines = page.splitlines()
    first = next(at for at, line in enumerate(lines) if line.lstrip("# ").startswith(heading) and line[0] == "#")
    depth = lines[first].split()[0]
    ends = (
        at for at, line in enumerate(lines[first + 1 :], first + 1) if line.startswith("#") and line.split()[0] <= depth
    )
    return [line for line in lines[first + 1 : next(ends, len(lines))] if line]


def cells(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the tables below a heading."""
    return [[cell.strip() for cell in line.split(" | ")] for line in section(page, heading) if line[0] == "|"]


def test_a_whole_incident_is_told_with_its_times() -> None:
    found = of(*WHOLE)
    (incident,) = found.incidents
    assert incident.detected_ms == 300
    assert incident.until_acknowledged == Span(MINUTE, MINUTE)
    assert incident.until_end == Span(10 * MINUTE - 1000, 10 * MINUTE - 800)
    page = render(found)
    assert page.startswith("# Fuses from 2026-11-11 12:00:00.000 UTC to 2026-11-11 13:00:00.000 UTC\n")
    assert "Incidents: 1, of which 0 still open and 0 opened before the period." in page
    assert "### 1. product p42 · room r1 · complaint-surge · warning · opening 1" in page
    assert "**51 different complaints within 1 h, the limit is 50.**" in page
    assert "Evidence (3): c16, c17, c18" in page
    assert "| detected (from the fact that tripped it) | 0.30 s | not known |" in page
    assert "| paged | not in the fuse events | not in the fuse events |" in page
    assert "| acknowledged by mei | 1 min | 1 min |" in page
    assert "| ended by jun | 9 min 59 s | 9 min 59 s |" in page
    assert "| 2026-11-11 12:10:00.000 | fuse.probation | jun |" in page
    assert "Reason: batch recalled |" in page
    assert [row[2:] for row in cells(page, "Who did what")[2:]] == [
        ["mei", "mei has acknowledged it. Reason: I look at it |"],
        [
            "jun",
            (
                "jun has resumed it. On probation its limit is tighter; the next trip opens the fuse at once. "
                "Reason: batch recalled |"
            ),
        ],
    ]


def test_an_opening_from_before_is_in_it_while_it_was_open_and_told_from_its_beginning() -> None:
    before = [opened(-5 * MINUTE), resumed(MINUTE, 2)]
    found = of(*before)
    assert "1 opened before the period" in render(found)
    assert "It opened before the period." in render(found)
    assert as_json(found)["incidents"][0]["opened_before"] is True
    assert len(found.incidents[0].timeline) == 2
    # One that was over before is not, nor is one that opened later.
    assert not of(*before, begin=NOON + 2 * MINUTE).incidents
    assert not of(opened(HOUR)).incidents
    assert len(of(opened(HOUR - 1)).incidents) == 1


def test_an_opening_that_kafka_has_deleted_leaves_what_is_left() -> None:
    found = of(acknowledged(MINUTE, 8), resumed(2 * MINUTE, 9))
    (incident,) = found.incidents
    assert (incident.opening, incident.detected_ms, incident.until_end) == (None, None, None)
    page = render(found)
    assert "Its opening is gone" in page
    assert "| ended by jun | not known | not known |" in page
    assert found.rows[0].detected == Times(0, None, None)
    # Of its probation alone nothing can be said.
    assert not of(closed(MINUTE, 9)).incidents


def test_a_fuse_that_is_still_open_has_no_end() -> None:
    found = of(opened(0))
    page = render(found)
    assert "of which 1 still open" in page
    assert "It is still open." in page
    assert "| acknowledged | not yet | not yet |" in page
    assert "| ended | not yet | not yet |" in page
    assert as_json(found)["incidents"][0]["is_open"] is True


def test_who_acknowledges_first_counts_and_who_comes_later_is_told() -> None:
    again = said(2 * MINUTE, 3, "acknowledge", actor="operator:jun", cause={"rejected": "already_acknowledged"})
    found = of(opened(0), acknowledged(MINUTE, 2), again, acknowledged(3 * MINUTE, 4, who="lin"))
    (incident,) = found.incidents
    assert incident.acknowledged is not None
    assert incident.acknowledged.event.actor == "operator:mei"
    assert incident.until_acknowledged == Span(MINUTE, MINUTE)
    assert [each.event.sequence for each in incident.timeline] == [1, 2, 3, 4]
    assert "changed nothing: somebody has acknowledged it already." in render(found)


def test_of_much_evidence_the_newest_is_listed() -> None:
    ids = [f"c{number}" for number in range(51)]
    found = of(opened(0, cause={"measured": 51, "limit": 50, "window_s": 3600, "evidence": ids}))
    (line,) = [line for line in render(found).splitlines() if line.startswith("Evidence")]
    assert line.startswith("Evidence (51): c41, c42, ")
    assert line.endswith("c50 and 41 older ones (all are in --json)")
    assert as_json(found)["incidents"][0]["cause"]["evidence"] == ids


def test_an_event_that_is_there_twice_counts_once() -> None:
    found = of(*WHOLE, *(Known(each.event, each.known_ms + 5000) for each in WHOLE))
    assert found == of(*WHOLE)


def test_overrides_need_no_fuse_and_have_their_reasons() -> None:
    found = of(
        said(MINUTE, 1, "pause", reason="wrong price | on the *slide*"),
        said(3 * MINUTE, 2, "release"),
        said(4 * MINUTE, 3, "allow", cause={"expires_at": "2026-11-11T13:30:00.000Z"}),
    )
    assert not found.incidents
    assert [(each.begin.event.sequence, each.end and each.end.event.sequence) for each in found.overrides] == [
        (1, 2),
        (3, None),
    ]
    page = render(found)
    assert "No fuse was open in this period." in page
    assert "overrides by operators 2." in page
    assert r"| p42 | pause | mei | wrong price \| on the \*slide\* | 2 min | mei |" in page
    assert "| p42 | allow | mei | price | holds | - |" in page
    assert len(found.actions) == 3


def test_an_override_during_an_incident_stands_in_its_timeline() -> None:
    found = of(
        opened(0), said(MINUTE, 2, "allow"), resumed(2 * MINUTE, 3), closed(3 * MINUTE, 4), said(HOUR - 1, 5, "pause")
    )
    assert [each.event.sequence for each in found.incidents[0].timeline] == [1, 2, 3, 4]


def test_exercises_and_rules_in_shadow_are_apart() -> None:
    drill: dict[str, Any] = {"product_id": "livefuse-drill-1"}
    found = of(
        opened(0),
        opened(1, product_id="p1", shadow=True),
        opened(2, **drill),
        resumed(3, 2, who="drill", **drill),
        said(4, 3, "pause", **drill),
    )
    assert [len(each) for each in (found.incidents, found.shadows, found.drills, found.overrides)] == [1, 1, 1, 0]
    assert not found.actions
    assert [row.number for row in found.rows] == [1]
    page = render(found)
    assert "in shadow 1, exercises 1, overrides by operators 0." in page
    assert len(cells(page, "In shadow")) == len(cells(page, "Exercises")) == 3
    assert "livefuse-drill-1" not in "\n".join(section(page, "Incidents"))


def test_the_summary_has_a_row_for_each_rule_and_one_for_all() -> None:
    found = of(
        opened(0),
        *(acknowledged(each * MINUTE, 2, product_id=f"p{each}") for each in (1, 2, 5)),
        *(opened(0, product_id=f"p{each}", late_ms=each) for each in (1, 2, 5)),
        Known(opened(7, product_id="p9").event.model_copy(update={"rule": "oversell"}), NOON + 7),
    )
    assert [(row.rule, row.number, row.open) for row in found.rows] == [
        ("complaint-surge", 4, 4),
        ("oversell", 1, 1),
        (None, 5, 5),
    ]
    assert found.rows[0].acknowledged == Times(3, 2 * MINUTE + 298, 5 * MINUTE + 295)
    assert found.rows[0].detected == Times(4, 3.5, 300)
    assert "| complaint-surge | 4 | 4 | 0.00 s (worst 0.30 s; 4) | 2 min (worst 5 min; 3) | - |" in render(found)


def test_two_openings_of_a_fuse_are_two_incidents() -> None:
    second = opened(20 * MINUTE, 4, epoch=2, **{"from": "probation"})
    found = of(opened(0), resumed(MINUTE, 2), second, resumed(30 * MINUTE, 5, epoch=2))
    assert [each.key.epoch for each in found.incidents] == [1, 2]
    assert [each.until_end and each.until_end.event_ms for each in found.incidents] == [MINUTE, 10 * MINUTE]


def test_one_product_and_one_room() -> None:
    events = [opened(0), opened(0, product_id="p7", room_id="r2"), said(1, 1, "pause", product_id="p8", room_id="r2")]
    assert [each.key.product_id for each in of(*events, product_id="p7").incidents] == ["p7"]
    found = of(*events, room_id="r2")
    assert [each.key.product_id for each in found.incidents] == ["p7"]
    assert [each.begin.event.product_id for each in found.overrides] == ["p8"]
    assert "Only room r2." in render(found)


def test_times_in_another_zone_stand_beside_those_in_utc() -> None:
    page = render(of(*WHOLE), zone=ZoneInfo("Asia/Shanghai"))
    assert "| UTC | Asia/Shanghai | event | by | what |" in page
    assert "| 2026-11-11 12:00:01.000 | 2026-11-11 20:00:01.000 | fuse.opened | its rule |" in page


@pytest.mark.parametrize("evil", ["a|b", "<script>", "[x](http://y)", "`code`", "line\nbreak", "\u202egnp", "# head"])
def test_what_came_from_outside_stays_text(evil: str) -> None:
    page = render(of(opened(0, product_id=evil, room_id=evil), said(1, 2, "pause", product_id=evil, reason=evil)))
    widths = {len(row) for row in cells(page, "Overrides")}
    assert widths == {7}
    assert not any(line.startswith("# head") for line in page.splitlines())
    for bad in ("<script>", "[x]", "`code`", "\u202e"):
        assert bad not in page


def test_the_page_in_chinese_says_the_same() -> None:
    found = of(*WHOLE, opened(0, product_id="p1", rule="oversell", **OVERSELL_NOW))
    page, english = render(found, "zh"), render(found)
    assert "### 2. 商品 p42 · 直播间 r1 · complaint-surge · 警告 · 第 1 次触发" in page
    assert "| 确认：mei | 1 分钟 | 1 分钟 |" in page
    assert "理由：batch recalled" in page
    assert page.count("\n|") == english.count("\n|")
    assert page.count("\n#") == english.count("\n#")


OVERSELL_NOW: dict[str, Any] = {name: value for name, value in OVERSELL.items() if name != "rule"}


def test_the_data_are_those_of_the_page_and_json() -> None:
    data = json.loads(json.dumps(as_json(of(*WHOLE))))
    (incident,) = data["incidents"]
    assert incident["times"] == {
        "detected_ms": 300,
        "paged_ms": None,
        "acknowledged": {"by_event_time_ms": MINUTE, "by_kafka_time_ms": MINUTE},
        "ended": {"by_event_time_ms": 10 * MINUTE - 1000, "by_kafka_time_ms": 10 * MINUTE - 800},
    }
    assert (incident["acknowledged_by"], incident["ended_by"]) == ("operator:mei", "operator:jun")
    assert incident["timeline"][0]["kafka_time"] == "2026-11-11T12:00:01.300Z"
    assert data["summary"]["rules"][0]["acknowledged"] == {"incidents": 1, "median_ms": MINUTE, "worst_ms": MINUTE}


def test_a_period_in_which_nothing_happened() -> None:
    empty: Report = of()
    page = render(empty)
    assert "No fuse was open in this period." in page
    assert "No operator did anything." in page
    assert as_json(empty)["incidents"] == []
