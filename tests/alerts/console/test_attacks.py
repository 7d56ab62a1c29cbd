"""What is tried against the console, and how it ends: the status, the line in the audit, and no command in Kafka."""

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import jwt
import pytest
import pytest_asyncio
from yarl import URL

from alerts.console import desk
from alerts.console.accounts import AccountsFile
from alerts.console.config import ProxyConfig
from alerts.console.sessions import COOKIE
from deploy.embedded import HOST
from schemas.audit import AuditEntry
from tests.alerts.console.doorway import QUICK, Doorway, Person, asking, config_of, doorway, password_of, running
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SCRIPT = "<script>alert(1)</script>"
PROXY = ProxyConfig(
    trusted=(ip_network("10.9.9.0/24"),),
    user_header="X-Remote-User",
    role_header="X-Remote-Groups",
    roles={"directors": "operator"},
    default_role=None,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no events: no worker runs that could write them."""
    monkeypatch.setattr(desk, "ANSWER_WITHIN_S", 0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doorway]:
    folder = tmp_path_factory.mktemp("attacks")
    with Cluster(kafka.bootstrap, f"t{uuid4().hex[:10]}", folder) as cluster:
        async with doorway(cluster, folder, proxy=PROXY) as opened:
            yield opened


@asynccontextmanager
async def harmless(door: Doorway) -> AsyncIterator[None]:
    """See that what happens in the block sends no command."""
    before = len(await door.commands())
    yield
    assert len(await door.commands()) == before


async def refused(door: Doorway, outcome: str, status: int, since_ms: int, **facts: Any) -> AuditEntry:
    """Wait for the line of a refusal that is not older than this."""
    entry = await door.audited(what=facts.pop("what", "refused"), outcome=outcome, status=status, **facts)
    assert entry.at >= since_ms
    return entry


def now_ms() -> int:
    return int(time.time() * 1000)


async def raw(door: Doorway, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send a request byte for byte, as no browser would; return the status and all of the answer."""
    assert door.config.port
    reader, writer = await asyncio.open_connection(HOST, door.config.port)
    writer.write(head.replace("\n", "\r\n").encode() + body)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", ["/api/v1/board", "/api/v1/stream", "/api/v1/audit", "/api/v1/audit.csv"])
async def test_nothing_is_read_without_a_session(door: Doorway, path: str) -> None:
    since = now_ms()
    async with door.person("nobody", signed_in=False) as nobody:
        status, body = await nobody.get(path)
    assert (status, body["error"]) == (401, "no_session")
    await refused(door, "no_session", 401, since - 60_000, actor=None)


async def test_nothing_is_ordered_without_a_session(door: Doorway) -> None:
    async with harmless(door), door.person("nobody", signed_in=False) as nobody:
        for path, body in (("/api/v1/commands", asking("p1", "pause")), ("/api/v1/commands/bulk", {})):
            status, answer = await nobody.post(path, body)
            assert (status, answer["error"]) == (401, "no_session")
    entry = await door.audited(what="refused", outcome="no_session", detail="POST order")
    assert (entry.status, entry.actor, entry.client) == (401, None, HOST)


async def test_a_viewer_orders_nothing(door: Doorway) -> None:
    since = now_ms()
    async with harmless(door), door.person("vic") as vic:
        for path, body in (("/api/v1/commands", asking("p1", "pause")), ("/api/v1/commands/bulk", {})):
            status, answer = await vic.post(path, body)
            assert (status, answer["error"]) == (403, "role")
        assert (await vic.get("/api/v1/audit"))[0] == 403
    await refused(door, "role", 403, since, actor="vic", role="viewer")


async def test_an_operator_exports_nothing(door: Doorway) -> None:
    since = now_ms()
    async with door.person("mei") as mei:
        assert (await mei.get("/api/v1/audit.csv"))[0] == 403
    await refused(door, "role", 403, since, actor="mei")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": ""},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
        {"Origin": "", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "", "Sec_Fetch_Site": ""},
        {"X_CSRF_Token": "0" * 64},
        {"X_CSRF_Token": ""},
        {"X_CSRF_Token": "schön"},
    ],
    ids=str,
)
async def test_a_forged_request_is_refused(door: Doorway, headers: dict[str, str]) -> None:
    since = now_ms()
    async with harmless(door), door.person("mei") as mei:
        status, answer = await mei.post("/api/v1/commands", asking("p1", "pause"), **headers)
        assert (status, answer["error"]) == (403, "csrf")
        status, _ = await mei.post("/api/v1/logout", {}, **headers)
        assert status == 403
        assert (await mei.get("/api/v1/session"))[1]["user"]["name"] == "mei"
    await refused(door, "csrf", 403, since, actor="mei")


