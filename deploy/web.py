"""What every process shows of itself over HTTP: its metrics, whether it goes on, whether it does its work.

    GET /metrics    all metrics of its registry, as text for Prometheus
    GET /healthz    200 while it makes progress, else 503:    {"ok": false, "problems": ["partition 3: ..."]}
    GET /readyz     200 once it does its work, else 503:      {"ready": false, "waits_for": "it waits for the broker"}

    async with serving(settings.worker.web_port, registry("worker", WorkerCollector(status)), status):
        ...

Each process has a registry of its own, so that two of them may live in one test. Nothing asks who is there: let only
Prometheus and the supervisor reach the port.
"""

import errno
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import orjson
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from schemas.errors import LivefuseError

if TYPE_CHECKING:
    from aiohttp import web

Role = Literal["intake", "worker", "pager", "console"]

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LAST_ANSWERS_S: Final = 0.3
"""How long answers that are under way may take when the process ends."""

log = logging.getLogger(__name__)


class Health(Protocol):
    """What a process knows of itself. Both are asked at any time and answer at once."""

    def problems(self) -> list[str]:
        """Return what keeps it from making progress, a sentence each; nothing when all is well."""

    def ready(self) -> str | None:
        """Return what it waits for before it does its work; None when it does it."""


def registry(role: Role, *collectors: Collector) -> CollectorRegistry:
    """Return a registry of the collectors, the build, and the process as the system sees it."""
    made = CollectorRegistry()
    build = Gauge("livefuse_build_info", "1, with what runs here.", ["version", "role"], registry=made)
    build.labels(_version(), role).set(1)
    ProcessCollector(registry=made)
    for collector in collectors:
        made.register(collector)
    return made


def application(metrics: CollectorRegistry, health: Health) -> "web.Application":
    """Return the three pages; a process with pages of its own adds them."""
    from aiohttp import web

    async def show_metrics(_: "web.Request") -> "web.Response":
        return web.Response(body=generate_latest(metrics), headers={"content-type": METRICS_TYPE})

    async def show_health(_: "web.Request") -> "web.Response":
        problems = health.problems()
        return _answer({"ok": not problems, "problems": problems}, good=not problems)

    async def show_readiness(_: "web.Request") -> "web.Response":
        waits_for = health.ready()
        return _answer({"ready": waits_for is None, "waits_for": waits_for}, good=waits_for is None)

    made = web.Application()
    made.router.add_get("/metrics", show_metrics)
    made.router.add_get("/healthz", show_health)
    made.router.add_get("/readyz", show_readiness)
    return made


@asynccontextmanager
async def serving(port: int | None, metrics: CollectorRegistry, health: Health) -> AsyncIterator[int | None]:
    """Serve the pages on all addresses while entered; yield the port. None: serve nothing. 0: any port.

    Raises LivefuseError when the port cannot be had.
    """
    if port is None:
        yield None
        return
    from aiohttp import web

    runner = web.AppRunner(application(metrics, health), access_log=None, shutdown_timeout=_LAST_ANSWERS_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as error:
            raise LivefuseError(_why_not(port, error)) from error
        # IPv4 and IPv6 are bound one by one; only a port that is not given differs between them.
        found: int = min(runner.addresses, key=len)[1]
        log.info("web.serving port=%d paths=/metrics,/healthz,/readyz", found)
        yield found
    finally:
        await runner.cleanup()


def _answer(content: dict[str, Any], *, good: bool) -> "web.Response":
    from aiohttp import web

    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _why_not(port: int, error: OSError) -> str:
    what = f"metrics and health cannot be served on port {port}"
    if error.errno == errno.EADDRINUSE:
        return f"{what}: another process has it. Set `web_port` of this process to a free one."
    return f"{what}: {error.strerror or error}. Set `web_port` of this process to another one."


def _version() -> str:
    try:
        return version("livefuse")
    except PackageNotFoundError:
        return "unknown"
