"""Gives every open page the same bytes: a snapshot first, then deltas.

    board changes ──▶ at most ten times a second: one delta, encoded once ──▶ ring (resume) ──▶ every client

A client whose connection takes at once what it is given costs one call of `transport.write` for each delta. What it
does not take waits in its own queue, as references to the shared bytes, and is dealt out by a pump; who does not take
anything for `STALLED_S`, or is too far behind, is dropped and not waited for: a page that comes back resumes with the
id of the last message that it has.

    too far behind      `MOST_UNSENT` bytes; `MOST_WHILE_JOINING` beyond its snapshot until it has caught up once
    the peer is gone    the kernel ends the connection: nothing was acknowledged for `STALLED_S`
    session over        asked every `ASK_S`
    let in for a time   after it `again` is written and the connection closed: the page comes back with another request
    the console ends    all connections are closed; pages come back by themselves

Ids are `<instance>-<number>`: those of another process, or too old ones, lead to a snapshot.
"""

import asyncio
import logging
import math
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Literal, NamedTuple

import orjson

from alerts.console.board import Board, Changes
from alerts.console.entry import Phase
from schemas.times import from_ms

MOST_UNSENT: Final = 1_048_576
MOST_WHILE_JOINING: Final = 8 * 1_048_576
"""What a page may have before it besides its snapshot: dropping it then would only mean another snapshot."""

STALLED_S: Final = 20.0
ASK_S: Final = 5.0
PING_S: Final = 15.0
RING_S: Final = 300.0
RING_BYTES: Final = 16 * 1_048_576
LEAST_INTERVAL_S: Final = 0.1
TOGETHER_S: Final = 0.02
"""How long to wait for the state that belongs to an event, so that both are one delta."""

MANY: Final = 1_000
"""So many changes at once are a new snapshot, not a delta: pages would take longer for them one by one."""

_PUMP_S: Final = 0.02
_PIECE: Final = 128 * 1024
_PUMPED_AT_ONCE: Final = 8 * 1_048_576
_SEND_BUFFER: Final = 256 * 1024
_LONGEST_WAIT_S: Final = 1.0

Dropped = Literal["behind", "stalled", "session", "gone"]

log = logging.getLogger(__name__)


class Frame(NamedTuple):
    """One message of the stream: as it is, and as a chunk of HTTP/1.1."""

    plain: bytes
    chunk: bytes

    @classmethod
    def of(cls, event: str, data: bytes, number: str | None = None) -> "Frame":
        """Make it of JSON on one line."""
        head = f"event: {event}\n" if number is None else f"event: {event}\nid: {number}\n"
        return cls.of_plain(b"".join((head.encode(), b"data: ", data, b"\n\n")))

    @classmethod
    def of_plain(cls, plain: bytes) -> "Frame":
        """Make it of what it is without chunks."""
        return cls(plain, b"%x\r\n%b\r\n" % (len(plain), plain))


_AGAIN: Final = Frame.of("again", b"{}")


