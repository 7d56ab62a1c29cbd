"""A line between browser and console that can be cut, stalled and mended, as networks do it."""

import asyncio
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"


class Line:
    """Passes everything on to a port of this machine, under a port of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_cut = False

    @property
    def url(self) -> str:
        """Where the console is, through this line."""
        assert self._server is not None
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Close every connection, and every new one at once, until it is mended."""
        self._is_cut = True
        for each in list(self._open):
            each.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def stall(self) -> None:
        """Let nothing through, without closing anything: nobody is told."""
        self._flows.clear()

    def mend(self) -> None:
        """Let everything through again; what had stalled goes on where it was."""
        self._is_cut = False
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if not self._is_cut:
                await self._join(reader, writer)
        except asyncio.CancelledError:
            # Cut, by us; the server would tell of a handler that was cancelled.
            writer.transport.abort()
        finally:
            self._open.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            back_reader, back_writer = await asyncio.open_connection(HOST, self._target)
            try:
                async with asyncio.TaskGroup() as both:
                    there = both.create_task(self._pass_on(reader, back_writer))
                    back = both.create_task(self._pass_on(back_reader, writer))
                    await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
                    there.cancel()
                    back.cancel()
            finally:
                back_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
