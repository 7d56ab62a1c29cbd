"""What the console answers: the one list from which paths are served, guarded and documented."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from alerts.console.identity import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """One operation of the API. `role`: the least that may ask; None: anybody.

    `path` has its parameters in braces, as aiohttp and OpenAPI both write them. `answers` are the bodies by status:
    a model for JSON, or a media type. Refusals that all guarded routes share (401, 403, 429, ...) are not listed.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    role: Role | None
    answers: Mapping[int, type[BaseModel] | str]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: Mapping[int, str] = field(default_factory=dict)
    """Refusals of its own: what each status says."""