async def test_the_token_of_another_session_is_none(door: Doorway) -> None:
    async with harmless(door), door.person("mei") as mei, door.person("bo") as bo:
        status, _ = await mei.order("p1", "pause", X_CSRF_Token=bo.csrf)
        assert status == 403


async def test_another_site_signs_nobody_in(door: Doorway) -> None:
    async with door.person("mei", signed_in=False) as mei:
        asked = {"name": "mei", "password": password_of("mei")}
        status, _ = await mei.post("/api/v1/login", asked, Origin="https://evil.example", Sec_Fetch_Site="")
        assert status == 403
        assert not mei.http.cookie_jar.filter_cookies(door_url(door))


async def test_a_form_of_another_site_is_no_json(door: Doorway) -> None:
    """A form can send text/plain across sites without asking first; were the rest right, this alone would hold."""
    since = now_ms()
    async with harmless(door), door.person("mei") as mei:
        headers = {"Origin": mei.url, "X-CSRF-Token": mei.csrf or "", "Content-Type": "text/plain"}
        body = json.dumps(asking("p1", "pause"))
        async with mei.http.post("/api/v1/commands", data=body, headers=headers) as response:
            assert response.status == 415
    await refused(door, "not_json", 415, since, actor="mei")


async def test_a_header_from_elsewhere_is_refused_whoever_else_one_is(door: Doorway) -> None:
    since = now_ms()
    async with harmless(door), door.person("vic") as vic:
        forged = {"X_Remote_User": "ann", "X_Remote_Groups": "directors", "X_Forwarded_For": "10.9.9.9"}
        status, answer = await vic.post("/api/v1/commands", asking("p1", "pause"), **forged)
        assert (status, answer["error"]) == (403, "proxy_not_trusted")
        assert (await vic.get("/api/v1/session", **{"X-Remote-User": "ann"}))[0] == 403
        assert (await vic.get("/", **{"X-Remote-Groups": "directors"}))[0] == 403
    entry = await refused(door, "proxy_not_trusted", 403, since)
    assert entry.client == HOST, "where it came from is not what the header says"
    assert entry.actor is None


