from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from deploy.settings import Settings
from schemas.errors import ConfigurationError
from tests.deploy.test_pager_settings import problems

SECRET = "hunter2"
KEY = "k" * 32
BROKER = {"LIVEFUSE_BOOTSTRAP_SERVERS": "kafka-1:9092"}
ACCOUNTS = {"LIVEFUSE_CONSOLE__ACCOUNTS_FILE": "/etc/livefuse/accounts"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "livefuse.toml"


def test_a_console_without_any_way_to_sign_in_is_refused_with_the_three_ways() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(None, BROKER).console_config()
    assert all(
        f"LIVEFUSE_CONSOLE__{name}" in str(caught.value) for name in ("ACCOUNTS_FILE", "PROXY__TRUSTED", "OIDC__ISSUER")
    )


def test_accounts_are_enough_and_it_serves_this_machine_alone() -> None:
    config = Settings.load(None, BROKER | ACCOUNTS).console_config()
    assert (config.host, config.port, config.url, config.tls) == ("127.0.0.1", 8080, None, None)
    assert config.accounts_file == Path("/etc/livefuse/accounts")
    assert (config.key, config.proxy, config.oidc, config.web_port) == (None, None, None, None)
    assert config.session == timedelta(hours=12)


def test_variables_reach_all_of_it(tmp_path: Path) -> None:
    key, secret = tmp_path / "key", tmp_path / "secret"
    key.write_text(f"{KEY}\n")
    secret.write_text(f"{SECRET}\n")
    config = Settings.load(
        None,
        BROKER
        | {
            "LIVEFUSE_CONSOLE__HOST": "0.0.0.0",  # noqa: S104 (said, not bound)
            "LIVEFUSE_CONSOLE__URL": "https://live.example/",
            "LIVEFUSE_CONSOLE__KEY_FILE": str(key),
            "LIVEFUSE_CONSOLE__PROXY__TRUSTED": "10.0.3.7, 10.1.0.0/16",
            "LIVEFUSE_CONSOLE__PROXY__ROLE_HEADER": "X-Forwarded-Groups",
            "LIVEFUSE_CONSOLE__PROXY__ROLES": "live-ops=operator, cn=leads=admin",
            "LIVEFUSE_CONSOLE__OIDC__ISSUER": "https://id.example/realms/live",
            "LIVEFUSE_CONSOLE__OIDC__CLIENT_ID": "livefuse",
            "LIVEFUSE_CONSOLE__OIDC__CLIENT_SECRET_FILE": str(secret),
            "LIVEFUSE_CONSOLE__OIDC__DEFAULT_ROLE": "viewer",
        },
    ).console_config()
    assert config.url == "https://live.example"
    assert config.key is not None
    assert config.key() == KEY
    assert config.proxy is not None
    assert config.proxy.trusted == (ip_network("10.0.3.7/32"), ip_network("10.1.0.0/16"))
    assert config.proxy.roles == {"live-ops": "operator", "cn=leads": "admin"}
    assert config.oidc is not None
    assert (config.oidc.issuer, config.oidc.scopes) == ("https://id.example/realms/live", ("openid", "profile"))
    assert config.oidc.client_secret is not None
    assert config.oidc.client_secret() == SECRET
    secret.write_text("another")
    assert config.oidc.client_secret() == "another"
    assert KEY not in repr(config)
    assert SECRET not in repr(config)


def test_the_pager_links_to_the_console_unless_told_otherwise() -> None:
    url = {"LIVEFUSE_CONSOLE__URL": "https://live.example"}
    assert Settings.load(None, BROKER | url).pager_config().console_url == "https://live.example"
    other = {"LIVEFUSE_PAGER__CONSOLE_URL": "https://other.example"}
    assert Settings.load(None, BROKER | url | other).pager_config().console_url == "https://other.example"


def test_everything_that_is_wrong_is_told_at_once_with_its_line(file: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(SECRET)
    found = problems(
        file,
        f"""[console]
port = 99999
url = "http://live.example"
key_file = "{key}"
session = "1m"
certfile = "/nowhere.pem"
wat = 1
[console.proxy]
trusted = ["10.0.3.7", "proxy.example"]
user_header = "X Forwarded"
roles = ["live-ops=captain"]
[console.oidc]
issuer = "http://id.example"
""",
        LIVEFUSE_CONSOLE__WEB_PORT="x",
    )
    said = "\n".join(found)
    assert f"{file}:2 (console.port) = 99999: must be less than or equal to 65535" in said
    assert "(console.url) = 'http://live.example': must begin with https://: without TLS" in said
    assert f"{file}:4 (console.key_file) = '{key}': must hold 32 characters at least" in said
    assert "(console.session) = '1m': must be" in said
    assert "(console.certfile) = '/nowhere.pem': the file cannot be read: No such file or directory" in said
    assert f"{file}:7 (console.wat): there is no such setting" in said
    assert "console.proxy.trusted" in said
    assert "must be an address or a network, such as 10.0.3.7 or 10.0.3.0/24" in said
    assert "(console.proxy.user_header) = 'X Forwarded': must be the name of a header" in said
    assert "a role is viewer, operator or admin" in said
    assert "(console.oidc.issuer) = 'http://id.example': must begin with https://" in said
    assert "LIVEFUSE_CONSOLE__WEB_PORT=x" in said
    assert len(found) == 11


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[console]\nkeyfile = "/dev/null"', "`keyfile` needs `certfile`"),
        ('[console]\nhost = "0.0.0.0"', "`host` 0.0.0.0 lets others in, and their passwords would travel in the clear"),
        ('[console.proxy]\ndefault_role = "viewer"', "needs `trusted`"),
        ('[console.proxy]\ntrusted = ["10.0.3.7"]', "gives nobody a role"),
        ('[console.proxy]\ntrusted = ["::1"]\nroles = ["a=admin"]', "`roles` needs `role_header`"),
        ('[console.oidc]\nclient_id = "a"', "needs `issuer`"),
        ('[console.oidc]\nissuer = "https://id.example"\ndefault_role = "viewer"', "needs `client_id`"),
        (
            '[console.oidc]\nissuer = "https://id.example"\nclient_id = "a"\ndefault_role = "viewer"',
            "`oidc` needs `url`",
        ),
    ],
)
def test_what_does_not_go_together_is_told(file: Path, text: str, said: str) -> None:
    (found,) = problems(file, text)
    assert said in found


def test_a_certificate_that_is_none_is_told(file: Path) -> None:
    file.write_text('[console]\ncertfile = "/dev/null"\naccounts_file = "a"\n')
    with pytest.raises(ConfigurationError, match="LIVEFUSE_CONSOLE__CERTFILE"):
        Settings.load(file, BROKER).console_config()
