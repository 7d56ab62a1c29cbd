"""Who asks and from where, by the word of a proxy; behind a real one, and from elsewhere."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from alerts.console.config import ProxyConfig
from deploy.embedded import HOST
from tests.alerts.console.doorway import Person
from tests.alerts.console.entrance import entrance

PROXY = ProxyConfig(
    trusted=(ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16"), ip_network("fd00::/8")),
    user_header="X-Remote-User",
    role_header="X-Remote-Groups",
    roles={"staff": "viewer", "directors": "operator", "owners": "admin"},
    default_role=None,
)


async def asked(folder: Path, config: ProxyConfig, **headers: str) -> tuple[int, dict[str, object] | None, str]:
    """Return the status, who one is, and the address in the audit when such headers come from this machine."""
    async with entrance(folder, proxy=config) as door:
        person = Person(door.url, "somebody")
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        status, body = await person.get("/api/v1/session", **given)
        await person.get("/api/v1/audit.csv", **{"X-Forwarded-For": given.get("X-Forwarded-For", "")})
        await person.http.close()
        return status, body.get("user"), door.audit()[-1].client


@pytest.mark.parametrize(
    ("groups", "role"),
    [("directors", "operator"), ("staff, directors", "operator"), ("owners,staff", "admin"), ("x,staff", "viewer")],
)
async def test_the_highest_role_counts(tmp_path: Path, groups: str, role: str) -> None:
    status, user, _ = await asked(tmp_path, PROXY, X_Remote_User="王梅", X_Remote_Groups=groups)
    assert (status, user) == (200, {"name": "王梅", "role": role})


async def test_without_a_role_nobody_gets_in_unless_there_is_one_for_all(tmp_path: Path) -> None:
    assert (await asked(tmp_path, PROXY, X_Remote_User="mei", X_Remote_Groups="guests"))[0] == 403
    assert (await asked(tmp_path, PROXY, X_Remote_User="mei"))[0] == 403
    _, user, _ = await asked(tmp_path, replace(PROXY, default_role="viewer"), X_Remote_User="mei")
    assert user == {"name": "mei", "role": "viewer"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 129])
async def test_a_name_that_is_none_names_nobody(tmp_path: Path, name: str) -> None:
    status, user, _ = await asked(tmp_path, PROXY, X_Remote_User=name, X_Remote_Groups="owners")
    assert (status, user) == (200, None)


async def test_from_elsewhere_the_word_counts_nothing(tmp_path: Path) -> None:
    elsewhere = replace(PROXY, trusted=(ip_network("10.1.0.0/16"),))
    status, _, client = await asked(tmp_path, elsewhere, X_Remote_User="mei", X_Forwarded_For="10.1.2.3")
    assert (status, client) == (403, HOST)


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("198.51.100.1, 10.1.9.9, 203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711, fd00::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.1.2.4, 10.1.2.3", "10.1.2.4"),
        ("<script>, 10.1.2.3", "10.1.2.3"),
        ("unknown", HOST),
        ("", HOST),
    ],
)
async def test_the_address_is_the_last_one_that_is_no_proxy_s(tmp_path: Path, forwarded: str, client: str) -> None:
    _, _, found = await asked(tmp_path, PROXY, X_Remote_User="mei", X_Remote_Groups="staff", X_Forwarded_For=forwarded)
    assert found == client


async def test_two_users_are_none(tmp_path: Path) -> None:
    async with entrance(tmp_path, proxy=PROXY) as door:
        person = Person(door.url, "somebody")
        headers = [("X-Remote-User", "mei"), ("X-Remote-User", "ann"), ("X-Remote-Groups", "owners")]
        async with person.http.get("/api/v1/session", headers=headers) as response:
            assert response.status == 403
        await person.http.close()


async def test_who_comes_through_a_proxy_needs_the_token_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.console.audit.WRITE_WITHIN_S", 0.01)
    async with entrance(tmp_path, proxy=PROXY) as door:
        person = Person(door.url, "somebody")
        who = {"X_Remote_User": "mei", "X_Remote_Groups": "staff"}
        assert (await person.post("/api/v1/logout", {}, **who))[0] == 403
        _, body = await person.get("/api/v1/session", **{"X-Remote-User": "mei", "X-Remote-Groups": "staff"})
        person.csrf = body["csrf"]
        assert (await person.post("/api/v1/logout", {}, **who))[0] == 200
        await person.http.close()
