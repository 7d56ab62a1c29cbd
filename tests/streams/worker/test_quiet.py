import logging

import pytest
from aiokafka.errors import ProducerFenced

from streams.worker.quiet import Sparing, told_before


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


def test_a_future_that_aiokafka_left_behind_is_not_told_again() -> None:
    forgotten = "Future exception was never retrieved\nfuture: <Future finished>"

    def told(error: Exception, message: str = forgotten) -> logging.LogRecord:
        return logging.LogRecord("asyncio", logging.ERROR, "events.py", 1, message, (), (type(error), error, None))

    assert told_before(told(ProducerFenced()))
    assert not told_before(told(ValueError("ours")))
    assert not told_before(told(ProducerFenced(), "Task exception in handler"))
    assert not told_before(record(forgotten, name="asyncio"))
