"""The guard stands before every request: where from, who, may they, is it our own page that asks.

    path ─▶ proxy header? ─▶ session ─▶ role ─▶ origin and CSRF token (all but GET) ─▶ the operation
     400      403              401       403       403

What has no entry in the list of routes does not exist, except for the files of the page, which anybody may have. Every
refusal is counted and stands in the audit; a flood of them is folded. Nothing in an answer repeats what was sent.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from alerts.console.asked import CLIENT, IDENTITY
from alerts.console.audit import Audit, line
from alerts.console.config import ConsoleConfig
from alerts.console.identity import Identity
from alerts.console.meter import Meter
from alerts.console.proxy import Proxy
from alerts.console.refused import Refused
from alerts.console.routes import Route
from alerts.console.sessions import COOKIE, Sessions

CSRF_HEADER: Final = "X-CSRF-Token"
API: Final = "/api/"
PRODUCTS: Final = "/products/"

_SAFE: Final = ("GET", "HEAD")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HSTS: Final = "max-age=31536000"
_AUDITED: Final = {404: "not_found", 405: "method", 413: "too_large", 400: "bad_request"}
_QUIET: Final = ("starting", "audit_unavailable")
"""Refusals that are our own fault: the log and the metrics tell of them."""

_LONGEST_DETAIL: Final = 200
_MOST_UNQUOTED: Final = 4

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Makes the middleware. `sessions` read cookies, `proxy` addresses and headers."""

    def __init__(self, config: ConsoleConfig, sessions: Sessions, proxy: Proxy, audit: Audit, meter: Meter) -> None:
        self._sessions = sessions
        self._proxy = proxy
        self._audit = audit
        self._meter = meter
        self._origin = _origin(config.url) if config.url else None
        self._headers = dict(_HEADERS)
        if config.tls is not None or (config.url or "").startswith("https://"):
            self._headers["Strict-Transport-Security"] = _HSTS

    def middleware(self, routes: Sequence[Route]) -> Middleware:
        """Return the middleware for these routes, by the names under which the application has them."""
        table: Mapping[tuple[str | None, str], Route] = {(each.name, each.method): each for each in routes}

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                self._admit(request, table)
                return await handler(request)
            except Refused as refused:
                if not refused.audited and refused.error not in _QUIET:
                    self._note(request, refused.error, refused.status)
                self._meter.refused(refused.error)
                return refused.response()
            except web.HTTPException as error:
                if error.status in _AUDITED and (error.status != 404 or request.path.startswith(API)):  # noqa: PLR2004
                    self._note(request, _AUDITED[error.status], error.status)
                    self._meter.refused(_AUDITED[error.status])
                raise

        return guard

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put the security headers on an answer; what it says itself stays."""
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        if request.path.startswith(API):
            response.headers.setdefault("Cache-Control", "no-store")

    def _admit(self, request: web.Request, table: Mapping[tuple[str | None, str], Route]) -> None:
        """Let a request pass, with who asks and from where in it. Raises Refused."""
        request[CLIENT] = self._proxy.client(request)
        if _climbs(request.raw_path.partition("?")[0]):
            raise Refused(400, "bad_path", "There is no such path.")
        if (who := self._who(request)) is not None:
            request[IDENTITY] = who
        method = "GET" if request.method == "HEAD" else request.method
        route = table.get((request.match_info.route.name, method))
        if route is None:
            if request.path.startswith(API) and request.match_info.http_exception is None:
                raise Refused(404, "not_found", "There is no such operation.")
            return
        if route.role is not None:
            if who is None:
                raise Refused(401, "no_session", "Sign in first.")
            if not who.may(route.role):
                raise Refused(403, "role", f"This needs the role {route.role}.")
            if not self._audit.ready.is_set():
                # Which sessions were ended stands in the audit: until that is read, this one may have been.
                raise Refused(503, "starting", "The console is still reading what was before.", retry_after=1)
        if request.method not in _SAFE:
            self._check_origin(request)
            if route.role is not None and who is not None:
                self._check_token(request, who)

    def _who(self, request: web.Request) -> Identity | None:
        person = self._proxy.person(request)
        if person is not None:
            return self._sessions.proxied(*person)
        token = request.cookies.get(COOKIE)
        return self._sessions.read(token) if token else None

    def _check_origin(self, request: web.Request) -> None:
        """Refuse what another site's page sends, or what does not say where it comes from."""
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        is_ours = (site is not None or origin is not None) and site in {None, "same-origin"}
        if origin is not None:
            is_ours = is_ours and self._is_ours(origin, request)
        if not is_ours:
            raise Refused(403, "csrf", "This did not come from the console's own page.")

    def _is_ours(self, origin: str, request: web.Request) -> bool:
        found = _origin(origin)
        if found is None:
            return False
        if found == self._origin:
            return True
        # Without a URL in the settings: a proxy may have ended TLS, so only the name is compared.
        return self._origin is None and urlsplit(found).netloc == request.host.lower()

    def _check_token(self, request: web.Request, who: Identity) -> None:
        token = request.headers.get(CSRF_HEADER, "")
        expected = self._sessions.csrf(who.session_id)
        if not hmac.compare_digest(token.encode(errors="replace"), expected.encode()):
            raise Refused(403, "csrf", "The token of this session is missing or wrong. Load the page again.")

    def _note(self, request: web.Request, error: str, status: int) -> None:
        who = request.get(IDENTITY)
        client = request.get(CLIENT, "")
        # What was asked for, without its query, in which ids stand.
        path = request.match_info.route.name or request.raw_path.partition("?")[0].encode("ascii", "replace").decode()
        entry = line(
            "refused",
            who,
            client,
            self._audit.now_ms,
            outcome=error,
            status=status,
            detail=f"{request.method} {path}"[:_LONGEST_DETAIL],
        )
        self._audit.note_often((error, client, who.session_id if who else ""), entry)


def _origin(url: str) -> str | None:
    """Return scheme, host and port of an address, the usual port left out; None when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in {None, usual} else f":{port}")


def _climbs(raw: str) -> bool:
    """Tell whether a path would leave its folder, however often what does so is encoded."""
    path = raw
    # What follows is a product's id, which may hold anything; it never becomes the name of a file.
    for _ in range(1 if raw.startswith(PRODUCTS) else _MOST_UNQUOTED):
        if ".." in path.replace("\\", "/").split("/") or "\\" in path or "\0" in path:
            return True
        path = unquote(path)
    return False
