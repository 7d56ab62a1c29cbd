"""The audit as it is read: by whom, and which lines."""

from pathlib import Path
from typing import Any

import pytest

from alerts.console.audit import line
from alerts.console.identity import Identity, Role
from alerts.console.ledger import COLUMNS, cells
from tests.alerts.console.doorway import Person, asking
from tests.alerts.console.entrance import Entrance, entrance

NOON_MS = 1_762_862_400_000


async def signed_in(door: Entrance, name: str) -> Person:
    person = Person(door.url, name)
    assert (await person.sign_in())[0] == 200
    return person


async def lines(person: Person, query: str = "") -> list[dict[str, Any]]:
    status, body = await person.get(f"/api/v1/audit{query}")
    assert status == 200, body
    entries: list[dict[str, Any]] = body["entries"]
    return entries


async def test_sign_ins_of_others_are_for_admins(tmp_path: Path) -> None:
    async with entrance(tmp_path) as door:
        ann, mei = await signed_in(door, "ann"), await signed_in(door, "mei")
        assert [(each["what"], each["actor"]) for each in await lines(ann)] == [("login", "mei"), ("login", "ann")]
        assert [(each["what"], each["actor"]) for each in await lines(mei)] == [("login", "mei")]
        await ann.http.close()
        await mei.http.close()


async def test_lines_are_found_and_turned_over(tmp_path: Path) -> None:
    async with entrance(tmp_path) as door:
        ann, mei = await signed_in(door, "ann"), await signed_in(door, "mei")
        for number in range(3):
            assert (await mei.order(f"p{number}", "allow"))[0] == 400
        assert (await mei.post("/api/v1/commands", asking("p", "pause")))[0] == 503, "nothing is read yet"
        assert {each["outcome"] for each in await lines(ann, "?actor=mei&what=refused")} == {"invalid"}
        assert len(await lines(ann, "?what=login")) == 2
        assert await lines(ann, "?product_id=p1") == []
        first = await lines(ann, "?limit=2")
        rest = await lines(ann, f"?before={first[-1]['entry_id']}")
        assert [each["entry_id"] for each in first + rest] == [each["entry_id"] for each in await lines(ann)]
        for query in ("?limit=0", "?limit=x", "?what=x", "?before=x", "?x=1", "?limit=1&limit=2", "?actor=a%00b"):
            assert (await ann.get(f"/api/v1/audit{query}"))[0] == 400, query
        await ann.http.close()
        await mei.http.close()


async def test_nothing_is_shown_before_it_is_known_which_sessions_were_ended(tmp_path: Path) -> None:
    async with entrance(tmp_path, is_read=False) as door:
        ann = await signed_in(door, "ann")
        for path in ("/api/v1/audit", "/api/v1/board", "/api/v1/stream"):
            status, body = await ann.get(path)
            assert (status, body["error"]) == (503, "starting")
        await ann.http.close()


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_a_line_as_cells(role: Role) -> None:
    who = Identity("=cmd|' /C calc'!A0", role, "oidc", "-session")
    row = dict(zip(COLUMNS, cells(line("command", who, "::1", NOON_MS, reason="\tx\0", sequence=7)), strict=True))
    assert row["actor"] == "'=cmd|' /C calc'!A0"
    assert row["session_id"] == "'-session"
    assert row["reason"] == "'\tx"
    assert (row["at"], row["sequence"], row["product_id"]) == ("2025-11-11T12:00:00.000Z", "7", "")
