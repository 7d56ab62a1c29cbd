import json
import time

import pytest

from deploy.cli.letters import as_plain, as_text, read_repairs
from deploy.dead_letters import REPLAYED_FROM, DeadLetter, Repair, refusals, status, topic_of
from schemas.errors import DeadLetterError
from schemas.topics import TopicNames

HEADERS = {
    "__streams.errors.topic": b"live.complaints",
    "__streams.errors.partition": b"2",
    "__streams.errors.offset": b"17",
    "__streams.errors.message": b"quantity must be a whole number",
    "livefuse.reason": b"invalid",
}


def letter(value: bytes | None, key: bytes | None = b"k", **headers: bytes) -> DeadLetter:
    return DeadLetter("dlq.live.complaints", (0, 5), 1_794_398_400_000, key, value, HEADERS | headers)


def test_what_people_wrote_is_hidden_unless_asked_for() -> None:
    told = letter(b'{"complaint_id": "c1", "text": "my rash", "reason": "private", "quantity": "x"}')
    for shown in (as_text(told, "waiting", reveal=False), json.dumps(as_plain(told, "waiting", reveal=False))):
        assert "rash" not in shown
        assert "private" not in shown
        assert "c1" in shown
    assert "my rash" in as_text(told, "waiting", reveal=True)
    assert json.loads(as_plain(told, "waiting", reveal=True)["value"])["text"] == "my rash"


@pytest.mark.parametrize(
    "value", [b'{"text": "secret"', b'["secret"]', b'"secret"', b'{"text": "secret", "text": null}', b"secret\xff"]
)
def test_what_cannot_be_searched_is_hidden_whole(value: bytes) -> None:
    told = letter(value)
    assert "secret" not in as_text(told, "waiting", reveal=False)
    plain = as_plain(told, "waiting", reveal=False)
    assert plain["hidden"]
    assert "secret" not in json.dumps(plain)


def test_bytes_cannot_steer_a_terminal_and_come_back_as_they_were() -> None:
    told = letter(b"\xff\x1b[2J", key=b"\x1b]0;x\x07", **{"trace\x1b": b"\x1b[31m"})
    assert "\x1b" not in as_text(told, "waiting", reveal=True)
    assert "\x07" not in as_text(told, "waiting", reveal=True)
    line = json.dumps(as_plain(told, "waiting", reveal=True)).encode()
    assert read_repairs(line, "x")[0, 5].value == b"\xff\x1b[2J"
    assert read_repairs(line, "x")[0, 5].key == b"\x1b]0;x\x07"
    nothing = json.dumps(as_plain(letter(None, key=None), "waiting", reveal=True)).encode()
    assert read_repairs(nothing, "x")[0, 5] == Repair(None, None)


def test_a_value_may_be_repaired_as_an_object() -> None:
    repairs = read_repairs(b'\n{"partition": 0, "offset": 5, "key": "k", "value": {"quantity": 1}}\n', "x")
    assert repairs[0, 5].value == b'{"quantity":1}'
    for line in (b"nonsense", b"{}", b'{"partition": 0, "offset": 5, "value_base64": "?"}', b"[]"):
        with pytest.raises(DeadLetterError, match="line 1"):
            read_repairs(line, "x")


def test_a_letter_says_where_it_came_from_and_what_became_of_it() -> None:
    told = letter(b"x")
    assert told.source() == ("live.complaints", 2, 17)
    assert (told.reason, told.message) == ("invalid", "quantity must be a whole number")
    assert status(told, set()) == "waiting"
    assert status(told, {(0, 5)}) == "replayed"
    assert status(letter(b"x", **{REPLAYED_FROM: b"dlq"}), set()) == "came back"
    with pytest.raises(DeadLetterError, match=r"dlq.live.complaints\[0\]@5"):
        DeadLetter("dlq.live.complaints", (0, 5), 0, None, None, {}).source()


def test_a_topic_goes_by_several_names() -> None:
    names = TopicNames(orders="shop.orders")
    for asked in ("orders", "shop.orders", "dlq.shop.orders"):
        assert topic_of(names, asked) == "dlq.shop.orders"
    with pytest.raises(DeadLetterError, match=r"dlq\.shop\.orders"):
        topic_of(names, "live.orders")


def test_what_the_intake_would_refuse_again_is_known_before() -> None:
    names = TopicNames()
    good = b'{"complaint_id": "c1", "product_id": "p", "occurred_at": "2026-11-11T12:00:00Z"}'
    for value, reason in ((b"{", "not_json"), (None, "empty"), (b"{}", "invalid"), (good, None)):
        told = letter(value)
        found = refusals(names, [told], {})
        assert [each.reason for each in found.values()] == ([reason] if reason else [])
        assert refusals(names, [told], {(0, 5): Repair(None, good)}) == {}
        assert refusals(names, [told], {(0, 5): Repair(None, b"{")})[0, 5].reason == "not_json"


def test_what_was_in_the_future_is_no_longer_when_its_time_has_come() -> None:
    now_ms = time.time_ns() // 1_000_000
    for ahead_ms, refused in ((0, False), (10 * 60_000, True)):
        value = b'{"complaint_id": "c1", "product_id": "p", "occurred_at": %d}' % (now_ms + ahead_ms)
        told = letter(value, **{"livefuse.reason": b"future_timestamp"})
        assert bool(refusals(TopicNames(), [told], {})) is refused


def test_a_letter_from_nowhere_is_left_to_the_one_who_sends_it() -> None:
    assert refusals(TopicNames(complaints="other"), [letter(b"{")], {}) == {}
