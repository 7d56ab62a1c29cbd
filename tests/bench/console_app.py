"""A console for the benchmark, in a process of its own: `python -m tests.bench.console_app <settings as JSON>`.

Its doors stand open; whoever comes in is asked nothing. It says `ready <seconds> <port>` when it shows everything.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from alerts.console import server
from alerts.console.config import ConsoleConfig
from alerts.console.server import Console
from schemas.topics import TopicNames
from tests.alerts.console.open_doors import OpenDoors


class _Well:
    async def look(self) -> Mapping[str, Any]:
        return {"intakes": 1, "workers": 1, "intake_lag": 0, "worker_lag": 0, "behind_s": 0.0, "inputs": ()}


async def _main(settings: Mapping[str, Any]) -> None:
    began = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def prepare() -> None:
        pass

    async def say(console: Console) -> None:
        await console.follower.ready.wait()
        sys.stdout.write(f"ready {time.monotonic() - began:.2f} {settings['port']}\n")
        sys.stdout.flush()

    @asynccontextmanager
    async def serving(_: int | None, console: Console) -> AsyncIterator[None]:
        task = asyncio.create_task(say(console))
        yield
        task.cancel()

    config = ConsoleConfig(
        client={"bootstrap_servers": settings["bootstrap"]},
        topics=TopicNames(prefix=settings["prefix"]),
        partitions=settings["partitions"],
        port=settings["port"],
    )
    await server.run(config, stop, CollectorRegistry(), prepare, serving, _Well(), OpenDoors)


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
