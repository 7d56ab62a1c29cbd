"""A whole console with its real doors, on a Kafka, in this process; and people who come to it.

async with doorway(cluster, tmp_path) as door:
async with door.person("mei") as mei:
status, body = await mei.order("p1", "pause")
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry
from yarl import URL

from alerts.console import server
from alerts.console.accounts import AccountsFile
from alerts.console.config import ConsoleConfig
from alerts.console.doors import Doors
from alerts.console.identity import Role
from alerts.console.server import Console
from deploy.embedded import HOST, free_port
from schemas.audit import AuditEntry
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, until
from tests.kafka.reading import Record, committed

PATIENCE: Final = timedelta(seconds=60)
QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PEOPLE: Final[Mapping[str, Role]] = {"mei": "operator", "bo": "operator", "ann": "admin", "vic": "viewer"}

Answer = tuple[int, dict[str, Any]]


def password_of(name: str) -> str:
    return f"the password of {name}"


def accounts_in(folder: Path) -> Path:
    """Return a file with one account for each of PEOPLE."""
    path = folder / "accounts.json"
    if not path.exists():
        file = AccountsFile(path, QUICK)
        for name, role in PEOPLE.items():
            file.add(name, role, password_of(name))
    return path


class Person:
    """Somebody at a browser, with cookies of their own. `csrf` is None until they have signed in."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.csrf: str | None = None
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(url)])
        self.http = aiohttp.ClientSession(url, cookie_jar=jar)

    async def sign_in(self, password: str | None = None) -> Answer:
        status, body = await self.post(
            "/api/v1/login", {"name": self.name, "password": password or password_of(self.name)}
        )
        self.csrf = body.get("csrf")
        return status, body

    async def get(self, path: str, **headers: str) -> Answer:
        async with self.http.get(path, headers=headers) as response:
            return response.status, await _body(response)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Send what the console's own page would send; `headers` replace its headers, empty ones leave them out."""
        given = {"Origin": self.url, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self.csrf or ""}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in given.items() if value}
        async with self.http.post(path, json=body, headers=kept) as response:
            return response.status, await _body(response)

    async def order(self, product_id: str, action: str, **more: Any) -> Answer:
        headers = {name: more.pop(name) for name in list(more) if name in {"Origin", "X_CSRF_Token", "Sec_Fetch_Site"}}
        return await self.post("/api/v1/commands", asking(product_id, action, **more), **headers)


def asking(product_id: str, action: str, **more: Any) -> dict[str, Any]:
    """Return the body of an order."""
    asked = {
        "request_id": str(uuid4()),
        "product_id": product_id,
        "action": action,
        "reason": "a test",
        "expected_sequence": 0,
    }
    return asked | more


async def _body(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if response.content_type != "application/json":
        return {"text": await response.text()}
    body: dict[str, Any] = await response.json()
    return body


class Doorway:
    """A console that runs."""

    def __init__(self, cluster: Cluster, config: ConsoleConfig, console: Console) -> None:
        self.cluster = cluster
        self.config = config
        self.console = console
        self.url = f"http://{HOST}:{config.port}"

    @asynccontextmanager
    async def person(self, name: str, *, signed_in: bool = True) -> AsyncIterator[Person]:
        """Have somebody come, and sign in."""
        person = Person(self.url, name)
        try:
            if signed_in:
                status, body = await person.sign_in()
                assert status == 200, body
            yield person
        finally:
            await person.http.close()

    async def audit(self) -> list[AuditEntry]:
        """Return the lines that Kafka has."""
        return await audit_of(self.cluster)

    async def audited(self, within: timedelta = PATIENCE, **facts: Any) -> AuditEntry:
        """Wait for a line of the audit with these facts; return the newest such."""
        found: list[AuditEntry] = []

        async def is_there() -> bool:
            found[:] = [
                each
                for each in await self.audit()
                if all(getattr(each, name) == value for name, value in facts.items())
            ]
            return bool(found)

        await until(is_there, f"the audit tells of {facts}", within=within, between=timedelta(seconds=0.02))
        return found[-1]

    async def commands(self) -> list[Record]:
        """Return the records of livefuse.commands."""
        return await committed(self.cluster.bootstrap, self.cluster.names.commands)


async def audit_of(cluster: Cluster) -> list[AuditEntry]:
    """Return the lines of the audit."""
    records = await committed(cluster.bootstrap, cluster.names.audit)
    return [AuditEntry.model_validate_json(each.value) for each in records]


class Nothing:
    """A pipeline that tells nothing."""

    async def look(self) -> Mapping[str, Any]:
        return {"intakes": 1, "workers": 1, "intake_lag": 0, "worker_lag": 0, "behind_s": 0.0, "inputs": ()}


def config_of(cluster: Cluster, folder: Path, **changes: Any) -> ConsoleConfig:
    """Return the settings of a console with accounts and a key that outlives it."""
    config = ConsoleConfig(
        client={"bootstrap_servers": cluster.bootstrap},
        topics=cluster.names,
        partitions=SIGNALS_PARTITIONS,
        application=cluster.prefix,
        port=free_port(),
        accounts_file=accounts_in(folder),
        key=lambda: hashlib.sha256(cluster.prefix.encode()).hexdigest(),
    )
    return replace(config, **changes)


@asynccontextmanager
async def running(cluster: Cluster, config: ConsoleConfig, *, ready: bool = True) -> AsyncIterator[Doorway]:
    """Run a console; yield it when it is ready."""
    made: list[Console] = []
    stop = asyncio.Event()

    @asynccontextmanager
    async def serving(_: int | None, console: Console) -> AsyncIterator[None]:
        made.append(console)
        yield

    async def prepare() -> None:
        pass

    task = asyncio.create_task(server.run(config, stop, CollectorRegistry(), prepare, serving, Nothing(), Doors))

    async def is_ready() -> bool:
        if task.done():
            task.result()
        return bool(made) and (made[0].ready() is None or not ready)

    try:
        await until(is_ready, "the console is ready", within=PATIENCE, between=timedelta(seconds=0.02))
        yield Doorway(cluster, config, made[0])
    finally:
        stop.set()
        await task


@asynccontextmanager
async def doorway(cluster: Cluster, folder: Path, **changes: Any) -> AsyncIterator[Doorway]:
    """Make the topics, and run a console with these settings."""
    await asyncio.to_thread(cluster.apply_topics)
    async with running(cluster, config_of(cluster, folder, **changes)) as door:
        yield door
