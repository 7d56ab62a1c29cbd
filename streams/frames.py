"""Frames: what intake writes to ``livefuse.signals`` and workers read, one Kafka record each.

A frame holds many signals of one signals partition, in the order in which its intake merged them, and says how far
that intake is:

``sources``  the source partitions that the intake reads (``topic/partition``); signals name them by index;
``others``   the source partitions that other intakes read; empty when the intake reads them all;
``passed``   ms: every signal of ``sources`` up to this time stands in this frame or before it (late records
excepted); ``live``     whether the intake was caught up with all of its sources.

A frame without signals is a tick. Version 1 is JSON:
``{"v":1,"writer":...,"sources":[...],"others":[...],"passed":...,"live":0|1,"signals":[...]}``.
"""

from typing import Final, NamedTuple

import orjson

from schemas.errors import FrameError, other_version
from streams.engine.signals import Signal

VERSION: Final = 1


class Frame(NamedTuple):
    """One record of the signals topic."""

    writer: str
    sources: list[str]
    others: list[str]
    passed: int
    live: bool
    signals: list[Signal]


def encode(frame: Frame) -> bytes:
    """Return the frame's bytes."""
    return orjson.dumps(
        {
            "v": VERSION,
            "writer": frame.writer,
            "sources": frame.sources,
            "others": frame.others,
            "passed": frame.passed,
            "live": 1 if frame.live else 0,
            "signals": frame.signals,
        }
    )


def decode(value: bytes | None) -> Frame:
    """Return the frame in ``value``; :class:`FrameError` if it is none, or of another version."""
    try:
        data = orjson.loads(value or b"")
        version = data["v"]
        if version != VERSION:
            raise FrameError(f"{other_version('the frame', version, VERSION)} (workers before intakes)")
        return Frame(
            data["writer"], data["sources"], data["others"], data["passed"], bool(data["live"]), data["signals"]
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        msg = f"not a frame: {error!r}"
        raise FrameError(msg) from error
