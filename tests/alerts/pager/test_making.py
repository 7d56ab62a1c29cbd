"""Channels from settings, and new secrets without a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from alerts.pager import trial
from alerts.pager.channel import Rejected
from alerts.pager.config import AlertmanagerConfig, ChannelConfig, Kind, PagerConfig
from alerts.pager.making import make_channels
from alerts.pager.route import Route
from schemas.errors import ConfigurationError
from schemas.topics import TopicNames
from tests.alerts.pager.alertmanager_like import AlertmanagerLike
from tests.alerts.pager.examples import notice
from tests.alerts.pager.service import says, serving

KINDS: tuple[Kind, ...] = ("dingtalk", "feishu", "wecom", "slack", "webhook", "pagerduty")


def config_of(*channels: ChannelConfig, alertmanager: AlertmanagerConfig | None = None) -> PagerConfig:
    return PagerConfig(
        client={},
        topics=TopicNames(),
        partitions=1,
        channels=channels,
        alertmanager=alertmanager or AlertmanagerConfig(),
    )


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def test_every_kind_can_be_made(session: ClientSession) -> None:
    channels = [
        ChannelConfig(kind, kind, Route(), url=lambda: "https://chat.example/hook", secret=lambda: "s")
        for kind in KINDS
    ]
    assert [each.name for each in make_channels(config_of(*channels), session)] == list(KINDS)


def test_all_that_cannot_be_made_are_named(session: ClientSession, tmp_path: Path) -> None:
    bad = ChannelConfig("bad", "webhook", Route(), url=lambda: "https://a.example", secret=lambda: "whsec_!")
    gone = ChannelConfig("gone", "slack", Route(), url=(tmp_path / "nothing").read_text)
    none = ChannelConfig("none", "slack", Route(), url=nothing)
    with pytest.raises(ConfigurationError) as caught:
        make_channels(config_of(bad, gone, none), session)
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("channel bad: ")
    assert rest == [
        "channel gone: its secret cannot be read: No such file or directory",
        "channel none: the file is empty",
    ]


def nothing() -> str:
    raise ValueError("the file is empty")


async def test_a_new_secret_needs_no_restart(session: ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "url"
    async with serving(lambda _: says("no_service", 404)) as old, serving(lambda _: says({"errcode": 0})) as new:
        file.write_text(f"{old.url}/robot?key=old")
        (channel,) = make_channels(config_of(ChannelConfig("c", "wecom", Route(), url=file.read_text)), session)
        with pytest.raises(Rejected):
            await channel.send([notice()])
        file.unlink()
        with pytest.raises(Rejected, match="cannot be read"):
            await channel.send([notice()])
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(Rejected, match="not text"):
            await channel.send([notice()])
        file.write_text(f"{new.url}/robot?key=new")
        await channel.send([notice()])
        assert (len(old.received), new.last.query) == (1, {"key": "new"})


async def test_a_trial_reaches_everything_and_says_what_came_of_it() -> None:
    model = AlertmanagerLike()
    async with serving(model.behave) as alertmanager, serving(lambda _: says({"errcode": 93000})) as robot:
        config = config_of(
            ChannelConfig("room", "wecom", Route(), url=lambda: f"{robot.url}/?key=k"),
            ChannelConfig("mine", "webhook", Route(), url=lambda: f"{alertmanager.url}/nowhere"),
            alertmanager=AlertmanagerConfig((alertmanager.url, "http://127.0.0.1:1")),
        )
        found = {each.channel: each.problem for each in await trial.run(config)}
    assert model.notified("LivefuseTest") == ["firing"]
    assert [problem is None for problem in found.values()] == [True, False, False, False]
    assert "93000" in (found["room"] or "")
    assert "404" in (found["mine"] or "")


@pytest.mark.parametrize("answer", ["OK", [], {}, {"status": "success"}])
async def test_what_takes_anything_is_no_alertmanager(answer: object) -> None:
    async with serving(lambda _: says(answer)) as service:
        (found,) = await trial.run(config_of(alertmanager=AlertmanagerConfig((service.url,))))
        assert "is no Alertmanager: to /api/v2/status it answered" in (found.problem or "")
        assert [each.method for each in service.received] == ["GET"]


async def test_a_trial_of_nothing_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="nobody to tell"):
        await trial.run(config_of())
