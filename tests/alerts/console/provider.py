"""A small OpenID provider: discovery, keys, authorization code with PKCE, and tokens as a test wants them."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_plus, urlencode
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID: Final = "livefuse console"
CLIENT_SECRET: Final = "a secret: with % and +"

Claims = dict[str, Any]


@cache
def key_of(_: str) -> rsa.RSAPrivateKey:
    """Return somebody's key. To make one takes a while."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


class Provider:
    """One provider, and the one person that it knows. `sign` makes the token; `claims` are added to it."""

    def __init__(self) -> None:
        self.key = key_of("the provider")
        self.key_id = uuid4().hex
        self.url = ""
        self.claims: Claims = {"preferred_username": "Mei Wong", "realm_access": {"roles": ["staff", "directors"]}}
        self.sign: Callable[[Claims], str] = self.signed
        self.denies = False
        self.is_down = False
        self.issuer: str | None = None
        self.codes: dict[str, dict[str, str]] = {}

    def signed(self, claims: Claims) -> str:
        """Return an honest token."""
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.key_id})

    def application(self) -> web.Application:
        """Return the provider's pages."""
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/authorize", self._authorize)
        application.router.add_post("/token", self._token)
        application.router.add_get("/keys", self._keys)
        return application

    async def _discovery(self, _: web.Request) -> web.Response:
        if self.is_down:
            raise web.HTTPServiceUnavailable
        return web.json_response(
            {
                "issuer": self.issuer or self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = uuid4().hex
        self.codes[code] = asked
        back = {"error": "access_denied", "error_description": "<b>no</b>"} if self.denies else {"code": code}
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(back | {'state': asked['state']})}")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        name, _, secret = (
            base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        )
        asked = self.codes.pop(str(form["code"]), None)
        verifier = str(form["code_verifier"]).encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if (
            asked is None
            or (unquote_plus(name), unquote_plus(secret)) != (CLIENT_ID, CLIENT_SECRET)
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        return web.json_response(
            {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims | self.claims)}
        )

    async def _keys(self, _: web.Request) -> web.Response:
        key: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return web.json_response({"keys": [key | {"kid": self.key_id, "use": "sig", "alg": "RS256"}]})


@asynccontextmanager
async def provider_on(port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[Provider]:
    """Run a provider."""
    provider = Provider()
    runner = web.AppRunner(provider.application())
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        provider.url = f"http://{host}:{runner.addresses[0][1]}"
        yield provider
    finally:
        await runner.cleanup()
