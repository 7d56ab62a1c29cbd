"""The page: index.html for every path of the page's own, and its assets, all held in memory.

Only what was there at the start is served, by its exact name: no path leads anywhere else on the disk. Assets have a
hash in their names and stay in caches for ever; index.html is asked for anew each time.
"""

import gzip
import logging
import mimetypes
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

DIST: Final = Path(__file__).parent / "web" / "dist"

_INDEX: Final = "index.html"
_ASSETS: Final = "/assets/"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_WORTH_PACKING: Final = 1_024
_NOT_BUILT: Final = b"<!doctype html><title>livefuse</title><p>The page is not built: run <code>make page</code>.</p>"

log = logging.getLogger(__name__)


class File(NamedTuple):
    """One file of the page: as it is, and packed where that is worth it."""

    content: bytes
    packed: bytes | None
    media_type: str
    caching: str


class Pages:
    """The files of a folder, by their paths in URLs."""

    def __init__(self, folder: Path = DIST) -> None:
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": _read(path, folder)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix != ".map"
        }
        if f"/{_INDEX}" not in self._files:
            log.warning("console.no_page folder=%s", folder)

    async def show(self, request: web.Request) -> web.Response:
        """Serve a file, or index.html for a path of the page's own. Raises HTTPNotFound for all that is not its."""
        path = request.path
        file = self._files.get(path)
        if file is None and (path.startswith(("/api/", _ASSETS)) or path == "/api"):
            raise web.HTTPNotFound
        file = file or self._files.get(f"/{_INDEX}")
        if file is None:
            return web.Response(body=_NOT_BUILT, status=HTTPStatus.SERVICE_UNAVAILABLE, content_type="text/html")
        headers = {"Cache-Control": file.caching, "Content-Type": file.media_type}
        if file.packed is None:
            return web.Response(body=file.content, headers=headers)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=file.content, headers=headers)
        return web.Response(body=file.packed, headers=headers | {"Content-Encoding": "gzip"})


def _read(path: Path, folder: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type == "image/svg+xml":
        media_type += "; charset=utf-8"
    packed = gzip.compress(content, mtime=0) if len(content) > _WORTH_PACKING else None
    if packed is not None and len(packed) > len(content) * 0.9:
        packed = None
    caching = _FOR_EVER if path.is_relative_to(folder / _ASSETS.strip("/")) else _ASK_AGAIN
    return File(content, packed, media_type, caching)
