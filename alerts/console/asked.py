"""What the guard finds out about a request, and leaves in it before the handler of a route with a role runs."""

from typing import Final

from aiohttp import web

from alerts.console.identity import Identity

IDENTITY: Final = web.RequestKey("identity", Identity)
"""Who asks."""

CLIENT: Final = web.RequestKey("client", str)
"""From where: an address."""
