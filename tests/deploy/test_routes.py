from pathlib import Path

from alerts.pager.config import ChannelConfig
from alerts.pager.route import Route
from deploy.routes import doubts, unknown
from deploy.settings import Settings

NIGHT = '[[pager.channel]]\nname = "night"\nkind = "slack"\nurl = "https://chat.example/hook"\n'


def channel(name: str, *rules: str) -> ChannelConfig:
    return ChannelConfig(name, "slack", Route(rules=frozenset(rules)))


def settings(directory: Path, text: str) -> Settings:
    file = directory / "livefuse.toml"
    file.write_text(text)
    return Settings.load(file, {})


def test_rules_that_are_not_in_force_are_named_with_those_that_are() -> None:
    channels = [channel("all"), channel("good", "a", "b"), channel("half", "a", "x", "c"), channel("none", "y")]
    assert unknown(channels, ["b", "a"]) == [
        "channel half is for c, x, which is no rule in force. In force: a, b.",
        "channel none is for y, which is no rule in force. In force: a, b.",
    ]
    assert unknown(channels[1:2], []) == ["channel good is for a, b, which is no rule in force. In force: none."]


async def test_a_broker_is_needed_only_where_a_channel_names_rules(tmp_path: Path) -> None:
    assert await doubts(settings(tmp_path, NIGHT)) == []
    (told,) = await doubts(settings(tmp_path, f'{NIGHT}rules = ["oversell"]\n'))
    assert "cannot be told: no broker is configured" in told
