"""Whether a worker makes progress, and the small HTTP server that says so: ``/healthz`` and ``/stats``.

A worker can be alive and not consume, so an answer alone means nothing: ``/healthz`` is 503 when a partition has frames
and none has been applied for ``PATIENCE_S``, or when its lane is not open for so long.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson

PATIENCE_S: Final = 30.0
_REQUEST_S: Final = 5.0

Behind = Mapping[int, int | None]
"""Frames that each partition is behind; None where the lane is not open."""


class Health:
    """Remembers when each partition last made progress. Times are seconds of a clock that never jumps."""

    def __init__(self) -> None:
        self._good: dict[int, tuple[float, int | None]] = {}

    def observe(self, now_s: float, behind: Behind, applied: Mapping[int, int]) -> None:
        """Look at how far partitions are behind, and at the next frame of each open lane."""
        before, self._good = self._good, {}
        for number, frames in behind.items():
            place = applied.get(number)
            since, was = before.get(number, (now_s, None))
            progressed = number not in before or frames == 0 or (place is not None and place != was)
            self._good[number] = (now_s if progressed else since, place)

    def problems(self, now_s: float) -> list[str]:
        """Return what is wrong, one sentence for each partition; nothing when all is well."""
        found = []
        for number, (since_s, place) in sorted(self._good.items()):
            silent_s = now_s - since_s
            if silent_s > PATIENCE_S:
                what = "its lane is not open" if place is None else f"frame {place} is there and is not applied"
                found.append(f"partition {number}: {what}, for {silent_s:.0f} s")
        return found


Answer = Callable[[], tuple[HTTPStatus, Any]]


async def serve(port: int, answers: Mapping[str, Answer]) -> asyncio.Server:
    """Listen on all addresses; answer GET of each path with JSON. Close the returned server to end it."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_response(head, answers))
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    return await asyncio.start_server(converse, port=port)


def _response(head: bytes, answers: Mapping[str, Answer]) -> bytes:
    method, _, rest = head.partition(b" ")
    answer = answers.get(rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1"))
    if method != b"GET":
        status, content = HTTPStatus.METHOD_NOT_ALLOWED, None
    elif answer is None:
        status, content = HTTPStatus.NOT_FOUND, None
    else:
        status, content = answer()
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    ).encode() + body
