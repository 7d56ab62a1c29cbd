"""A show in progress: Kafka, an intake, a worker and a console, all as processes, with accounts for its people.

async with Show.on(broker, prefix, directory) as show:
    await show.shop.complain("mug")
    mei = await Person.at(chromium, show.url)
"""

import json
import urllib.error
import urllib.request
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from argon2 import PasswordHasher

from alerts.console.accounts import AccountsFile
from alerts.console.identity import Role
from deploy.embedded import HOST, free_port
from schemas.audit import AuditEntry
from schemas.events import FuseEvent
from tests.browser.shop import Shop
from tests.kafka.cluster import Cluster, Service, until
from tests.kafka.reading import committed

PASSWORD: Final = "correct horse battery"
PEOPLE: Final[dict[str, Role]] = {"mei": "operator", "jun": "operator", "lin": "viewer", "bo": "admin"}
PATIENCE: Final = timedelta(seconds=60)
QUICK: Final = timedelta(milliseconds=50)


class Show:
    """What runs. `url` is where the console is."""

    def __init__(self, cluster: Cluster, shop: Shop, port: int) -> None:
        self.cluster = cluster
        self.shop = shop
        self.port = port
        self.intake: Service = cluster.intake()
        self.worker: Service = cluster.worker()
        self.console: Service = cluster.console()

    @classmethod
    @asynccontextmanager
    async def on(cls, bootstrap: str, prefix: str, directory: Path, **settings: str) -> AsyncIterator["Show"]:
        """Run it while entered; it is ready at once."""
        accounts = AccountsFile(directory / "accounts", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        for name, role in PEOPLE.items():
            accounts.add(name, role, PASSWORD)
        (directory / "key").write_text("k" * 40)
        port, web_port = free_port(), free_port()
        own = {
            "LIVEFUSE_CONSOLE__PORT": str(port),
            "LIVEFUSE_CONSOLE__WEB_PORT": str(web_port),
            "LIVEFUSE_CONSOLE__ACCOUNTS_FILE": str(accounts.path),
            "LIVEFUSE_CONSOLE__KEY_FILE": str(directory / "key"),
        }
        with Cluster(bootstrap, prefix, directory, **own, **settings) as cluster:
            cluster.apply_topics()
            async with Shop(bootstrap, cluster.names) as shop:
                show = cls(cluster, shop, port)
                await show.serving()
                yield show

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.port}"

    async def serving(self) -> None:
        """Wait until the console knows what holds, and an intake and a worker run."""

        async def is_well() -> bool:
            metrics = self.cluster.environment["LIVEFUSE_CONSOLE__WEB_PORT"]
            return await to_thread(answers, f"http://{HOST}:{metrics}/readyz")

        await until(is_well, "the console is ready", within=PATIENCE, between=QUICK, state=self.console.tail)

    async def events(self, product_id: str) -> list[tuple[FuseEvent, int]]:
        """Return the fuse events of a product, and when (ms) each was written."""
        found = await committed(self.cluster.bootstrap, self.cluster.names.fuse_events)
        return [
            (FuseEvent.model_validate_json(each.value), each.timestamp)
            for each in found
            if each.key == product_id.encode()
        ]

    async def audit(self, product_id: str | None = None) -> list[AuditEntry]:
        """Return the lines of the audit, those of one product or all."""
        found = await committed(self.cluster.bootstrap, self.cluster.names.audit)
        lines = [AuditEntry.model_validate_json(each.value) for each in found]
        return [each for each in lines if product_id in {None, each.product_id}]

    async def commands(self, product_id: str) -> list[dict[str, Any]]:
        """Return the commands for a product."""
        found = await committed(self.cluster.bootstrap, self.cluster.names.commands)
        return [json.loads(each.value) for each in found if each.key == product_id.encode()]


def answers(url: str) -> bool:
    """Tell whether an address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (of this machine)
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


async def eventually(holds: Callable[[], Any], what: str, within: timedelta = PATIENCE) -> None:
    """Wait until an awaitable condition holds."""

    async def it_holds() -> bool:
        return bool(await holds())

    await until(it_holds, what, within=within, between=QUICK)
