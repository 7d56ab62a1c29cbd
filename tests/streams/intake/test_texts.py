"""What customers write is optional and never needed: with and without it the same frames, states and events."""

from typing import Any

import orjson
import pytest

from schemas.parse import Refusal
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames
from streams.engine.partition import Partition
from streams.engine.signals import Signal
from streams.frames import Frame, encode
from streams.intake.parse import read, readers
from streams.replay import Replay

NOON = 1_762_862_400_000
NAMES = TopicNames()
WORDS = "the zipper tore my daughter's finger; 拉链坏了"
EMPTY: dict[str, Any] = {}


def records(**more: Any) -> list[tuple[str, bytes]]:
    """Return complaints and returns that open fuses, each with what customers wrote."""
    complaints = [
        {"complaint_id": f"c{number}", "product_id": "p", "occurred_at": NOON + number} for number in range(60)
    ]
    orders = {"order_id": "o", "occurred_at": NOON, "lines": [{"product_id": "q", "quantity": 100}]}
    returns = [
        {"return_id": f"r{number}", "product_id": "q", "quantity": 5, "occurred_at": NOON + 100 + number}
        for number in range(20)
    ]
    written = {"text": more["text"], "reason": more["text"]} if more else EMPTY
    return [
        (NAMES.orders, orjson.dumps(orders)),
        *((NAMES.complaints, orjson.dumps({**each, **written})) for each in complaints),
        *((NAMES.returns, orjson.dumps({**each, **written})) for each in returns),
    ]


def signals(**more: Any) -> list[Signal]:
    made = []
    for offset, (topic, value) in enumerate(records(**more)):
        found = read(readers(NAMES)[topic], value, None, 0, offset)
        assert not isinstance(found, Refusal)
        made += found
    return made


def outcome(made: list[Signal]) -> list[Any]:
    partition = Partition(0, DEFAULT_RULES)
    said = [output.value for output in partition.apply(["all/0"], made)]
    return [said, partition.take_dirty(), partition.take_fuse_states(), partition.watchlist(), partition.snapshot()]


@pytest.mark.parametrize("text", [WORDS, "", None])
def test_with_and_without_texts_frames_states_and_events_are_the_same(text: str | None) -> None:
    without, made = signals(), signals(text=text)
    frames = [encode(Frame("a", ["all/0"], [], 0, live=False, signals=each)) for each in (without, made)]
    assert frames[0] == frames[1]
    told = outcome(made)
    assert told == outcome(without)
    assert len(told[0]) == 2, "a surge and a spike"
    assert b"zipper" not in frames[1]
    assert "zipper" not in repr(told)


def test_replay_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def run(**more: Any) -> list[bytes]:
        lines = [
            orjson.dumps({"topic": topic, "partition": 0, "offset": offset, "ts": NOON, "payload": value.decode()})
            for offset, (topic, value) in enumerate(records(**more))
        ]
        replay = Replay(DEFAULT_RULES)
        replay.add("capture", lines)
        return [output.value for output in replay.outputs()]

    assert run(text=WORDS) == run()
    assert "zipper" not in "".join(capsys.readouterr())


def test_a_refusal_does_not_repeat_what_was_written() -> None:
    value = orjson.dumps({"complaint_id": "c", "occurred_at": NOON, "text": WORDS, "category": WORDS})
    refusal = read(readers(NAMES)[NAMES.complaints], value, None, 0, 0)
    assert isinstance(refusal, Refusal)
    assert "zipper" not in refusal.message
