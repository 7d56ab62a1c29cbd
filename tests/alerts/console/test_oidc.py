"""Signing in through a real, small OpenID provider; and what comes of tokens and ways back that are forged."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from alerts.console.config import OidcConfig
from alerts.console.oidc import STATE_COOKIE
from alerts.console.sessions import COOKIE
from deploy.embedded import HOST, free_port
from tests.alerts.console.doorway import Person
from tests.alerts.console.entrance import Entrance, entrance
from tests.alerts.console.provider import CLIENT_ID, CLIENT_SECRET, Claims, Provider, key_of, provider_on

Site = tuple[Entrance, Provider, Person]


def oidc_of(provider: Provider, **changes: Any) -> OidcConfig:
    settings: dict[str, Any] = {
        "issuer": provider.url,
        "client_id": CLIENT_ID,
        "client_secret": lambda: CLIENT_SECRET,
        "name_claim": "preferred_username",
        "role_claim": "realm_access.roles",
        "roles": {"directors": "operator", "staff": "viewer", "owners": "admin"},
        "default_role": None,
        "scopes": ("openid", "profile"),
    }
    return OidcConfig(**(settings | changes))


@asynccontextmanager
async def site(folder: Path, **changes: Any) -> AsyncIterator[Site]:
    async with provider_on() as provider, entrance(folder, oidc=oidc_of(provider, **changes)) as door:
        person = Person(door.url, "somebody")
        try:
            yield door, provider, person
        finally:
            await person.http.close()


async def go(person: Person, path: str = "/api/v1/oidc/login") -> str:
    """Follow the way to the provider and back; return where the console sends one in the end."""
    location = path
    async with aiohttp.ClientSession() as elsewhere:
        while True:
            is_ours = location.startswith(("/", person.url))
            http = person.http if is_ours else elsewhere
            async with http.get(location, allow_redirects=False) as response:
                assert response.status in {302, 303}
                location = response.headers["Location"]
            if location.startswith("/"):
                return location


async def test_who_the_provider_knows_gets_a_session(tmp_path: Path) -> None:
    async with site(tmp_path) as (door, _, person):
        assert (await person.get("/api/v1/session"))[1]["ways"] == ["password", "oidc"]
        assert await go(person, "/api/v1/oidc/login?next=/products/p%252F1") == "/products/p%2F1"
        assert (await person.get("/api/v1/session"))[1]["user"] == {"name": "Mei Wong", "role": "operator"}
        line = door.audit()[-1]
        assert (line.what, line.actor, line.role, line.way) == ("login", "Mei Wong", "operator", "oidc")
        assert not person.http.cookie_jar.filter_cookies(URL(door.url)).get(STATE_COOKIE)


async def test_the_cookie_for_the_way_back_may_come_from_elsewhere_and_the_session_may_not(tmp_path: Path) -> None:
    async with site(tmp_path) as (_, _, person):
        async with person.http.get("/api/v1/oidc/login", allow_redirects=False) as response:
            (cookie,) = response.headers.getall("Set-Cookie")
            back = response.headers["Location"]
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        async with aiohttp.ClientSession() as elsewhere, elsewhere.get(back, allow_redirects=False) as response:
            back = response.headers["Location"]
        async with person.http.get(back, allow_redirects=False) as response:
            cookies = {each.partition("=")[0]: each for each in response.headers.getall("Set-Cookie")}
        assert "SameSite=Strict" in cookies[COOKIE]


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_it_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    async with site(tmp_path) as (_, _, person):
        assert await go(person, str(URL("/api/v1/oidc/login").with_query(next=path))) == "/"


def _public(provider: Provider) -> str:
    return provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


FORGERIES: dict[str, Callable[[Provider, Claims], str]] = {
    "not signed": lambda _, claims: jwt.encode(claims, "", "none"),
    "signed with our secret": lambda _, claims: jwt.encode(claims, CLIENT_SECRET.ljust(32), "HS256"),
    "signed with the public key": lambda provider, claims: _hmac_with(_public(provider), claims, provider.key_id),
    "another key": lambda provider, claims: jwt.encode(
        claims, key_of("somebody else"), "RS256", {"kid": provider.key_id}
    ),
    "unknown key": lambda provider, claims: jwt.encode(claims, provider.key, "RS256", {"kid": "x"}),
    "another nonce": lambda provider, claims: provider.signed(claims | {"nonce": "x"}),
    "no nonce": lambda provider, claims: provider.signed({k: v for k, v in claims.items() if k != "nonce"}),
    "for another": lambda provider, claims: provider.signed(claims | {"aud": "another"}),
    "for two, given to another": lambda provider, claims: provider.signed(
        claims | {"aud": [CLIENT_ID, "another"], "azp": "another"}
    ),
    "from another": lambda provider, claims: provider.signed(claims | {"iss": "https://evil.example"}),
    "of yesterday": lambda provider, claims: provider.signed(claims | {"exp": claims["exp"] - 86_400}),
    "no token": lambda _, __: "x",
}


def _hmac_with(key: str, claims: Claims, key_id: str) -> str:
    """Return what a careless reader would take: the public key used as if it were a shared secret."""
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415
    import json  # noqa: PLC0415

    def part(content: dict[str, Any]) -> bytes:
        return bytes(jwt.utils.base64url_encode(json.dumps(content).encode()))

    said = part({"alg": "HS256", "typ": "JWT", "kid": key_id}) + b"." + part(claims)
    seal = jwt.utils.base64url_encode(hmac.new(key.encode(), said, hashlib.sha256).digest())
    return (said + b"." + seal).decode()


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_forged_token_signs_nobody_in(tmp_path: Path, forgery: str) -> None:
    async with site(tmp_path) as (door, provider, person):
        provider.sign = lambda claims: FORGERIES[forgery](provider, claims)
        assert await go(person) == "/login?error=oidc_token"
        assert (await person.get("/api/v1/session"))[1]["user"] is None
        line = door.audit()[-1]
        assert (line.what, line.actor, line.way, line.outcome) == ("login_failed", None, "oidc", "oidc_token")


async def test_nobody_is_signed_in_with_the_code_of_another(tmp_path: Path) -> None:
    async with site(tmp_path) as (_, provider, person):
        async with person.http.get("/api/v1/oidc/login", allow_redirects=False) as response:
            there = response.headers["Location"]
        async with aiohttp.ClientSession() as attacker, attacker.get(there, allow_redirects=False) as response:
            back = URL(response.headers["Location"])
        victim = Person(person.url, "victim")
        assert await go(victim, str(back)) == "/login?error=oidc_state", "without the cookie"
        await go(victim)
        assert await go(victim, str(back)) == "/login?error=oidc_state", "the cookie is gone after one use"
        await victim.http.close()
        assert await go(person, str(back.update_query(state="x"))) == "/login?error=oidc_state"
        assert provider.codes, "the code was never spent"


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"realm_access": {"roles": ["guests"]}}, "no_role"),
        ({"realm_access": "directors"}, "no_role"),
        ({"preferred_username": ""}, "oidc_no_name"),
        ({"preferred_username": "a\nb"}, "oidc_no_name"),
        ({"preferred_username": 5}, "oidc_no_name"),
    ],
    ids=str,
)
async def test_who_has_no_name_or_role_stays_out(tmp_path: Path, claims: Claims, error: str) -> None:
    async with site(tmp_path) as (_, provider, person):
        provider.claims |= claims
        assert await go(person) == f"/login?error={error}"


async def test_an_address_that_is_not_verified_is_no_name(tmp_path: Path) -> None:
    async with site(tmp_path, name_claim="email") as (_, provider, person):
        provider.claims |= {"email": "ann@example.com", "email_verified": False}
        assert await go(person) == "/login?error=oidc_no_name"


async def test_who_declines_stays_out(tmp_path: Path) -> None:
    async with site(tmp_path) as (_, provider, person):
        provider.denies = True
        assert await go(person) == "/login?error=oidc_denied"


@pytest.mark.parametrize("what", ["down", "gone", "another issuer"])
async def test_a_provider_that_is_not_there_is_told_so(tmp_path: Path, what: str) -> None:
    async with provider_on() as provider:
        provider.is_down = what == "down"
        provider.issuer = "https://evil.example" if what == "another issuer" else None
        issuer = f"http://{HOST}:{free_port()}" if what == "gone" else provider.url
        async with entrance(tmp_path, oidc=oidc_of(provider, issuer=issuer)) as door:
            person = Person(door.url, "somebody")
            assert await go(person) == "/login?error=oidc_unavailable"
            await person.http.close()
