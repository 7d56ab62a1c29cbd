"""Dead letters as people and editors see them. What is in them is not trusted: it may steer a terminal, or be private.

Complaints, returns and commands hold words that people wrote (`text`, `reason`). They are hidden unless asked for. In a
letter that is no JSON they cannot be found, so all of it is hidden there.
"""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from deploy.cli.output import printable
from deploy.dead_letters import DeadLetter, Place, Repair, Status
from schemas.errors import DeadLetterError

_PRIVATE: Final = frozenset({"text", "reason"})
_HIDDEN: Final = "(hidden; --reveal shows it)"
_MOST_SHOWN: Final = 4_000


def as_plain(letter: DeadLetter, status: Status, *, reveal: bool) -> dict[str, Any]:
    """Return a letter as JSON. Bytes that are not UTF-8 are told as `..._base64`."""
    return {
        "topic": letter.topic,
        "partition": letter.place[0],
        "offset": letter.place[1],
        "time_ms": letter.time_ms,
        "reason": letter.reason,
        "message": letter.message,
        "status": status,
        **_bytes("key", letter.key),
        **(_bytes("value", letter.value) if reveal else _masked(letter)),
        "headers": {name: value.decode(errors="backslashreplace") for name, value in letter.headers.items()},
    }


def as_text(letter: DeadLetter, status: Status, *, reveal: bool) -> str:
    """Return a letter as lines of text that cannot steer a terminal."""
    arrived = datetime.fromtimestamp(letter.time_ms / 1000, UTC)
    lines = [
        f"{letter.name}  {arrived:%Y-%m-%d %H:%M:%S} UTC  {letter.reason}  ({status})",
        f"{'wrong:':10}{printable(letter.message)}",
        *(f"{'header:':10}{printable(name)} = {_readable(value)}" for name, value in letter.headers.items()),
        f"{'key:':10}{'none' if letter.key is None else _readable(letter.key)}",
    ]
    if letter.value is None:
        lines.append(f"{'value:':10}none")
    elif reveal:
        shown = _readable(letter.value)
        cut = f"... ({len(letter.value):,} bytes)" if len(shown) > _MOST_SHOWN else ""
        lines.append(f"{'value:':10}{shown[:_MOST_SHOWN]}{cut}")
    else:
        lines.append(f"{'value:':10}{printable(_masked(letter)['value'])[:_MOST_SHOWN]}")
    return "\n".join(lines)


def read_repairs(data: bytes, source: str) -> dict[Place, Repair]:
    """Read repaired letters, one JSON object a line, as `dlq show --json --reveal` prints them.

    `value` may be text or a JSON object. DeadLetterError names the line that cannot be used.
    """
    repairs: dict[Place, Repair] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            letter = json.loads(line)
            place = int(letter["partition"]), int(letter["offset"])
            if letter.get("hidden"):
                raise DeadLetterError(f"{source}, line {number}: the value is hidden in it; print it with --reveal.")
            repairs[place] = Repair(_given(letter, "key"), _given(letter, "value"))
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise DeadLetterError(f"{source}, line {number} is no line of `dlq show --json`: {error!r}") from error
    return repairs


def _given(letter: dict[str, Any], name: str) -> bytes | None:
    if f"{name}_base64" in letter:
        return base64.b64decode(letter[f"{name}_base64"], validate=True)
    value = letter.get(name)
    if value is None or isinstance(value, str):
        return None if value is None else value.encode()
    return orjson.dumps(value)


def _bytes(name: str, value: bytes | None) -> dict[str, str | None]:
    try:
        return {name: None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value or b"").decode()}


def _masked(letter: DeadLetter) -> dict[str, Any]:
    if letter.value is None:
        return {"value": None}
    try:
        data = orjson.loads(letter.value)
    except orjson.JSONDecodeError:
        return {"value": f"{len(letter.value):,} bytes that are no JSON {_HIDDEN}", "hidden": True}
    if not isinstance(data, dict):
        return {"value": f"{len(letter.value):,} bytes of JSON that is no object {_HIDDEN}", "hidden": True}
    private = _PRIVATE & data.keys()
    if not private:
        return _bytes("value", letter.value)
    shown = {name: _HIDDEN if name in private else value for name, value in data.items()}
    return {"value": orjson.dumps(shown).decode(), "hidden": True}


def _readable(value: bytes) -> str:
    return printable(value.decode(errors="backslashreplace"))
