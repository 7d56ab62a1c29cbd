"""Two real Alertmanagers of one cluster, each behind a gate that can hold up what the pager says to it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.embedded import HOST, free_port
from deploy.tether import tethered
from tests.deploy.monitoring.receivers import configured
from tests.kafka.cluster import until

PATIENCE: Final = timedelta(seconds=90)
PEER_TIMEOUT: Final = "2s"
"""As deploy/monitoring/alertmanager.yml wants it: below the group_interval of fuses."""

_FUSES: Final = b'"FuseOpen"'


class Gate:
    """Passes requests on to an Alertmanager. `alerts` are all that the pager has told of."""

    def __init__(self, target: str, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.alerts: list[dict[str, Any]] = []
        self._target = target
        self._session = session
        self._requests, self._answers = asyncio.Event(), asyncio.Event()
        self._requests.set()
        self._answers.set()
        self._waiting: list[web.Request] = []

    @contextmanager
    def holding(self, *, answers: bool = False) -> Iterator[None]:
        """Hold up what is told of fuses, or only the `answers`. After the block it goes on, if its sender lives."""
        door = self._answers if answers else self._requests
        door.clear()
        try:
            yield
        finally:
            door.set()

    async def held(self) -> None:
        """Wait until something is held up whose sender lives."""
        await self._until(lambda: any(not _is_lost(each) for each in self._waiting), "something is held up")

    async def lost(self) -> None:
        """Wait until the senders of all that is held up are gone."""
        await self._until(lambda: all(map(_is_lost, self._waiting)), "the senders of what is held up are gone")

    async def told(self, product_id: str, number: int = 1) -> None:
        """Wait until the pager has told of a product so many times."""
        await self._until(
            lambda: sum(each["labels"].get("product_id") == product_id for each in self.alerts) >= number,
            f"the pager tells of {product_id}",
        )

    async def take(self, request: web.Request) -> web.Response:
        """Pass on a request, and its answer."""
        body = await request.read()
        self.alerts += await request.json()
        await self._pass(request, self._requests, body)
        try:
            async with self._session.post(
                f"{self._target}{request.path}", data=body, headers={"content-type": "application/json"}
            ) as answer:
                said = await answer.read()
        except aiohttp.ClientError:
            raise web.HTTPBadGateway from None
        await self._pass(request, self._answers, body)
        return web.Response(status=answer.status, body=said)

    async def _pass(self, request: web.Request, door: asyncio.Event, body: bytes) -> None:
        if door.is_set() or _FUSES not in body:
            return
        self._waiting.append(request)
        await door.wait()
        self._waiting.remove(request)
        if _is_lost(request):
            raise web.HTTPServiceUnavailable

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        async def holds() -> bool:
            return condition()

        await until(holds, what, within=PATIENCE, between=timedelta(seconds=0.02))


def _is_lost(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


class Alertmanager:
    """One of the two: a process, and the gate before it."""

    def __init__(self, directory: Path, port: int, gossip: tuple[int, int], session: aiohttp.ClientSession) -> None:
        self.web = free_port()
        self.url = f"http://{HOST}:{self.web}"
        self.gate = Gate(self.url, session)
        self.name = ""
        directory.mkdir(parents=True)
        ours, other = gossip
        self._log = directory / "log"
        self._session = session
        self._command = [
            *configured(
                directory,
                port,
                f"--cluster.listen-address={HOST}:{ours}",
                f"--cluster.peer={HOST}:{other}",
                f"--cluster.peer-timeout={PEER_TIMEOUT}",
                # They wait for each other before they begin, for forty times as long: two seconds.
                "--cluster.gossip-interval=50ms",
            ),
            f"--web.listen-address={HOST}:{self.web}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(tethered(self._command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """`kill -9`, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def status(self) -> tuple[str, int]:
        """Return whether it has found its cluster, and how many belong to it."""
        try:
            async with self._session.get(f"{self.url}/api/v2/status") as answer:
                cluster = (await answer.json())["cluster"]
        except (aiohttp.ClientError, TimeoutError):
            return "away", 0
        self.name = cluster.get("name", "")
        return cluster["status"], len(cluster.get("peers", ()))

    async def looked(self) -> int:
        """Return how often it has asked itself whether there is something to notify."""
        async with self._session.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        return int(float(next(line for line in text.splitlines() if line.startswith(_LOOKED)).split()[1]))


_LOOKED: Final = "alertmanager_nflog_queries_total "


class Alertmanagers:
    """Both."""

    def __init__(self, both: list[Alertmanager]) -> None:
        self.both = both

    @classmethod
    @asynccontextmanager
    async def opened(cls, directory: Path, port: int) -> AsyncIterator[Self]:
        """Make both, with the server at `port` as their receivers; what runs in the end is ended."""
        gossip = free_port(), free_port()
        async with aiohttp.ClientSession() as session:
            both = [
                Alertmanager(directory / f"alertmanager-{number}", port, pair, session)
                for number, pair in enumerate((gossip, gossip[::-1]), 1)
            ]
            servers = [await _serve(each.gate) for each in both]
            try:
                yield cls(both)
            finally:
                for each in both:
                    each.kill()
                for server in servers:
                    await server.close()

    @property
    def urls(self) -> str:
        """Where the pager finds them, as its setting has it."""
        return ",".join(each.gate.url for each in self.both)

    @property
    def first(self) -> Alertmanager:
        """The one that notifies; the other one waits for PEER_TIMEOUT whether it does."""
        return min(self.both, key=lambda each: each.name)

    @property
    def second(self) -> Alertmanager:
        """The one that waits."""
        return max(self.both, key=lambda each: each.name)

    async def settled(self) -> None:
        """Start those that do not run, and wait until they have found each other."""
        for each in self.both:
            each.start()

        async def found() -> bool:
            return all([await each.status() == ("ready", len(self.both)) for each in self.both])

        await until(found, "the Alertmanagers find each other", within=PATIENCE)

    @contextmanager
    def holding(self, *, answers: bool = False) -> Iterator[None]:
        """Hold up what both are told of fuses, or only their answers."""
        with self.both[0].gate.holding(answers=answers), self.both[1].gate.holding(answers=answers):
            yield

    async def held(self) -> None:
        """Wait until something is held up at both."""
        await asyncio.gather(*(each.gate.held() for each in self.both))

    async def lost(self) -> None:
        """Wait until the senders of all that is held up are gone."""
        await asyncio.gather(*(each.gate.lost() for each in self.both))

    async def told(self, product_id: str, number: int = 1) -> None:
        """Wait until the pager has told both of a product so many times."""
        await asyncio.gather(*(each.gate.told(product_id, number) for each in self.both))

    async def between_looks(self, number: int = 1) -> None:
        """Wait until the second one has looked so many times, and so holds no older view of the only fuse that is open.

        What it sees when its turn comes, it tells PEER_TIMEOUT later; and if the first one has told of the end in the
        meantime, it tells of the fuse again. See deploy/monitoring/alertmanager.yml. It has then also heard from the
        first one of what that has told, which is not so when that is lost right after a page.
        """
        before = await self.second.looked()

        async def has_looked() -> bool:
            return await self.second.looked() >= before + number

        await until(has_looked, "it looks", within=PATIENCE, between=timedelta(seconds=0.05))


async def _serve(gate: Gate) -> TestServer:
    app = web.Application()
    app.router.add_post("/api/v2/alerts", gate.take)
    server = TestServer(app, skip_url_asserts=True)
    await server.start_server()
    gate.url = str(server.make_url("/")).rstrip("/")
    return server
