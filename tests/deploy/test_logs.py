import json
import logging

import pytest

from deploy.logs import JsonLines, KeyValueLines


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    exception = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("streams.intake", logging.WARNING, "file", 1, message, arguments, exception)
    made.created, made.msecs = 1_794_398_400.25, 250.0
    return made


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("intake.joined group=%s members=2", {"event": "intake.joined", "group": "shop", "members": "2"}),
        ("broker.unavailable no broker at %s.", {"event": "broker.unavailable", "message": "no broker at shop."}),
        ("commit.refused: given to another (%s)", {"event": "commit.refused", "message": "given to another (shop)"}),
        ("worker.stopped%.0s", {"event": "worker.stopped"}),
        ("Something that %s says", {"message": "Something that shop says"}),
    ],
)
def test_event_and_fields_are_told_apart(message: str, expected: dict[str, str]) -> None:
    told = json.loads(JsonLines().format(record(message, "shop")))
    head = {name: told.pop(name) for name in ("at", "level", "logger")}
    assert head == {"at": "2026-11-11T12:00:00.250Z", "level": "warning", "logger": "streams.intake"}
    assert told == expected


def test_a_line_stays_a_line() -> None:
    line = KeyValueLines().format(record("frame.refused first\nsecond \x1b[2J", error=ValueError("bad\nworse")))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert 'message="first\\nsecond' in line
    assert "ValueError: bad" in line
