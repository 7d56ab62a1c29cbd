"""Signing in with a name and a password, signing out, and who one is."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Final, Literal

from aiohttp import web

from alerts.console import models
from alerts.console.accounts import Accounts, Busy, account_name
from alerts.console.asked import CLIENT, IDENTITY
from alerts.console.audit import Audit, AuditUnavailable, line
from alerts.console.config import ConsoleConfig
from alerts.console.identity import Identity
from alerts.console.limiter import Limiter
from alerts.console.meter import Meter
from alerts.console.refused import Refused, answer, body_of
from alerts.console.routes import Route
from alerts.console.sessions import COOKIE, Sessions

_BUSY_S: Final = 2.0

Ways = tuple[Literal["password", "proxy", "oidc"], ...]


class Login:
    """The operations around a session."""

    def __init__(
        self,
        config: ConsoleConfig,
        accounts: Accounts,
        sessions: Sessions,
        audit: Audit,
        meter: Meter,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._audit = audit
        self._meter = meter
        self._limiter = Limiter(clock)
        self._application = config.application
        self._version = version("livefuse")
        self._has_accounts = config.accounts_file is not None
        ways: list[Literal["password", "proxy", "oidc"]] = []
        if config.accounts_file is not None:
            ways.append("password")
        if config.proxy is not None:
            ways.append("proxy")
        if config.oidc is not None:
            ways.append("oidc")
        self._ways: Ways = tuple(ways)

    def routes(self) -> list[Route]:
        """Return the operations."""
        return [
            Route(
                "GET",
                "/api/v1/session",
                "session",
                "Who asks, and how one may sign in",
                self._session,
                None,
                {200: models.Session},
            ),
            Route(
                "POST",
                "/api/v1/login",
                "login",
                "Sign in with a name and a password; the answer sets the cookie of the session",
                self._login,
                None,
                {200: models.Session},
                body=models.Login,
                errors={
                    400: "`invalid`.",
                    401: "`login_failed`: name or password is wrong.",
                    403: "`no_accounts`: there is another way to sign in; `csrf`.",
                    413: "`too_large`.",
                    415: "`not_json`.",
                    429: "`too_many`: wait as long as Retry-After says.",
                },
            ),
            Route(
                "POST",
                "/api/v1/logout",
                "logout",
                "End the session, everywhere and for good",
                self._logout,
                "viewer",
                {200: models.Session},
            ),
        ]

    async def _session(self, request: web.Request) -> web.StreamResponse:
        response = answer(self._about(request.get(IDENTITY)))
        if COOKIE in request.cookies and IDENTITY not in request:
            self._sessions.take(response)
        return response

    async def _login(self, request: web.Request) -> web.StreamResponse:
        asked = await body_of(request, models.Login)
        if not self._has_accounts:
            raise Refused(403, "no_accounts", "This console has no accounts of its own. Sign in another way.")
        client = request[CLIENT]
        try:
            name = account_name(asked.name)
        except ValueError:
            name = ""
        if (wait := self._limiter.begin(name, client)) is not None:
            self._failed(client, name, "too_many", 429)
            self._meter.logins("limited")
            raise Refused(429, "too_many", "Too many attempts. Wait a while.", retry_after=wait, audited=True)
        try:
            account = await self._accounts.check(name, asked.password)
        except Busy:
            self._failed(client, name, "busy", 429)
            self._meter.logins("limited")
            message = "Too many people sign in at once. Try again."
            raise Refused(429, "too_many", message, retry_after=_BUSY_S, audited=True) from None
        if account is None:
            self._failed(client, name, "login_failed", 401)
            self._meter.logins("failed")
            raise Refused(401, "login_failed", "The name or the password is wrong.", audited=True)
        self._limiter.succeeded(name, client)
        # Always a new id: one that somebody has put into the browser before is worth nothing.
        token, who = self._sessions.open(name, account.role, "password", account)
        self._audit.note(line("login", who, client, self._audit.now_ms, outcome="ok", status=200))
        self._meter.logins("ok")
        response = answer(self._about(who))
        self._sessions.give(response, token)
        return response

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        who = request[IDENTITY]
        self._sessions.revoke(who.session_id)
        entry = line("logout", who, request[CLIENT], self._audit.now_ms, status=200)
        try:
            # A console that starts later knows from this line alone that the session is over.
            await self._audit.write(entry)
        except AuditUnavailable:
            self._audit.note(entry)
        response = answer(self._about(None))
        self._sessions.take(response)
        return response

    def _about(self, who: Identity | None) -> models.Session:
        return models.Session(
            user=models.Person(name=who.name, role=who.role) if who else None,
            csrf=self._sessions.csrf(who.session_id) if who else None,
            ways=self._ways,
            application=self._application,
            version=self._version,
        )

    def _failed(self, client: str, name: str, outcome: str, status: int) -> None:
        # What stands in the place of a name may be a password, so only a name that exists is written down.
        actor = name if self._accounts.of(name) is not None else None
        entry = line(
            "login_failed",
            None,
            client,
            self._audit.now_ms,
            actor=actor,
            way="password",
            outcome=outcome,
            status=status,
        )
        self._audit.note_often(("login_failed", client, actor or ""), entry)
