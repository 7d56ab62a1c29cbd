"""Sessions: a signed token in a cookie. Nothing is kept here but which ones were ended before their time.

The token (JWT, HS256) holds who, which role, how they signed in, the id of the session and, for an account, its stamp:
another password or role, or the account's removal, ends it. What was ended by signing out stands in the audit, from
where `revoke` hears of it again after a restart: a restart signs nobody out and revives no session.

The cookie is `__Host-...; Secure`. Verified with Chromium 156: it takes such a cookie over plain HTTP from
`http://127.0.0.1` and `http://localhost`, and sends it back; from any other plain-HTTP address it does not. So a
console on another machine needs TLS, its own or a proxy's, for anybody to sign in.
"""

import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple

import jwt
from aiohttp import web

from alerts.console.accounts import Account, Accounts
from alerts.console.config import Secret
from alerts.console.identity import ROLES, Identity, Role, Way

COOKIE: Final = "__Host-livefuse"

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "livefuse"
_CLAIMS: Final = ("sub", "role", "way", "jti", "iat", "exp", "iss", "aud")
_LONGEST: Final = 4_096

_MOST_SEEN: Final = 10_000

log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    """How long a session is good, and for which state of its account."""

    until: float
    stamp: str | None


class Sessions:
    """Opens and reads sessions. `clock` returns seconds since 1970; `application` is whose sessions these are."""

    def __init__(
        self, key: Secret | None, length: timedelta, application: str, accounts: Accounts, clock: Callable[[], float]
    ) -> None:
        self._key = key
        self._own_key = secrets.token_hex(32)
        self._last_key: str | None = None
        self._length_s = int(length.total_seconds())
        self._application = application
        self._accounts = accounts
        self._clock = clock
        self._ended: dict[str, float] = {}
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def open(self, name: str, role: Role, way: Way, account: Account | None = None) -> tuple[str, Identity]:
        """Return the token of a new session, whose id nobody has known before, and who it stands for."""
        now = int(self._clock())
        identity = Identity(name, role, way, secrets.token_urlsafe(18))
        claims = {
            "iss": _ISSUER,
            "aud": self._application,
            "sub": name,
            "role": role,
            "way": way,
            "jti": identity.session_id,
            "iat": now,
            "exp": now + self._length_s,
        }
        if account is not None:
            claims["stamp"] = account.stamp
        return jwt.encode(claims, self._secret("session"), _ALGORITHM), identity

    def read(self, token: str) -> Identity | None:
        """Return who a token stands for; None when it is not ours, too old, ended, or of an account that changed."""
        claims = self._claims(token)
        if claims is None or claims["jti"] in self._ended or claims["role"] not in ROLES:
            return None
        identity = Identity(claims["sub"], claims["role"], claims["way"], claims["jti"])
        if identity.way == "password":
            account = self._accounts.of(identity.name)
            if account is None or account.stamp != claims.get("stamp"):
                return None
        self._see(identity, claims["exp"], claims.get("stamp"))
        return identity

    def holds(self, identity: Identity) -> bool:
        """Tell whether a session that was read before is still good: its streams end with it."""
        seen = self._seen.get(identity.session_id)
        if seen is None or seen.until <= self._clock():
            return False
        if identity.way == "proxy":
            # It is the proxy that signs somebody out; the next request would be let in all the same.
            return True
        if identity.session_id in self._ended:
            return False
        if identity.way != "password":
            return True
        account = self._accounts.of(identity.name)
        return account is not None and account.stamp == seen.stamp

    def revoke(self, session_id: str) -> None:
        """End a session now."""
        now = self._clock()
        for each in [each for each, until in self._ended.items() if until < now]:
            del self._ended[each]
        self._ended[session_id] = now + self._length_s

    def csrf(self, session_id: str) -> str:
        """Return what the page of a session has to send with every order. Another site cannot read it."""
        return hmac.new(self._secret("csrf"), session_id.encode(), hashlib.sha256).hexdigest()

    def proxied(self, name: str, role: Role) -> Identity:
        """Return somebody whom a proxy has let in. There is no cookie of ours: each request counts for itself."""
        session_id = "proxy-" + hmac.new(self._secret("proxy"), name.encode(), hashlib.sha256).hexdigest()[:24]
        identity = Identity(name, role, "proxy", session_id)
        self._see(identity, self._clock() + self._length_s, None)
        return identity

    def give(self, response: web.Response, token: str) -> None:
        """Put the session into the answer."""
        response.set_cookie(
            COOKIE, token, max_age=self._length_s, path="/", secure=True, httponly=True, samesite="Strict"
        )

    def take(self, response: web.Response) -> None:
        """Have the browser forget the session."""
        response.set_cookie(COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Strict")

    def seal(self, content: dict[str, Any], within: timedelta) -> str:
        """Return a signed text that `unseal` reads for a while."""
        claims = content | {"exp": int(self._clock() + within.total_seconds()), "aud": self._application}
        return jwt.encode(claims, self._secret("seal"), _ALGORITHM)

    def unseal(self, text: str) -> dict[str, Any] | None:
        """Return what was sealed; None when it was not by us, or too long ago."""
        return self._decoded(text, "seal", ("exp", "aud"))

    def _see(self, identity: Identity, until: float, stamp: str | None) -> None:
        self._seen[identity.session_id] = _Seen(until, stamp)
        self._seen.move_to_end(identity.session_id)
        while len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)

    def _claims(self, token: str) -> dict[str, Any] | None:
        claims = self._decoded(token, "session", _CLAIMS)
        return claims if claims is not None and claims["iss"] == _ISSUER else None

    def _decoded(self, text: str, purpose: str, required: tuple[str, ...]) -> dict[str, Any] | None:
        if not 0 < len(text) <= _LONGEST:
            return None
        try:
            # Only this algorithm: a token that names another one, or none, is not ours. The time is checked below, by
            # the clock that all else goes by.
            claims: dict[str, Any] = jwt.decode(
                text,
                self._secret(purpose),
                algorithms=[_ALGORITHM],
                audience=self._application,
                options={"require": list(required), "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        return claims if claims["exp"] > self._clock() else None

    def _secret(self, purpose: str) -> bytes:
        """Return a key for one purpose, made from the one secret: signed for one, worth nothing for another."""
        secret = self._own_key
        if self._key is not None:
            try:
                self._last_key = self._key()
            except OSError as error:
                if self._last_key is None:
                    raise
                log.warning("console.key_unreadable error=%s", type(error).__name__)
            secret = self._last_key or self._own_key
        return hmac.new(secret.encode(), f"livefuse console {purpose}".encode(), hashlib.sha256).digest()
