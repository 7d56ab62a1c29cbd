"""The pager's HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever starts and watches processes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.errors import ConfigurationError

Problems = Callable[[], list[str]]
"""Returns what is wrong, one sentence each; nothing when all is well."""


@asynccontextmanager
async def serve(port: int, registry: CollectorRegistry, *, health: Problems, ready: Problems) -> AsyncIterator[int]:
    """Listen on all addresses and yield the port, which is chosen where 0 is asked for.

    Raises ConfigurationError when the port is taken.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    def answer(problems: list[str]) -> web.Response:
        return web.json_response({"ok": not problems, "problems": problems}, status=503 if problems else 200)

    async def healthz(_: web.Request) -> web.Response:
        return answer(health())

    async def readyz(_: web.Request) -> web.Response:
        return answer(ready())

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, port=port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"port {port} cannot be listened on: {error.strerror or error}. "
                "Name another one with LIVEFUSE_PAGER__WEB_PORT."
            ) from error
        # Where 0 is asked for, IPv4 and IPv6 get ports of their own.
        yield min(runner.addresses, key=len)[1]
    finally:
        await runner.cleanup()
