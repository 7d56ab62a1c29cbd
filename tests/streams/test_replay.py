"""Replay: from the lines of captures to fuse events."""

import random
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import CaptureError
from schemas.rules import DEFAULT_RULES, RuleSet
from streams.engine.events import FUSE_EVENTS
from streams.replay import DeadLetter, Replay, Summary
from tests.streams.driver import ms, rules

NOON = ms("12:00:00.000")
SURGE = rules({"id": "surge", "kind": "complaint_surge", "more_than": 2, "window": "10s"})
AUTO = rules(
    {
        "id": "surge",
        "kind": "complaint_surge",
        "more_than": 0,
        "window": "10s",
        "lateness": "20s",
        "recovery": "auto",
        "cooldown": "5s",
        "probation": "5s",
    }
)


def line(topic: str, payload: dict[str, Any] | str | None, **fields: Any) -> bytes:
    """Return a line as kcat prints it; fields that are given replace those of kcat, None leaves them out."""
    text = orjson.dumps(payload).decode() if isinstance(payload, dict) else payload
    record = {"topic": topic, "partition": 0, "offset": 0, "tstype": "create", "ts": NOON, "broker": 1, "key": None}
    merged = {**record, "payload": text, **fields}
    return orjson.dumps({key: value for key, value in merged.items() if value is not None or key in {"key", "payload"}})


def complaint(number: int, at: int, product_id: str = "p1", **fields: Any) -> bytes:
    payload = {"complaint_id": f"c{number}", "product_id": product_id, "occurred_at": NOON + at}
    return line("live.complaints", payload, **{"offset": number, **fields})


def told(
    *captures: Iterable[bytes], rule_set: RuleSet = SURGE, letters: list[DeadLetter] | None = None
) -> tuple[list[dict[str, Any]], Summary]:
    """Replay captures; return the fuse events and the summary."""
    replay = Replay(rule_set, None if letters is None else letters.append)
    for number, lines in enumerate(captures):
        replay.add(f"capture-{number}", lines)
    return [output.event for output in replay.outputs() if output.topic == FUSE_EVENTS], replay.summary


def test_a_surge_opens_a_fuse() -> None:
    events, summary = told([complaint(number, number * 1000) for number in range(3)])
    (event,) = events
    assert (event["type"], event["occurred_at"], event["cause"]["measured"]) == (
        "fuse.opened",
        "2026-11-11T12:00:02.000Z",
        3,
    )
    assert summary.records == {"live.complaints": 3}
    assert (summary.signals, summary.products, summary.opened) == (3, 1, {"surge": 1})


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1 << 32))
def test_however_the_lines_lie_they_are_ordered_as_intake_would(seed: int) -> None:
    rng = random.Random(seed)
    times = sorted(rng.randrange(60_000) for _ in range(60))
    offsets = [0, 0, 0]
    lines = []
    for number, at in enumerate(times):
        partition = rng.randrange(3)
        lines.append(complaint(number, at, partition=partition, offset=offsets[partition]))
        offsets[partition] += rng.choice((1, 1, 5))
    expected, _ = told(lines)
    by_partition = sorted(lines, key=lambda each: orjson.loads(each)["partition"])
    assert told(by_partition)[0] == expected
    rng.shuffle(lines)
    assert told(lines)[0] == expected
    assert told(lines[:20], lines[20:])[0] == expected


def test_without_offsets_the_order_of_the_file_holds() -> None:
    late = [complaint(number, at, offset=None) for number, at in enumerate((20_000, 3_000, 2_000, 1_000))]
    events, summary = told(late)
    assert [event["cause"]["evidence"] for event in events] == [["c3", "c2", "c1"]]
    assert summary.signals == 4
    mixed = [complaint(7, 20_000, offset=90), complaint(1, 3_000, offset=None), *late[2:]]
    assert [event["cause"]["evidence"] for event in told(mixed)[0]] == [["c3", "c2", "c1"]]


def test_a_record_that_is_captured_twice_counts_once() -> None:
    lines = [complaint(number, number * 1000) for number in range(2)]
    events, summary = told(lines, lines)
    assert events == []
    assert (summary.repeated, summary.duplicates) == (2, 0)