class Client:
    """One open page. `allowed` tells whether its session is still good, `done` is set when its stream has ended.

    `until`: how long, by `time.monotonic`, it may stay on the strength of one request.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        chunked: bool,
        session_id: str,
        allowed: Callable[[], bool],
        until: float = math.inf,
    ) -> None:
        self.transport = transport
        self.until = until
        self.session_id = session_id
        self.allowed = allowed
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.limit = MOST_UNSENT
        self._chunked = chunked
        self._queue: deque[memoryview | bytes] = deque()
        self._queued = 0
        self._written = 0
        self._taken = 0
        self._taken_at = time.monotonic()

    @property
    def waits(self) -> bool:
        """Whether something waits for the connection."""
        return bool(self._queue)

    @property
    def unsent(self) -> int:
        """How many bytes the connection has not taken."""
        return self._queued + self.transport.get_write_buffer_size()

    def give(self, frame: Frame) -> None:
        """Write a message, or queue it behind what waits."""
        data = frame.chunk if self._chunked else frame.plain
        if self._queue or len(data) > _PIECE or self.transport.get_write_buffer_size():
            self._queue.append(data)
            self._queued += len(data)
        else:
            self._written += len(data)
            self.transport.write(data)
            self._note_whether_caught_up()

    def pump(self) -> int:
        """Write as much of what waits as the connection takes; return how much that is."""
        before = self._written
        while self._queue and not self.transport.get_write_buffer_size():
            first = self._queue.popleft()
            if len(first) > _PIECE:
                rest = memoryview(first)
                first = rest[:_PIECE]
                self._queue.appendleft(rest[_PIECE:])
            self._queued -= len(first)
            self._written += len(first)
            self.transport.write(first)
        self._note_whether_caught_up()
        return self._written - before

    def is_stalled(self, now: float) -> bool:
        """Tell whether it has taken nothing for too long although something waits."""
        unsent = self.transport.get_write_buffer_size()
        taken = self._written - unsent
        if taken != self._taken or not (unsent or self._queue):
            self._taken, self._taken_at = taken, now
        return now - self._taken_at > STALLED_S

    def _note_whether_caught_up(self) -> None:
        if not self.unsent:
            self.limit = MOST_UNSENT

    def end(self) -> None:
        """Let the handler of its request return."""
        if not self.done.done():
            self.done.set_result(None)


class Hub:
    """All open pages. `health` returns the present health as JSON; `clock` seconds since 1970."""

    def __init__(
        self,
        board: Board,
        health: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
        *,
        dropped: Callable[[Dropped], None] = lambda _: None,
        written: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.instance = secrets.token_hex(4)
        self.clients: set[Client] = set()
        self._board = board
        self._health = health
        self._clock = clock
        self._dropped = dropped
        self._written = written
        self._number = 0
        self._counts: dict[Phase, int] | None = None
        self._ring: deque[tuple[float, int, bytes]] = deque()
        self._ring_bytes = 0
        self._ring_from = 0
        self._joining: list[Client] = []
        self._waiting: set[Client] = set()
        self._awake = asyncio.Event()
        self._health_changed = False
        self._snapshot: tuple[tuple[int, bytes], bytes] = ((-1, b""), b"")
        self._flushed = 0.0

    @property
    def id(self) -> str:
        """The id of the last message."""
        return f"{self.instance}-{self._number}"

    @property
    def pages(self) -> int:
        """How many pages are open, also those that have no snapshot yet."""
        return len(self.clients) + len(self._joining)

    def wake(self, *, health: bool = False) -> None:
        """Say that the board, or the health, has changed."""
        self._health_changed |= health
        self._awake.set()

    def of_session(self, session_id: str) -> int:
        """Return how many pages a session has open, also those that have no snapshot yet."""
        return sum(each.session_id == session_id for each in (*self.clients, *self._joining))

    def join(self, client: Client, last_id: str | None) -> None:
        """Take a page in: it gets what it has missed since `last_id`, or a snapshot, and then all that comes."""
        _tune(client.transport)
        self.clients.add(client)
        missed = self._missed(last_id)
        if missed is None:
            # With the next delta, so that all that join at the same time share a snapshot.
            self.clients.discard(client)
            self._joining.append(client)
            self._awake.set()
            return
        for frame in missed:
            self._give(client, frame)
        client.limit = MOST_WHILE_JOINING + client.unsent

    def leave(self, client: Client) -> None:
        """Forget a page."""
        self.clients.discard(client)
        self._waiting.discard(client)
        with suppress(ValueError):
            self._joining.remove(client)
        client.end()

    def snapshot(self) -> bytes:
        """Return all as JSON of `models.Snapshot`."""
        health = self._health()
        made = (self._board.version, health)
        if self._snapshot[0] != made:
            board = self._board
            body = b"".join(
                (
                    b'"products":[',
                    b",".join(board.products()),
                    b'],"counts":%b,"watchlist":' % orjson.dumps(board.counts()),
                    board.watchlist(),
                    b',"events":[',
                    b",".join(line.json for line in board.events()),
                    b'],"health":',
                    health,
                )
            )
            self._snapshot = (made, body)
        return b"{%b,%b}" % (self._head(), self._snapshot[1])

    async def run(self) -> None:
        """Serve until cancelled; then close all."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._flush_on_changes())
                tasks.create_task(self._pump())
                tasks.create_task(self._keep_house())
        finally:
            self.close()

    def close(self) -> None:
        """End all streams."""
        for client in (*self.clients, *self._joining):
            client.transport.close()
            client.end()
        self.clients.clear()
        self._joining.clear()

    def flush(self) -> None:
        """Write what has changed to every page, and a snapshot to those that have come."""
        health, self._health_changed = self._health_changed, False
        if self._board.pending > MANY:
            self._begin_anew(self._board.take_changes(lines_only=True))
        elif self._board.is_changed or health:
            changes = self._board.take_changes()
            if changes or health:
                self._number += 1
                self._broadcast(Frame.of("delta", self._delta(changes, health=health), self.id))
                self._tell_delays(changes)
        if self._joining:
            joining, self._joining = self._joining, []
            frame = Frame.of("snapshot", self.snapshot(), self.id)
            for client in joining:
                self.clients.add(client)
                client.limit = MOST_WHILE_JOINING + len(frame.plain)
                self._give(client, frame)

    def _begin_anew(self, changes: Changes) -> None:
        self._number += 1
        self._ring.clear()
        self._ring_bytes = 0
        self._ring_from = self._number
        self._counts = self._board.counts()
        frame = Frame.of("snapshot", self.snapshot(), self.id)
        for client in self.clients:
            client.limit = MOST_WHILE_JOINING + len(frame.plain)
            self._give(client, frame)
        self._tell_delays(changes)

    def _delta(self, changes: Changes, *, health: bool) -> bytes:
        parts = [self._head()]
        if changes.products:
            parts.append(b'"products":[%b]' % b",".join(changes.products))
        if changes.gone:
            parts.append(b'"gone":%b' % orjson.dumps(changes.gone))
        counts = self._board.counts()
        if self._counts != counts:
            self._counts = counts
            parts.append(b'"counts":%b' % orjson.dumps(counts))
        if changes.watchlist is not None:
            parts.append(b'"watchlist":%b' % changes.watchlist)
        if changes.lines:
            parts.append(b'"events":[%b]' % b",".join(line.json for line in changes.lines))
        if health:
            parts.append(b'"health":%b' % self._health())
        return b"{%b}" % b",".join(parts)

    def _head(self) -> bytes:
        return b'"id":"%b","now":"%b"' % (self.id.encode(), from_ms(int(self._clock() * 1000)).encode())

    def _broadcast(self, frame: Frame) -> None:
        now = time.monotonic()
        self._ring.append((now, self._number, frame.plain))
        self._ring_bytes += len(frame.plain)
        while self._ring and (self._ring_bytes > RING_BYTES or self._ring[0][0] < now - RING_S):
            _, number, old = self._ring.popleft()
            self._ring_bytes -= len(old)
            self._ring_from = number
        for client in self.clients:
            self._give(client, frame)

    def _give(self, client: Client, frame: Frame) -> None:
        client.give(frame)
        if client.waits:
            self._waiting.add(client)

    def _missed(self, last_id: str | None) -> Iterable[Frame] | None:
        """Return what came after a message; None where that is not known any more."""
        instance, _, number = (last_id or "").rpartition("-")
        if instance != self.instance or not number.isdecimal() or len(number) > len(str(self._number)):
            return None
        last = int(number)
        if not self._ring_from <= last <= self._number:
            return None
        return [Frame.of_plain(plain) for _, each, plain in self._ring if each > last]

    def _tell_delays(self, changes: Changes) -> None:
        for line in changes.lines:
            self._written(line.known_ms)

    async def _flush_on_changes(self) -> None:
        while True:
            await self._awake.wait()
            await asyncio.sleep(max(TOGETHER_S, self._flushed + LEAST_INTERVAL_S - time.monotonic()))
            self._awake.clear()
            self._flushed = time.monotonic()
            self.flush()

    def pump(self) -> None:
        """Write what waits, as far as connections take it."""
        budget = _PUMPED_AT_ONCE
        for client in list(self._waiting):
            budget -= client.pump()
            if not client.waits:
                self._waiting.discard(client)
            if budget <= 0:
                break

    async def _pump(self) -> None:
        while True:
            self.pump()
            await asyncio.sleep(_PUMP_S)

    def ping(self) -> None:
        """Write a ping to every page."""
        frame = Frame.of("ping", b'{"now":"%b"}' % from_ms(int(self._clock() * 1000)).encode())
        for client in self.clients:
            self._give(client, frame)

    def inspect(self, now: float, *, ask: bool) -> None:
        """Drop who is gone, behind or stalled, and, with `ask`, whose session is over. `now`: of `time.monotonic`."""
        for client in list(self.clients):
            why = self._why_not(client, now, ask=ask)
            if why is not None:
                self._drop(client, why)
            elif client.until <= now and not client.waits:
                client.give(_AGAIN)
                client.transport.close()
                self.leave(client)

    async def _keep_house(self) -> None:
        pinged = asked = time.monotonic()
        while True:
            await asyncio.sleep(_LONGEST_WAIT_S)
            now = time.monotonic()
            if now - pinged >= PING_S:
                pinged = now
                self.ping()
            ask = now - asked >= ASK_S
            asked = now if ask else asked
            self.inspect(now, ask=ask)

    def _why_not(self, client: Client, now: float, *, ask: bool) -> Dropped | None:
        if client.transport.is_closing():
            return "gone"
        if client.unsent > client.limit:
            return "behind"
        if client.is_stalled(now):
            return "stalled"
        return "session" if ask and not client.allowed() else None

    def _drop(self, client: Client, why: Dropped) -> None:
        if why == "session":
            client.transport.close()
        elif why != "gone":
            client.transport.abort()
        self._dropped(why)
        self.leave(client)


def _tune(transport: asyncio.Transport) -> None:
    """Keep the kernel from taking megabytes for a page that does not read, and from waiting for one that is gone."""
    raw = transport.get_extra_info("socket")
    if raw is None or raw.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_S * 1000))
