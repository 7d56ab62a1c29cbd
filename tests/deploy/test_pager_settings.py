from datetime import UTC, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.pager.route import QuietHours
from deploy.settings import Settings
from schemas.errors import ConfigurationError

SECRET = "hunter2"
BROKER = {"LIVEFUSE_BOOTSTRAP_SERVERS": "kafka-1:9092"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "livefuse.toml"


def problems(file: Path, text: str, **environment: str) -> list[str]:
    """Return the lines of the error that these settings make, without the first."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(file, environment)
    assert SECRET not in str(caught.value)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_without_settings_nobody_is_told_and_escalation_takes_ten_minutes() -> None:
    config = Settings.load(None, BROKER).pager_config()
    assert (config.alertmanager.urls, config.channels, config.web_port) == ((), (), None)
    assert config.escalate_after == timedelta(minutes=10)
    assert config.group("night") == "livefuse-pager-night"


def test_variables_reach_the_pager() -> None:
    config = Settings.load(
        None,
        BROKER
        | {
            "LIVEFUSE_PAGER__ALERTMANAGER__URLS": "http://am-1:9093, https://am-2/alerts/",
            "LIVEFUSE_PAGER__ALERTMANAGER__TOKEN": SECRET,
            "LIVEFUSE_PAGER__ESCALATE_AFTER": "0s",
            "LIVEFUSE_PAGER__TIME_ZONE": "Asia/Shanghai",
            "LIVEFUSE_PAGER__CONSOLE_URL": "https://console/",
            "LIVEFUSE_PAGER__WEB_PORT": "9464",
        },
    ).pager_config()
    assert config.alertmanager.urls == ("http://am-1:9093", "https://am-2/alerts")
    assert config.alertmanager.authorization is not None
    assert config.alertmanager.authorization() == f"Bearer {SECRET}"
    assert config.escalate_after is None
    assert config.zone == ZoneInfo("Asia/Shanghai")
    assert (config.console_url, config.web_port) == ("https://console", 9464)
    assert SECRET not in repr(config)


def test_channels_come_from_the_file(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    file.write_text(f"""
[[pager.channel]]
name = "night"
kind = "pagerduty"
secret_file = "{secret}"
min_severity = "critical"
after = "5m"

[[pager.channel]]
name = "room-1"
kind = "dingtalk"
url = "https://chat.example/send?access_token={SECRET}"
rooms = ["r1"]
rules = ["oversell", "complaint-surge"]
quiet_hours = "22:00-08:00 Asia/Shanghai"
language = "both"
resolved = false
""")
    settings = Settings.load(file, BROKER)
    night, room = settings.pager_config().channels
    assert (night.name, night.kind, night.url) == ("night", "pagerduty", None)
    assert night.secret is not None
    assert night.secret() == SECRET
    secret.write_text("another")
    assert night.secret() == "another"
    secret.write_text("\n")
    with pytest.raises(ValueError, match=f"the file {secret} is empty"):
        night.secret()
    assert (night.route.min_severity, night.route.after) == ("critical", timedelta(minutes=5))
    assert room.url is not None
    assert room.url().endswith(SECRET)
    assert room.route.rooms == {"r1"}
    assert room.route.rules == {"oversell", "complaint-surge"}
    assert room.route.quiet_hours == QuietHours(time(22), time(8), ZoneInfo("Asia/Shanghai"))
    assert (room.language, room.route.resolved, night.route.resolved) == ("both", False, True)
    assert SECRET not in repr(settings) + repr(night) + repr(room) + settings.model_dump_json()


def test_a_login_by_password(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(f"{SECRET}\n")
    login = {
        "LIVEFUSE_PAGER__ALERTMANAGER__USERNAME": "livefuse",
        "LIVEFUSE_PAGER__ALERTMANAGER__PASSWORD_FILE": str(password),
    }
    authorization = Settings.load(None, BROKER | login).pager_config().alertmanager.authorization
    assert authorization is not None
    assert authorization() == "Basic bGl2ZWZ1c2U6aHVudGVyMg=="


def test_everything_that_is_wrong_is_told_at_once_with_its_line(file: Path) -> None:
    found = problems(
        file,
        f"""[pager]
escalate_after = "10"
[pager.alertmanager]
urls = ["am-1:9093"]
[[pager.channel]]
name = "night"
kind = "pagerdty"
wat = 1
[[pager.channel]]
kind = "slack"
url = "{SECRET}"
quiet_hours = "22:00"
after = "2d"
""",
        LIVEFUSE_PAGER__WEB_PORT="99999",
    )
    together = "\n".join(found)
    assert len(found) == 9
    for place, what in (
        ("2 (pager.escalate_after)", "must be a duration"),
        ("4 (pager.alertmanager.urls.0)", "must be an address"),
        ("7 (pager.channel.0.kind)", "must be 'dingtalk', 'feishu'"),
        ("8 (pager.channel.0.wat)", "is not known"),
        ("9 (pager.channel.1): name", "is missing"),
        ("11 (pager.channel.1.url)", "must be an address"),
        ("12 (pager.channel.1.quiet_hours)", '"22:00-08:00 Asia/Shanghai"'),
        ("13 (pager.channel.1.after)", "from 0s to 1d"),
    ):
        assert any(f"{file}:{place}" in line and what in line for line in found), (place, together)
    assert "LIVEFUSE_PAGER__WEB_PORT=99999" in together


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('kind = "slack"', "slack needs url_file (or url)"),
        ('kind = "pagerduty"', "pagerduty needs secret_file (or secret)"),
        ('kind = "wecom"\nurl = "https://a.example/hunter2"\nsecret = "hunter2"', "wecom has no use for a secret"),
        ('kind = "slack"\nurl = "https://a.example/hunter2"\nurl_file = "{url}"', "both given: keep one"),
        ('kind = "slack"\nurl_file = "/nowhere"', "the file /nowhere cannot be read: No such file"),
        ('kind = "slack"\nurl_file = "{empty}"', "the file {empty} is empty"),
        ('kind = "slack"\nurl_file = "{bytes}"', "the file {bytes} is not text"),
        ('kind = "slack"\nurl_file = "{secret}"', "what the file {secret} holds must be an address"),
        ('kind = "pagerduty"\nsecret_file = "{empty}"', "the file {empty} is empty"),
        ('kind = "pagerduty"\nsecret_file = "{directory}"', "the file {directory} cannot be read: Is a directory"),
        ('kind = "webhook"\nurl = "https://a.example"\nsecret = ""', "secret is empty"),
        ('kind = "slack"\nurl = "https://me:hunter2@a.example"', "must not hold a login"),
        (
            'kind = "slack"\nurl = "https://a.example"\nquiet_hours = "08:00-08:00 UTC"',
            "begin and end at the same time",
        ),
        ('kind = "slack"\nurl = "https://a.example"\nquiet_hours = "22:00-08:00 Mars/Base"', "name of a time zone"),
    ],
)
def test_what_is_wrong_with_a_channel_is_named(file: Path, text: str, expected: str) -> None:
    files = written(file.parent)
    found = problems(file, f'[[pager.channel]]\nname = "c"\n{text.format_map(files)}\n')
    assert expected.format_map(files) in "\n".join(found)


def written(directory: Path) -> dict[str, Path]:
    """Return files with something in them, by what it is."""
    contents = {
        "empty": b"\r\n \n",
        "bytes": b"\xff\xfe",
        "secret": SECRET.encode(),
        "url": b"https://a.example/hunter2\n",
    }
    files = {name: directory / name for name in contents}
    for name, file in files.items():
        file.write_bytes(contents[name])
    return files | {"directory": directory}


def test_all_channels_whose_files_are_no_good_are_told_at_once(file: Path, tmp_path: Path) -> None:
    files = written(tmp_path)
    found = problems(
        file,
        f"""[[pager.channel]]
name = "a"
kind = "slack"
url_file = "/nowhere"
[[pager.channel]]
name = "b"
kind = "pagerduty"
secret_file = "{files["empty"]}"
[[pager.channel]]
name = "c"
kind = "slack"
url_file = "{files["url"]}"
""",
        LIVEFUSE_PAGER__ALERTMANAGER__TOKEN_FILE=str(files["empty"]),
    )
    assert [line.partition(": ")[0] for line in found] == [
        f"LIVEFUSE_PAGER__ALERTMANAGER__TOKEN_FILE={files['empty']}",
        f"{file}:4 (pager.channel.0.url_file)",
        f"{file}:8 (pager.channel.1.secret_file)",
    ]


def test_two_channels_of_one_name_would_share_a_position(file: Path) -> None:
    one = '[[pager.channel]]\nname = "c"\nkind = "slack"\nurl = "https://a.example"\n'
    assert "has two of the name c" in "\n".join(problems(file, one + one))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LIVEFUSE_PAGER__ALERTMANAGER__URLS": "http://a:1,http://a:1"}, "twice"),
        ({"LIVEFUSE_PAGER__ALERTMANAGER__USERNAME": "me"}, "a login needs"),
        (
            {"LIVEFUSE_PAGER__ALERTMANAGER__TOKEN": SECRET, "LIVEFUSE_PAGER__ALERTMANAGER__TOKEN_FILE": __file__},
            "both",
        ),
        ({"LIVEFUSE_PAGER__TIME_ZONE": "Mars/Base"}, "must be the name of a time zone"),
        ({"LIVEFUSE_PAGER__CONSOLE_URL": "console"}, "must be an address"),
        ({"LIVEFUSE_PAGER__CHANNEL": "x"}, "LIVEFUSE_PAGER__CHANNEL"),
    ],
)
def test_what_is_wrong_with_a_variable_is_named(file: Path, environment: dict[str, str], expected: str) -> None:
    assert expected in "\n".join(problems(file, "", **environment))


def test_texts_tell_times_in_utc_unless_told_otherwise() -> None:
    assert Settings.load(None, BROKER).pager_config().zone.utcoffset(None) in {None, UTC.utcoffset(None)}