def test_the_end_is_a_tick_for_the_last_event_time() -> None:
    lines = [complaint(number, at, product_id=f"p{number + 1}") for number, at in enumerate((0, 9_999, 10_000))]
    assert [event["type"] for event in told(lines[:2], rule_set=AUTO)[0]] == [
        "fuse.opened",
        "fuse.opened",
        "fuse.probation",
    ]
    events, _ = told(lines, rule_set=AUTO)
    assert [(event["type"], event["product_id"], event["occurred_at"][17:]) for event in events] == [
        ("fuse.opened", "p1", "00.000Z"),
        ("fuse.opened", "p2", "09.999Z"),
        ("fuse.opened", "p3", "10.000Z"),
        ("fuse.probation", "p1", "05.000Z"),
        ("fuse.closed", "p1", "10.000Z"),
    ]


def test_in_front_of_a_late_record_timers_fire_that_were_due_before_its_place() -> None:
    lines = [complaint(0, 0), complaint(1, 7_000, product_id="p2"), complaint(2, 3_000)]
    events, _ = told(lines, rule_set=AUTO)
    p1 = [(event["type"], event["occurred_at"][17:]) for event in events if event["product_id"] == "p1"]
    # The complaint of 3 s stands behind 7 s: the cool-down is over by then, and the complaint lies before the mark.
    assert p1 == [("fuse.opened", "00.000Z"), ("fuse.probation", "05.000Z")]


def test_commands_and_rule_sets_take_part() -> None:
    strict = rules({"id": "surge", "kind": "complaint_surge", "more_than": 0}, version=2, issued_at=NOON + 10)
    command = {
        "command_id": "k",
        "product_id": "p1",
        "action": "resume",
        "actor": "ann",
        "reason": "checked",
        "issued_at": NOON + 30,
    }
    events, summary = told(
        [
            line("livefuse.commands", command),
            complaint(0, 20),
            line("livefuse.rules", strict.model_dump_json(), key="rules"),
        ]
    )
    assert [(event["type"], event["actor"], event["rule_version"]) for event in events] == [
        ("fuse.opened", "rule", 2),
        ("fuse.probation", "operator:ann", 2),
    ]
    assert summary.records == {"livefuse.commands": 1, "live.complaints": 1, "livefuse.rules": 1}


def test_what_cannot_be_used_is_counted_and_told() -> None:
    letters: list[DeadLetter] = []
    far = {"return_id": "r", "product_id": "p", "quantity": 1, "occurred_at": NOON + 400_000}
    lines = [
        line("live.orders", None, offset=0),
        line("live.orders", "{", offset=1),
        line("live.orders", {"order_id": "o"}, offset=2),
        line("live.orders", "PAYLOAD", offset=3).replace(b"PAYLOAD", b"\xff{}"),
        line("live.orders", "x" * 1_100_000, offset=4),
        line("live.returns", far),
        line("live.returns", far, offset=1, ts=None),
        line("shop.other", "anything"),
    ]
    events, summary = told(lines, rule_set=DEFAULT_RULES, letters=letters)
    assert events == []
    assert summary.dead_letters == {"empty": 1, "not_json": 2, "invalid": 1, "too_large": 1, "future_timestamp": 1}
    assert summary.other_topics == {"shop.other": 1}
    assert summary.signals == 1
    assert [(letter.reason, letter.record["offset"]) for letter in letters] == [
        ("empty", 0),
        ("not_json", 1),
        ("invalid", 2),
        ("not_json", 3),
        ("too_large", 4),
        ("future_timestamp", 0),
    ]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "topic"),
        (b'{"topic":"live.orders","partition":-1,"offset":0,"payload":"{}"}', "partition"),
        (b'{"topic":"live.orders","partition":0,"offset":1.5,"payload":"{}"}', "offset"),
        (b'{"topic":"live.orders","partition":0,"offset":true,"payload":"{}"}', "offset"),
        (b'{"topic":"live.orders","partition":0,"offset":0,"payload":{}}', "payload"),
    ],
)
def test_a_line_that_kcat_did_not_print_ends_the_replay_and_is_named(bad: bytes, problem: str) -> None:
    with pytest.raises(CaptureError, match=rf"capture-1, line 3: .*{problem}"):
        told([], [complaint(0, 0), b"\n", bad])


def test_half_a_surrogate_pair_is_no_text() -> None:
    found = line("live.orders", "PAYLOAD").replace(b"PAYLOAD", rb"\ud800")
    assert told([found])[1].dead_letters == {"not_json": 1}


def test_an_empty_capture_says_nothing() -> None:
    events, summary = told([])
    assert events == []
    assert summary == Summary()


def test_progress_is_told_every_ten_thousand_lines() -> None:
    seen: list[int] = []
    replay = Replay(SURGE)
    replay.add("capture", (complaint(number, number) for number in range(20_001)), seen.append)
    assert seen == [10_000, 20_000]
