import logging

import pytest

from streams.worker.quiet import Sparing


def record(message: str, *arguments: object, name: str = "aiokafka") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "client.py", 1, message, arguments, None)


def test_a_message_passes_once_whatever_it_is_about() -> None:
    sparing = Sparing(60.0)
    assert sparing.filter(record("Unable connect to node with id %s: %s", 1, "refused"))
    assert not sparing.filter(record("Unable connect to node with id %s: %s", 2, "refused"))
    assert sparing.filter(record("Unable to update metadata from %s", [1]))
    assert sparing.filter(record("Unable to update metadata from %s", [1], name="aiokafka.cluster"))


def test_it_passes_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    sparing = Sparing(10.0)
    assert sparing.filter(record("away"))
    now = 109.0
    assert not sparing.filter(record("away"))
    now = 110.0
    assert sparing.filter(record("away"))