@pytest.mark.parametrize("product_id", [SCRIPT, "';DROP TABLE p;--", "../../etc/passwd", "{{7*7}}", "%00", "商品-1"])
async def test_what_is_in_an_id_or_a_reason_stays_text(door: Doorway, product_id: str) -> None:
    async with door.person("mei") as mei:
        asked = asking(product_id, "acknowledge", reason=SCRIPT)
        headers = {"Origin": mei.url, "X-CSRF-Token": mei.csrf or ""}
        async with mei.http.post("/api/v1/commands", json=asked, headers=headers) as response:
            # It is an order like any other: no worker runs here that could answer.
            assert response.status == 202
            assert response.content_type == "application/json"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            policy = response.headers["Content-Security-Policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
    entry = await door.audited(what="command", request_id=uuid_of(asked))
    assert (entry.product_id, entry.reason) == (product_id, SCRIPT)


@pytest.mark.parametrize(
    "change",
    [
        {"product_id": "a\nb"},
        {"product_id": "a\0b"},
        {"product_id": "x" * 129},
        {"reason": "   "},
        {"reason": "x" * 501},
        {"action": SCRIPT},
        {"request_id": SCRIPT},
        {"expected_sequence": -1},
        {"expected_sequence": "0"},
        {"expected_sequence": 2**53},
        {"duration_s": 5, "action": "resume"},
        {"action": "allow"},
        {"action": "allow", "duration_s": 24 * 3600 + 1},
        {"rule": "complaint-surge"},
        {"actor": "ann"},
        {SCRIPT: 1},
    ],
    ids=str,
)
async def test_what_does_not_fit_is_refused_and_not_repeated(door: Doorway, change: dict[str, Any]) -> None:
    since = now_ms()
    async with harmless(door), door.person("mei") as mei:
        status, answer = await mei.post("/api/v1/commands", asking("p1", "pause") | change)
    assert (status, answer["error"]) == (400, "invalid")
    assert "script" not in json.dumps(answer)
    await refused(door, "invalid", 400, since, actor="mei")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/%252e%252e%252fetc%252fpasswd",
        "/assets/..%5c..%5cwindows",
        "/api/v1/../../etc/passwd",
        "/assets/index.html%00.js",
        "/products/../../etc/passwd",
        "//etc/passwd/..",
    ],
)
async def test_no_path_leads_out(door: Doorway, path: str) -> None:
    since = now_ms()
    status, answer = await raw(door, f"GET {path} HTTP/1.1\nHost: {HOST}\nConnection: close\n\n")
    assert status == 400
    assert b"root:" not in answer
    # Of many within a minute only the first have lines of their own.
    await refused(door, "bad_path", 400, since - 60_000)


@pytest.mark.parametrize("path", ["/assets/passwd", "/api/v1/passwd", "/api/", "/api/v2/board"])
async def test_what_is_not_listed_does_not_exist(door: Doorway, path: str) -> None:
    async with door.person("ann") as ann:
        assert (await ann.get(path))[0] == 404


async def test_no_path_of_a_product_is_a_path_of_the_disk(door: Doorway) -> None:
    _, answer = await raw(
        door, f"GET /products/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\nHost: {HOST}\nConnection: close\n\n"
    )
    assert b"root:" not in answer


@pytest.mark.parametrize("name", ["mei", "nobody"])
async def test_ten_megabytes_are_not_read(door: Doorway, name: str) -> None:
    since = now_ms()
    async with harmless(door), door.person(name, signed_in=name == "mei") as person:
        large = json.dumps(asking("p1", "pause", reason="x" * 10_000_000)).encode()
        headers = {"Origin": person.url, "X-CSRF-Token": person.csrf or "", "Content-Type": "application/json"}
        for path in ("/api/v1/login", "/api/v1/commands"):
            try:
                async with person.http.post(path, data=io.BytesIO(large), headers=headers) as response:
                    status, answer = response.status, await response.json()
            except aiohttp.ClientConnectionError:
                # Cut off while it was still sending.
                continue
            assert status == 413 or (name, path, status) == ("nobody", "/api/v1/commands", 401)
            assert answer["error"] in {"too_large", "no_session"}
    await refused(door, "too_large", 413, since)


async def test_ten_megabytes_in_pieces_are_not_read(door: Doorway) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b" " * 1_000

    async with harmless(door), door.person("mei") as mei:
        headers = {"Origin": mei.url, "X-CSRF-Token": mei.csrf or "", "Content-Type": "application/json"}
        try:
            async with mei.http.post("/api/v1/commands", data=pieces(), headers=headers) as response:
                assert response.status == 413
        except aiohttp.ClientConnectionError:
            pass


