"""`livefuse pager` as a person calls it."""

import asyncio
import json
import os
from pathlib import Path

from typer.testing import CliRunner, Result

from deploy.cli import app
from tests.alerts.pager.alertmanager_like import AlertmanagerLike
from tests.alerts.pager.service import says, serving


async def pager(*arguments: str, **settings: str | None) -> Result:
    """Run the command to its end, by default with a broker that nobody can reach."""
    environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("LIVEFUSE_")}
    environment |= {"LIVEFUSE_BOOTSTRAP_SERVERS": "127.0.0.1:1", **settings}
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["pager", *arguments], env=environment, prog_name="livefuse"
    )


async def test_a_check_tells_of_each_channel_what_it_answered() -> None:
    model = AlertmanagerLike()
    async with serving(model.behave) as service:
        good = await pager("--check", "--json", LIVEFUSE_PAGER__ALERTMANAGER__URLS=service.url)
        bad = await pager("--check", LIVEFUSE_PAGER__ALERTMANAGER__URLS=f"{service.url},{service.url}/nowhere")
    assert good.exit_code == 0, good.stderr
    (found,) = json.loads(good.stdout)
    assert (found["channel"], found["problem"]) == (f"alertmanager/{service.url.removeprefix('http://')}", None)
    assert model.notified("LivefuseTest") == ["firing"]
    assert bad.exit_code == 1
    accepted, refused = bad.stdout.splitlines()[1:]
    assert "accepted" in accepted
    assert "answered 404" in refused


async def test_a_check_needs_no_broker() -> None:
    async with serving(AlertmanagerLike().behave) as service:
        done = await pager("--check", LIVEFUSE_PAGER__ALERTMANAGER__URLS=service.url, LIVEFUSE_BOOTSTRAP_SERVERS=None)
    assert done.exit_code == 0, done.stderr


async def test_channels_can_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    async with serving(AlertmanagerLike().behave) as service, serving(lambda _: says({})) as hook:
        file.write_text(f'[[pager.channel]]\nname = "night"\nkind = "webhook"\nurl = "{hook.url}"\n')
        arguments = ("--check", "--json", "--no-channels", "--config", str(file))
        done = await pager(*arguments, LIVEFUSE_PAGER__ALERTMANAGER__URLS=service.url)
    assert [each["channel"] for each in json.loads(done.stdout)] == [f"alertmanager/{service.url[len('http://') :]}"]
    assert hook.received == []


async def test_a_check_of_nothing_says_what_to_set() -> None:
    done = await pager("--check")
    assert done.exit_code == 2
    assert "LIVEFUSE_PAGER__ALERTMANAGER__URLS" in done.stderr


async def test_bad_settings_stop_it_with_all_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text('[pager]\nescalate_after = "soon"\n[[pager.channel]]\nname = "c"\nkind = "slack"\n')
    done = await pager("--config", str(file), LIVEFUSE_PAGER__WEB_PORT="x")
    assert done.exit_code == 2
    assert "3 settings are wrong" in done.stderr
    assert f"{file}:2 (pager.escalate_after)" in done.stderr
    assert f"{file}:3 (pager.channel.0): slack needs url_file (or url)" in done.stderr
