"""A console's application with its real doors and without a Kafka: what it would write to the audit stays in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from alerts.console.config import ConsoleConfig
from alerts.console.doors import Doors
from alerts.console.server import Console
from deploy.embedded import HOST, free_port
from schemas.audit import AuditEntry
from schemas.topics import TopicNames
from tests.alerts.console.doorway import Nothing, accounts_in


class Entrance:
    """A console at which one may sign in."""

    def __init__(self, console: Console, url: str) -> None:
        self.console = console
        self.url = url

    def audit(self) -> list[AuditEntry]:
        """Return the lines, oldest first."""
        doors: Any = self.console.doors
        return list(doors._audit.newest())[::-1]  # noqa: SLF001


@asynccontextmanager
async def entrance(folder: Path, *, is_read: bool = True, **changes: Any) -> AsyncIterator[Entrance]:
    """Serve a console that reads and writes nothing. `is_read`: as if it had read the audit."""
    port = changes.pop("port", None) or free_port()
    url = f"http://{HOST}:{port}"
    config = ConsoleConfig(
        client={"bootstrap_servers": f"{HOST}:1"},
        topics=TopicNames(),
        partitions=1,
        port=port,
        url=url,
        accounts_file=accounts_in(folder),
    )
    console = Console(replace(config, **changes), Nothing(), CollectorRegistry(), Doors)
    doors: Any = console.doors
    runner = web.AppRunner(console.application())
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        if is_read:
            doors._audit.ready.set()  # noqa: SLF001
        yield Entrance(console, url)
    finally:
        await runner.cleanup()
        if doors._oidc is not None:  # noqa: SLF001
            await doors._oidc.close()  # noqa: SLF001