async def test_passwords_cannot_be_guessed(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    # A console of its own: what is guessed here keeps everybody at this address out.
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        async with doorway(cluster, tmp_path) as door, door.person("mei", signed_in=False) as mei:
            answers = [await mei.sign_in(f"guess {number}") for number in range(5)]
            assert {(status, answer["error"]) for status, answer in answers} == {(401, "login_failed")}
            status, answer = await mei.sign_in()
            assert (status, answer["error"]) == (429, "too_many"), "the right password helps no more"
            async with door.person("bo") as bo:
                assert bo.csrf, "others at this address still come in"
            many = await asyncio.gather(*(mei.sign_in("at once") for _ in range(40)))
            assert {status for status, _ in many} == {429}
            entries = [each for each in await door.audit() if each.what == "login_failed"]
            assert len(entries) <= 6, "a flood is folded"
            assert {(each.actor, each.client, each.session_id) for each in entries} == {("mei", HOST, None)}
            assert "guess" not in "".join(each.model_dump_json() for each in entries)
            assert not await door.commands()


async def test_a_name_that_nobody_has_is_refused_alike_and_not_written_down(door: Doorway) -> None:
    since = now_ms()
    async with door.person("hunter2", signed_in=False) as nobody:
        status, answer = await nobody.sign_in("x" * 20)
    assert (status, answer["error"]) == (401, "login_failed")
    entry = await refused(door, "login_failed", 401, since, what="login_failed", actor=None)
    assert "hunter2" not in entry.model_dump_json()


async def test_a_replayed_command_does_nothing_again(door: Doorway) -> None:
    async with door.person("mei") as mei, door.person("bo") as bo, door.person("vic") as vic:
        asked = asking("replayed", "pause")
        first = await mei.post("/api/v1/commands", asked)
        assert first[0] == 202
        async with harmless(door):
            assert await mei.post("/api/v1/commands", asked) == first
            await door.audited(what="refused", outcome="repeated", request_id=uuid_of(asked))
            status, answer = await mei.post("/api/v1/commands", asked | {"action": "acknowledge"})
            assert (status, answer["error"]) == (409, "request_id_used")
            await door.audited(what="refused", outcome="request_id_used", status=409)
            assert (await vic.post("/api/v1/commands", asked))[0] == 403
            assert (await mei.post("/api/v1/logout", {}))[0] == 200
            assert (await mei.post("/api/v1/commands", asked))[0] == 401
        # The same words of somebody else are another order.
        assert (await bo.post("/api/v1/commands", asked))[1]["command_id"] != first[1]["command_id"]


async def test_a_session_that_was_ended_is_ended_everywhere(door: Doorway) -> None:
    async with harmless(door), door.person("mei") as mei:
        kept = cookie_of(mei)
        assert (await mei.post("/api/v1/logout", {}))[0] == 200
        assert not cookie_of(mei)
        mei.http.cookie_jar.update_cookies({COOKIE: kept}, door_url(door))
        assert (await mei.get("/api/v1/session"))[1]["user"] is None
        assert (await mei.order("p1", "pause"))[0] == 401
    await door.audited(what="logout", actor="mei")


def forgeries(token: str) -> dict[str, str]:
    """Return what might pass for a session, made from a real one."""
    head, body, seal = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    return {
        "another role": ".".join((head, part(claims | {"role": "admin"}), seal)),
        "no algorithm": ".".join((part({"alg": "none", "typ": "JWT"}), part(claims | {"role": "admin"}), "")),
        "None algorithm": ".".join((part({"alg": "None", "typ": "JWT"}), body, "")),
        "another key": jwt.encode(claims | {"role": "admin"}, "x" * 32, "HS256"),
        "no seal": f"{head}.{body}.",
        "another algorithm": jwt.encode(claims, "x" * 64, "HS512"),
        "a part": token[:-1],
        "text": SCRIPT,
        "much": "x" * 6_000,
    }


def part(content: dict[str, Any]) -> str:
    """Return a part of a token."""
    return jwt.utils.base64url_encode(json.dumps(content).encode()).decode()


async def test_a_forged_session_is_none(door: Doorway) -> None:
    async with harmless(door), door.person("mei") as mei:
        real = cookie_of(mei)
        for what, forged in forgeries(real).items():
            mei.http.cookie_jar.clear()
            mei.http.cookie_jar.update_cookies({COOKIE: forged}, door_url(door))
            status, answer = await mei.order("p1", "pause")
            assert (status, answer["error"]) == (401, "no_session"), what
        mei.http.cookie_jar.clear()
        mei.http.cookie_jar.update_cookies({COOKIE: real}, door_url(door))
        assert (await mei.get("/api/v1/session"))[1]["user"] == {"name": "mei", "role": "operator"}
    await door.audited(what="refused", outcome="no_session", client=HOST)


async def test_a_session_ends_with_its_time(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        async with doorway(cluster, tmp_path) as door, door.person("mei") as mei:
            claims = jwt.decode(cookie_of(mei), options={"verify_signature": False})
            assert claims["exp"] - claims["iat"] == 12 * 3600
            sessions = door.console.doors._sessions  # type: ignore[attr-defined] # noqa: SLF001
            sessions._clock = lambda: time.time() + 12 * 3600 + 1  # noqa: SLF001
            assert (await mei.order("p1", "pause"))[0] == 401
            assert not await door.commands()


async def test_a_session_put_into_the_browser_before_is_worth_nothing(door: Doorway) -> None:
    async with door.person("vic") as attacker, door.person("mei", signed_in=False) as mei:
        planted = cookie_of(attacker)
        mei.http.cookie_jar.update_cookies({COOKIE: planted}, door_url(door))
        assert (await mei.sign_in())[0] == 200
        assert cookie_of(mei) != planted
        ids = {jwt.decode(each, options={"verify_signature": False})["jti"] for each in (planted, cookie_of(mei))}
        assert len(ids) == 2
        assert (await attacker.get("/api/v1/session"))[1]["user"]["name"] == "vic"


async def test_the_cookie_is_as_closed_as_a_cookie_can_be(door: Doorway) -> None:
    async with door.person("mei", signed_in=False) as mei:
        asked = {"name": "mei", "password": password_of("mei")}
        async with mei.http.post("/api/v1/login", json=asked, headers={"Origin": mei.url}) as response:
            (cookie,) = response.headers.getall("Set-Cookie")
    assert cookie.startswith("__Host-livefuse=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_a_password_that_changes_ends_the_sessions_of_its_account(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        async with doorway(cluster, tmp_path) as door, door.person("mei") as mei, door.person("bo") as bo:
            assert door.config.accounts_file
            AccountsFile(door.config.accounts_file, QUICK).set_password("mei", "another password")
            AccountsFile(door.config.accounts_file).remove("bo")
            assert (await mei.order("p1", "pause"))[0] == 401
            assert (await bo.order("p1", "pause"))[0] == 401
            assert not await door.commands()


async def test_no_cell_of_the_export_is_a_formula(door: Doorway) -> None:
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1+1", '=HYPERLINK("http://evil.example")']
    async with door.person("mei") as mei, door.person("ann") as ann:
        for each in formulas:
            assert (await mei.order(each.strip() or "p", "acknowledge", reason=each))[0] == 202
        await door.audited(reason=formulas[-1])
        status, answer = await ann.get("/api/v1/audit.csv")
        assert status == 200
    rows = list(csv.DictReader(io.StringIO(answer["text"].lstrip("\ufeff"))))
    assert {row["reason"].lstrip("'") for row in rows} >= set(formulas)
    assert not [
        cell for row in rows for cell in row.values() if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t"))
    ]
    await door.audited(what="export", actor="ann", role="admin")


async def test_a_restart_revives_no_session_and_ends_none(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        config = config_of(cluster, tmp_path)
        async with running(cluster, config) as door, door.person("mei") as mei, door.person("bo") as bo:
            ended, kept = cookie_of(mei), cookie_of(bo)
            await mei.post("/api/v1/logout", {})
            await door.audited(what="logout")
        async with running(cluster, config) as door, door.person("x", signed_in=False) as somebody:
            for cookie, user in ((ended, None), (kept, {"name": "bo", "role": "operator"})):
                somebody.http.cookie_jar.update_cookies({COOKIE: cookie}, door_url(door))
                assert (await somebody.get("/api/v1/session"))[1]["user"] == user


def cookie_of(person: Person) -> str:
    found = person.http.cookie_jar.filter_cookies(door_url(person)).get(COOKIE)
    return found.value if found else ""


def door_url(where: Doorway | Person) -> URL:
    return URL(where.url)


def uuid_of(asked: dict[str, Any]) -> UUID:
    return UUID(asked["request_id"])
