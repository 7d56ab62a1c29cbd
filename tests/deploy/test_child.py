"""A process of `up` that cannot run says why, in the words of its command."""

import asyncio

import pytest

from deploy.up.child import USAGE, Child


async def test_why_a_child_ended_is_told_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEFUSE_BOOTSTRAP_SERVERS", raising=False)
    told: list[str] = []
    child = Child("intake", ["intake", "--json"], {}, told.append)
    await child.start()
    while child.exit_code is None:
        await child.look_after()
        await asyncio.sleep(0.05)
    assert (child.exit_code, child.may_restart) == (USAGE, False)
    assert len(child.last_lines) == 1
    assert child.last_lines[0].startswith("no broker is configured. Name it, for example LIVEFUSE_BOOTSTRAP_SERVERS=")
    assert told == [f"intake has ended (exit code 2)\n    {child.last_lines[0]}"]
