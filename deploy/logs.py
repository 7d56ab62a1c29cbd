"""Logging of the long-running processes: one line a record on standard error, as `key=value` or as JSON.

A message of ours begins with the name of an event, and text or fields follow: `broker.unavailable no broker answers`,
`worker.started group=livefuse-worker seconds=1.2`. They are told apart here.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

_EVENT: Final = re.compile(r"([a-z_]+(?:\.[a-z_]+)+):?(?:\s+|$)(.*)", re.DOTALL)
_FIELDS: Final = re.compile(r"(?:[a-z_]+=\S*(?:\s+|$))+")
_PLAIN: Final = re.compile(r"[^\s\"=]+")

# Libraries that tell at INFO what only their authors want to know.
_TALKATIVE: Final = ("aiokafka", "asyncio", "faust", "mode", "kafka")
_QUIET_S: Final = 10.0


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Send all log records to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeats())
    handler.setFormatter(JsonLines() if form == "json" else KeyValueLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level == "info":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)


class Repeats(logging.Filter):
    """Lets through what a library says over and over, while a broker is away, once in ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record goes out. Records of ours always do."""
        if record.name.partition(".")[0] not in _TALKATIVE:
            return True
        what = (record.name, str(record.msg))
        if record.created - self._said.get(what, 0.0) < _QUIET_S:
            return False
        self._said[what] = record.created
        return True


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line tells, in its order."""
    message = record.getMessage()
    found = _EVENT.fullmatch(message)
    text = found[2] if found else message
    named = dict(each.split("=", 1) for each in text.split()) if _FIELDS.fullmatch(text) else {"message": text or None}
    told = {
        "at": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": found[1] if found else None,
        **named,
        "error": logging.Formatter().formatException(record.exc_info) if record.exc_info else None,
    }
    return {name: value for name, value in told.items() if value is not None}


class KeyValueLines(logging.Formatter):
    """`at=... level=info logger=streams.intake event=intake.started message="..."`, always one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return " ".join(f"{name}={_quoted(value)}" for name, value in fields(record).items())


class JsonLines(logging.Formatter):
    """The same as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(fields(record), ensure_ascii=False)


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
