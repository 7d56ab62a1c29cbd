"""Signing in through an OpenID provider: authorization code, PKCE, state and nonce.

    /api/v1/oidc/login ─▶ provider ─▶ /api/v1/oidc/callback ─▶ token ─▶ keys ─▶ session ─▶ the page
          state, nonce and verifier wait in a signed cookie ──┘

That cookie is SameSite=Lax, for the way back is a navigation from another site, in which no browser sends a Strict one.
The session's own cookie is Strict all the same: browsers take it in that answer, and the page, which anybody may load,
then asks who one is by itself, from the same site (verified with Chromium 156, the provider on another site).

Whatever goes wrong ends at `/login?error=<code>`, and in the audit; what the provider said is not repeated.
"""

import hashlib
import hmac
import logging
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import jwt
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from alerts.console.asked import CLIENT
from alerts.console.audit import Audit, line
from alerts.console.config import ConsoleConfig, OidcConfig
from alerts.console.identity import Role
from alerts.console.meter import Meter
from alerts.console.proxy import best_role, person_name
from alerts.console.routes import Route
from alerts.console.sessions import Sessions
from schemas.errors import ConfigurationError

STATE_COOKIE: Final = "__Host-livefuse-oidc"
CALLBACK: Final = "/api/v1/oidc/callback"

_WITHIN: Final = timedelta(minutes=10)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_PROVIDER_FOR_S: Final = 3_600.0
_KEYS_AGAIN_S: Final = 10.0
_LEEWAY_S: Final = 60
_LARGEST: Final = 1_048_576
_LONGEST_NEXT: Final = 600
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key that only the provider has. Never `none`, never one that our own secret could make."""

log = logging.getLogger(__name__)


class _Failed(Exception):  # noqa: N818 (where it ends is decided in one place)
    """A sign-in that came to nothing; `code` says why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


class _Provider(BaseModel):
    """What a provider tells of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class LoginQuery(BaseModel):
    """Where to go afterwards: a path of the page."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    next: str = "/"


