"""A web server that is every receiver of our Alertmanager configuration, and the command line of an Alertmanager."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from deploy.embedded import HOST, free_port
from tests.debian import program
from tests.deploy.monitoring.test_configuration import alertmanager

PATIENCE_S = 60.0


class Receivers:
    """Takes notifications; remembers when (`time.monotonic`), for which receiver, and of which alerts."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, dict[str, Any]]] = []
        self.port = free_port()

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Self]:
        """Listen for a while."""
        taking = cls()
        server = web.Application()
        server.router.add_post("/{name}", taking.take)
        runner = web.AppRunner(server)
        await runner.setup()
        await web.TCPSite(runner, HOST, taking.port).start()
        try:
            yield taking
        finally:
            await runner.cleanup()

    async def take(self, request: web.Request) -> web.Response:
        self.told.append((time.monotonic(), request.match_info["name"], await request.json()))
        return web.Response()

    def of(self, receiver: str, status: str = "firing") -> list[dict[str, Any]]:
        return [said for _, name, said in self.told if name == receiver and said["status"] == status]

    async def until(self, receiver: str, count: int, status: str = "firing") -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.of(receiver, status)) < count:
            assert time.monotonic() < deadline, self.told
            await asyncio.sleep(0.02)


def configured(directory: Path, port: int, *cluster: str) -> list[str]:
    """Return the command line of an Alertmanager whose receivers are all the server at `port`.

    Without arguments for a `cluster` it is alone.
    """
    read = alertmanager()
    read["receivers"] = [
        {"name": each["name"], "webhook_configs": [{"url": f"http://{HOST}:{port}/{each['name']}"}]}
        for each in read["receivers"]
    ]
    file = directory / "alertmanager.yml"
    file.write_text(yaml.safe_dump(read))
    return [
        program("prometheus-alertmanager"),
        f"--config.file={file}",
        f"--storage.path={directory}",
        *(cluster or ("--cluster.listen-address=",)),
    ]


async def answers(url: str) -> None:
    """Wait until an address answers with 200."""
    deadline = time.monotonic() + PATIENCE_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
