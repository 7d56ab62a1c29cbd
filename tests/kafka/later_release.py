"""`livefuse` of a release that does not exist yet: the same program, with the next version of everything it stores.

    python -m tests.kafka.later_release reads worker      the next release: reads version 2, still writes version 1
    python -m tests.kafka.later_release writes worker     the one after that: reads both, writes version 2

The formats are replaced before anything that uses them is imported, so the product knows nothing of this. Version 2
holds the same facts in other bytes that a reader of version 1 can make nothing of.
"""

import sys
import zlib
from typing import Final

import orjson

from streams import frames
from streams.engine import codec
from streams.engine.state import ProductState
from streams.frames import Frame

NEXT: Final = 2


def replace(*, writes: bool) -> None:
    """Let this process read version 2 of states and frames, and write it if it `writes`."""
    encode, decode, is_settled = codec.encode, codec.decode, codec.is_settled

    def encode_next(state: ProductState) -> bytes:
        value = encode(state)
        return bytes([NEXT]) + value[1:2] + zlib.compress(value[2:], 1)

    def decode_any(product_id: str, value: bytes) -> ProductState:
        return decode(product_id, before(value))

    def before(value: bytes) -> bytes:
        return b"\x01" + value[1:2] + zlib.decompress(value[2:]) if value[0] == NEXT else value

    codec.decode = decode_any
    codec.is_settled = lambda value: is_settled(b"\x01" + value[1:2])
    encode_frame, decode_frame = frames.encode, frames.decode

    def encode_next_frame(frame: Frame) -> bytes:
        return orjson.dumps({"v": NEXT, "frame": encode_frame(frame).decode()})

    def decode_any_frame(value: bytes | None) -> Frame:
        data = orjson.loads(value or b"")
        return decode_frame(data["frame"].encode() if data["v"] == NEXT else value)

    frames.decode = decode_any_frame
    if writes:
        codec.encode = encode_next
        frames.encode = encode_next_frame


if __name__ == "__main__":
    replace(writes=sys.argv.pop(1) == "writes")
    from deploy.cli import main

    main()