class CallbackQuery(BaseModel):
    """What the provider sends back; it may add more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str = ""
    code: str = ""
    error: str = ""


class _Keys(NamedTuple):
    asked_at: float
    by_id: Mapping[str | None, jwt.PyJWK]


class Oidc:
    """The operations of signing in through a provider. `clock` returns seconds since 1970."""

    def __init__(
        self, config: ConsoleConfig, sessions: Sessions, audit: Audit, meter: Meter, clock: Callable[[], float]
    ) -> None:
        if config.oidc is None or config.url is None:
            raise ConfigurationError("OpenID needs the address under which people reach the console: console.url")
        self._config: OidcConfig = config.oidc
        self._redirect_uri = config.url.rstrip("/") + CALLBACK
        self._sessions = sessions
        self._audit = audit
        self._meter = meter
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._provider: tuple[float, _Provider] | None = None
        self._keys: _Keys | None = None

    def routes(self) -> list[Route]:
        """Return the operations."""
        return [
            Route(
                "GET",
                "/api/v1/oidc/login",
                "oidc_login",
                "Go to the OpenID provider",
                self._login,
                None,
                {303: "text/plain"},
                query=LoginQuery,
            ),
            Route(
                "GET",
                CALLBACK,
                "oidc_callback",
                "Come back from the OpenID provider",
                self._callback,
                None,
                {303: "text/plain"},
                query=CallbackQuery,
            ),
        ]

    async def close(self) -> None:
        """Close the connections to the provider."""
        if self._http is not None:
            await self._http.close()

    async def _login(self, request: web.Request) -> web.StreamResponse:
        query = LoginQuery.model_validate(dict(request.query))
        kept = {
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "verifier": secrets.token_urlsafe(48),
            "next": _path(query.next),
        }
        try:
            provider = await self._discovered()
        except _Failed as failed:
            return self._end(request, failed)
        challenge = urlsafe_b64encode(hashlib.sha256(kept["verifier"].encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *self._config.scopes))),
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in provider.authorization_endpoint else "?"
        response = _go(f"{provider.authorization_endpoint}{joint}{urlencode(asked)}")
        response.set_cookie(
            STATE_COOKIE,
            self._sessions.seal(kept, _WITHIN),
            max_age=int(_WITHIN.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="Lax",
        )
        return response

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        query = CallbackQuery.model_validate(dict(request.query))
        try:
            kept = self._kept(request, query)
            provider = await self._discovered()
            token = await self._token(provider, query.code, kept["verifier"])
            name, role = self._person(await self._claims(provider, token, kept["nonce"]))
        except _Failed as failed:
            return self._end(request, failed)
        token, who = self._sessions.open(name, role, "oidc")
        self._audit.note(line("login", who, request[CLIENT], self._audit.now_ms, outcome="ok", status=303))
        self._meter.logins("ok")
        response = _go(kept["next"])
        self._sessions.give(response, token)
        _forget(response)
        return response

    def _kept(self, request: web.Request, query: CallbackQuery) -> dict[str, Any]:
        """Return what was kept when the browser left, if it is this browser that comes back."""
        kept = self._sessions.unseal(request.cookies.get(STATE_COOKIE, ""))
        if kept is None or not hmac.compare_digest(query.state.encode(errors="replace"), kept["state"].encode()):
            # Somebody else's code, to be signed in as that somebody; or it took too long.
            raise _Failed("oidc_state")
        if query.error or not query.code:
            raise _Failed("oidc_denied")
        return kept

    def _end(self, request: web.Request, failed: _Failed) -> web.Response:
        log.info("oidc.failed code=%s detail=%s", failed.code, failed.detail)
        client = request[CLIENT]
        entry = line(
            "login_failed",
            None,
            client,
            self._audit.now_ms,
            way="oidc",
            outcome=failed.code,
            status=303,
            detail=failed.detail or None,
        )
        self._audit.note_often(("oidc", client, failed.code), entry)
        self._meter.logins("failed")
        response = _go(f"/login?error={failed.code}")
        _forget(response)
        return response

    async def _discovered(self) -> _Provider:
        now = self._clock()
        if self._provider is not None and now - self._provider[0] < _PROVIDER_FOR_S:
            return self._provider[1]
        found = await self._get(self._config.issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            provider = _Provider.model_validate(found)
        except ValidationError:
            raise _Failed("oidc_unavailable", "discovery") from None
        endpoints = (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri)
        # Or one provider could pass for another (mix-up), or a code go over the wire for all to read.
        if provider.issuer != self._config.issuer or not all(map(_is_safe, endpoints)):
            raise _Failed("oidc_unavailable", "discovery names another issuer, or an address without TLS")
        self._provider = now, provider
        return provider

    async def _token(self, provider: _Provider, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
            "client_id": self._config.client_id,
        }
        headers = {}
        if self._config.client_secret is not None:
            try:
                secret = self._config.client_secret()
            except OSError:
                raise _Failed("oidc_unavailable", "the client secret cannot be read") from None
            if "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
                # Both are encoded as in a form first (RFC 6749, 2.3.1).
                login = f"{quote_plus(self._config.client_id)}:{quote_plus(secret)}"
                headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
            else:
                form["client_secret"] = secret
        answer = await self._ask("POST", provider.token_endpoint, data=form, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _Failed("oidc_token", "no ID token")
        return token

    async def _claims(self, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
        """Return what the ID token says, if the provider has said it, to us, just now."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise _Failed("oidc_token", "unreadable") from None
        algorithms = [each for each in _ALGORITHMS if each in provider.id_token_signing_alg_values_supported]
        if header.get("alg") not in algorithms:
            raise _Failed("oidc_token", "algorithm")
        key = await self._key(provider, header.get("kid"))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=self._config.client_id,
                issuer=provider.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise _Failed("oidc_token", type(error).__name__) from None
        if claims.get("azp", self._config.client_id) != self._config.client_id:
            raise _Failed("oidc_token", "azp")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise _Failed("oidc_token", "nonce")
        return claims

    async def _key(self, provider: _Provider, key_id: str | None) -> jwt.PyJWK:
        now = self._clock()
        keys = self._keys
        if keys is None or (key_id not in keys.by_id and now - keys.asked_at > _KEYS_AGAIN_S):
            found = await self._get(provider.jwks_uri)
            try:
                usable = [each for each in jwt.PyJWKSet.from_dict(found).keys if each.public_key_use in {None, "sig"}]
            except jwt.PyJWTError:
                raise _Failed("oidc_unavailable", "keys") from None
            by_id: dict[str | None, jwt.PyJWK] = {each.key_id: each for each in usable}
            if len(usable) == 1:
                by_id.setdefault(None, usable[0])
            keys = self._keys = _Keys(now, by_id)
        if key_id not in keys.by_id:
            raise _Failed("oidc_token", "unknown key")
        return keys.by_id[key_id]

    def _person(self, claims: Mapping[str, Any]) -> tuple[str, Role]:
        given = claims.get(self._config.name_claim)
        name = person_name(given) if isinstance(given, str) else None
        if name is None or (self._config.name_claim == "email" and claims.get("email_verified") is False):
            raise _Failed("oidc_no_name")
        values = _claim(claims, self._config.role_claim)
        texts = [values] if isinstance(values, str) else values if isinstance(values, list) else []
        roles = [each for each in texts if isinstance(each, str)]
        role = best_role(roles, dict(self._config.roles), self._config.default_role)
        if role is None:
            raise _Failed("no_role")
        return name, role

    async def _get(self, url: str) -> dict[str, Any]:
        return await self._ask("GET", url)

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with self._http.request(method, url, allow_redirects=False, **more) as response:
                if response.status != web.HTTPOk.status_code:
                    raise _Failed("oidc_unavailable", f"status {response.status}")
                if (response.content_length or 0) > _LARGEST:
                    raise _Failed("oidc_unavailable", "too large")
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _Failed("oidc_unavailable", type(error).__name__) from None
        if not isinstance(answer, dict):
            raise _Failed("oidc_unavailable", "no object")
        return answer


def _go(location: str) -> web.Response:
    """Return an answer that sends the browser elsewhere, and that no cache keeps."""
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def _forget(response: web.Response) -> None:
    response.set_cookie(STATE_COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Lax")


def _path(text: str) -> str:
    """Return a path of our own page; the page itself for whatever could lead elsewhere."""
    is_ours = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if is_ours and len(text) <= _LONGEST_NEXT and text.isascii() and text.isprintable() else "/"


def _is_safe(url: str) -> bool:
    """Tell whether an address has TLS, or is on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    try:
        is_here = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        is_here = False
    return parts.scheme == "http" and is_here


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """Return a claim; `realm_access.roles` is also looked for within `realm_access`."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
