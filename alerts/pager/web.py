"""The pager's HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever starts and watches processes."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, Protocol

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from schemas.errors import ConfigurationError

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LAST_ANSWERS_S: Final = 0.3

log = logging.getLogger(__name__)


class Health(Protocol):
    """What a process knows of itself."""

    def problems(self) -> list[str]:
        """Return what keeps it from making progress, a sentence each; nothing when all is well."""

    def ready(self) -> str | None:
        """Return what it waits for before it does its work; None when it does it."""


@asynccontextmanager
async def serving(port: int | None, metrics: CollectorRegistry, health: Health) -> AsyncIterator[int | None]:
    """Serve the pages on all addresses while entered; yield the port. None: serve nothing. 0: any port.

    Raises ConfigurationError when the port cannot be had.
    """
    if port is None:
        yield None
        return
    runner = web.AppRunner(_application(metrics, health), access_log=None, shutdown_timeout=_LAST_ANSWERS_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as error:
            raise ConfigurationError(
                f"port {port} cannot be listened on: {error.strerror or error}. "
                "Name another one with LIVEFUSE_PAGER__WEB_PORT."
            ) from error
        # Where 0 is asked for, IPv4 and IPv6 get ports of their own.
        found: int = min(runner.addresses, key=len)[1]
        log.info("web.serving port=%d paths=/metrics,/healthz,/readyz", found)
        yield found
    finally:
        await runner.cleanup()


def _application(metrics: CollectorRegistry, health: Health) -> web.Application:
    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics), headers={"content-type": METRICS_TYPE})

    async def show_health(_: web.Request) -> web.Response:
        problems = health.problems()
        return _answer({"ok": not problems, "problems": problems}, good=not problems)

    async def show_readiness(_: web.Request) -> web.Response:
        waits_for = health.ready()
        return _answer({"ready": waits_for is None, "waits_for": waits_for}, good=waits_for is None)

    app = web.Application()
    app.add_routes(
        [web.get("/metrics", show_metrics), web.get("/healthz", show_health), web.get("/readyz", show_readiness)]
    )
    return app


def _answer(content: dict[str, Any], *, good: bool) -> web.Response:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
