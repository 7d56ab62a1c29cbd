"""Open pages for the benchmark: `python -m tests.bench.console_pages <port> <pages> <number of this process>`.

Each is one connection that reads the stream and looks for marks: events whose cause names `at=<ms>`, the time of their
record. At the end (SIGTERM) the delays are written as JSON: milliseconds from the mark to each page.
"""

import asyncio
import json
import signal
import sys
import time
from array import array
from functools import partial
from typing import Final

MARK: Final = b'"at='
_OF_A_SESSION: Final = 20
_DIGITS: Final = 13
_TAIL: Final = len(MARK) + _DIGITS


class _Page(asyncio.Protocol):
    """Notes how late each mark is, and how many bytes came. A mark may be cut in two by the network."""

    def __init__(self, number: str, delays: "array[int]") -> None:
        self.received = 0
        self.lost = False
        self.joined = asyncio.Event()
        self._request = f"GET /api/v1/stream HTTP/1.1\r\nHost: bench\r\nX-Session: {number}\r\n\r\n".encode()
        self._delays = delays
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        text = self._rest + data
        if not self.joined.is_set():
            # The snapshot holds marks of before.
            if b"event: delta" in text:
                self.joined.set()
            self._rest = text[-_TAIL:]
            return
        now = int(time.time() * 1000)
        begin = text.find(MARK)
        while begin >= 0 and begin + _TAIL <= len(text):
            self._delays.append(now - int(text[begin + len(MARK) : begin + _TAIL]))
            begin = text.find(MARK, begin + _TAIL)
        self._rest = text[-_TAIL:] if begin < 0 else text[begin:]
        if begin < 0 and MARK in self._rest:
            self._rest = self._rest[-len(MARK) + 1 :]

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
        self.joined.set()


def _same(page: _Page) -> _Page:
    return page


async def _main(port: int, pages: int, process: str) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    delays: array[int] = array("q")
    opened = []
    for number in range(pages):
        page = _Page(f"{process}-{number // _OF_A_SESSION}", delays)
        await loop.create_connection(partial(_same, page), "127.0.0.1", port)
        opened.append(page)
    await asyncio.gather(*(page.joined.wait() for page in opened))
    sys.stdout.write("joined\n")
    sys.stdout.flush()
    del delays[:]
    await stop.wait()
    lost = sum(page.lost for page in opened)
    sys.stdout.write(
        json.dumps({"delays": list(delays), "bytes": sum(page.received for page in opened), "lost": lost}) + "\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
