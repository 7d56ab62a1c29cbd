import ssl
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.settings import Settings, paths
from deploy.settings_page import PAGE, page
from deploy.sources import variable
from schemas.errors import ConfigurationError
from schemas.topics import TopicNames

PASSWORD = "hunter2"
BROKER = {"LIVEFUSE_BOOTSTRAP_SERVERS": "kafka-1:9092"}


def problems(environment: Mapping[str, str], file: Path | None = None) -> list[str]:
    """Return the lines of the error that these settings make, without the first."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(file, environment)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_without_any_setting_there_is_no_broker_and_defaults_hold() -> None:
    settings = Settings.load(None, {})
    assert settings.bootstrap_servers is None
    assert settings.topics == TopicNames()
    assert settings.session_timeout == timedelta(seconds=10)
    with pytest.raises(ConfigurationError, match="LIVEFUSE_BOOTSTRAP_SERVERS"):
        settings.kafka_config()


def test_variables_of_others_and_empty_ones_do_not_count() -> None:
    settings = Settings.load(None, {"PATH": "/bin", "LIVEFUSE_PARTITIONS": "", "LIVEFUSE_CONFIG": " "})
    assert settings == Settings.load(None, {})


def test_the_environment_reaches_every_process() -> None:
    settings = Settings.load(
        None,
        {
            "LIVEFUSE_BOOTSTRAP_SERVERS": "kafka-1:9092, [::1]:9093",
            "LIVEFUSE_APPLICATION": "shop",
            "LIVEFUSE_PARTITIONS": "12",
            "LIVEFUSE_SESSION_TIMEOUT": "6s",
            "LIVEFUSE_TOPICS__ORDERS": "shop.orders",
            "LIVEFUSE_TOPICS__PREFIX": "shop.livefuse.",
            "LIVEFUSE_KAFKA__TRANSACTIONS": "off",
            "LIVEFUSE_INTAKE__TICK_INTERVAL": "250ms",
            "LIVEFUSE_WORKER__FLUSH_INTERVAL": "1s",
            "LIVEFUSE_WORKER__WEB_PORT": "8080",
        },
    )
    intake, worker = settings.intake_config(), settings.worker_config()
    assert intake.kafka.client["bootstrap_servers"] == ["kafka-1:9092", "[::1]:9093"]
    assert (intake.application, intake.partitions, intake.session_timeout_ms) == ("shop", 12, 6_000)
    assert (intake.topics.orders, intake.topics.signals) == ("shop.orders", "shop.livefuse.signals")
    assert intake.kafka.transactions is False
    assert intake.tick_interval_ms == 250
    assert (worker.flush_interval_ms, worker.topics) == (1_000, intake.topics)
    assert (settings.intake.web_port, settings.worker.web_port) == (None, 8080)


def test_a_file_says_the_same_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text(
        'bootstrap_servers = ["kafka-1:9092"]\npartitions = 8\n'
        '[topics]\nstock_levels = "erp.stock"\n[log]\nlevel = "DEBUG"\n'
    )
    settings = Settings.load(file, {"LIVEFUSE_PARTITIONS": "16"})
    assert settings.bootstrap_servers == ("kafka-1:9092",)
    assert settings.partitions == 16
    assert settings.topics.stock_levels == "erp.stock"
    assert settings.log.level == "debug"
    assert Settings.load(None, {"LIVEFUSE_CONFIG": str(file)}).partitions == 8


def test_every_error_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text("# ours\npartitons = 3\n\n[worker]\nhot_products = 0\n")
    found = problems(
        {
            "LIVEFUSE_PARTITIONS": "many",
            "LIVEFUSE_BOOTSTRAP_SERVERS": "kafka",
            "LIVEFUSE_KAFKA_SASL_USERNAME": "shop",
            "LIVEFUSE_INTAKE__TICK_INTERVAL": "5",
        },
        file,
    )
    assert len(found) == 6
    together = "\n".join(found)
    assert f"{file}:2 (partitons): there is no such setting; did you mean partitions?" in together
    assert f"{file}:5 (worker.hot_products) = 0:" in together
    assert "LIVEFUSE_PARTITIONS=many:" in together
    assert 'LIVEFUSE_BOOTSTRAP_SERVERS=kafka: "kafka" is not host:port' in together
    assert (
        "LIVEFUSE_KAFKA_SASL_USERNAME: there is no such setting; did you mean LIVEFUSE_KAFKA__SASL_USERNAME?"
        in together
    )
    assert "LIVEFUSE_INTAKE__TICK_INTERVAL=5: must be a duration" in together


def test_names_of_topics_and_the_login_are_told_with_all_else(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text('[topics]\nreturns = "live.orders"\n\n[kafka]\nsasl_username = "shop"\nssl_cafile = "/nowhere"\n')
    found = problems({"LIVEFUSE_PARTITIONS": "0", "LIVEFUSE_TOPICS__ORDERS": "live orders"}, file)
    assert found == [
        (
            'LIVEFUSE_TOPICS__ORDERS=live orders: "live orders" (orders) is no name of a topic: '
            "Kafka takes 1 to 249 of a-z A-Z 0-9 . _ -"
        ),
        (
            f"{file}:5 (kafka.sasl_username) = 'shop': is a login, but kafka.security_protocol is PLAINTEXT: "
            "set SASL_SSL there"
        ),
        (
            f"{file}:6 (kafka.ssl_cafile) = '/nowhere': is for TLS, but kafka.security_protocol is PLAINTEXT: "
            "set SSL or SASL_SSL there"
        ),
        "LIVEFUSE_PARTITIONS=0: must be greater than or equal to 1",
        f"{file}:6 (kafka.ssl_cafile) = '/nowhere': the file cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ('orders = "live.returns"', "2 (topics.orders) = 'live.returns': \"live.returns\" is the name of two topics"),
        ('orders = "livefuse.signals"', "2 (topics.orders) = 'livefuse.signals': \"livefuse.signals\" is the name"),
        ('prefix = "my own."', "2 (topics.prefix) = 'my own.': \"my own.commands\" (operators"),
        ('dead_letter_prefix = ""', "2 (topics.dead_letter_prefix) = '': \"live.stock-levels\" is the name of two"),
        (f'orders = "{"x" * 246}"', "2 (topics.orders) = "),
    ],
)
def test_one_wrong_name_is_one_error_at_its_own_line(tmp_path: Path, names: str, expected: str) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text(f"[topics]\n{names}\n")
    (found,) = problems({}, file)
    assert found.startswith(f"{file}:{expected}")


def test_a_file_that_is_no_toml_hides_no_other_error(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text("partitions = \n")
    found = problems({"LIVEFUSE_PARTITIONS": "many"}, file)
    assert "is not TOML" in found[0]
    assert found[1:] == ["LIVEFUSE_PARTITIONS=many: must be a whole number"]


def test_an_empty_section_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "livefuse.toml"
    file.write_text("\ufeff[kafka]\n[topics]\n", encoding="utf-8")
    assert Settings.load(file, {}) == Settings.load(None, {})


def test_the_page_of_settings_is_current_and_has_them_all() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(), "run: make generate"
    assert "## `[[pager.channel]]`" in text
    for path in set(paths(Settings)) - {"pager.channel"}:
        (row,) = (line for line in text.splitlines() if line.startswith(f"| `{variable(path)}` |"))
        assert all(cell.strip() for cell in row.split("|")[1:-1]), row


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LIVEFUSE_BOOTSTRAP_SERVERS": "a:1,b"}, '"b" is not host:port'),
        ({"LIVEFUSE_BOOTSTRAP_SERVERS": "a:99999"}, "not host:port"),
        ({"LIVEFUSE_APPLICATION": "a b"}, "LIVEFUSE_APPLICATION"),
        ({"LIVEFUSE_TOPICS__ORDERS": "live orders"}, "no name of a topic"),
        ({"LIVEFUSE_TOPICS__ORDERS": "live.returns"}, "name of two topics"),
        ({"LIVEFUSE_KAFKA": "x"}, "no such setting"),
        ({"LIVEFUSE_PARTITIONS__X": "1"}, "no such setting"),
        ({"LIVEFUSE_KAFKA__SSL_CAFILE": "/nowhere/ca.pem"}, "cannot be read"),
        (
            {"LIVEFUSE_KAFKA__SECURITY_PROTOCOL": "sasl_ssl"},
            "needs LIVEFUSE_KAFKA__SASL_USERNAME and LIVEFUSE_KAFKA__SASL_PASSWORD_FILE",
        ),
        ({"LIVEFUSE_KAFKA__SASL_USERNAME": "shop"}, "set SASL_SSL"),
        ({"LIVEFUSE_SESSION_TIMEOUT": "100ms"}, "LIVEFUSE_SESSION_TIMEOUT=100ms"),
    ],
)
def test_what_is_wrong_is_named(environment: Mapping[str, str], expected: str) -> None:
    assert expected in "\n".join(problems(environment))


def test_files_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Settings.load(tmp_path / "missing.toml", {})
    broken = tmp_path / "broken.toml"
    broken.write_text("partitions = \n")
    with pytest.raises(ConfigurationError, match=r"is not TOML: .*line 1"):
        Settings.load(broken, {})


def test_secrets_are_used_and_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    login = {"LIVEFUSE_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT", "LIVEFUSE_KAFKA__SASL_USERNAME": "shop"}
    by_file = Settings.load(None, BROKER | login | {"LIVEFUSE_KAFKA__SASL_PASSWORD_FILE": str(secret)})
    by_value = Settings.load(None, BROKER | login | {"LIVEFUSE_KAFKA__SASL_PASSWORD": PASSWORD})
    for settings in (by_file, by_value):
        client = settings.kafka_config().client
        assert client["sasl_plain_password"] == PASSWORD
        assert client["security_protocol"] == "SASL_PLAINTEXT"
        assert PASSWORD not in repr(settings)
        assert PASSWORD not in settings.model_dump_json()
    both = login | {"LIVEFUSE_KAFKA__SASL_PASSWORD": PASSWORD, "LIVEFUSE_KAFKA__SASL_PASSWORD_FILE": str(secret)}
    assert PASSWORD not in "\n".join(problems(both))
    assert "LIVEFUSE_KAFKA__SASL_PASSWORD is given too" in "\n".join(problems(both))


def test_certificates_become_a_context(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    environment = BROKER | {
        "LIVEFUSE_KAFKA__SECURITY_PROTOCOL": "ssl",
        "LIVEFUSE_KAFKA__SSL_CAFILE": str(certificate),
        "LIVEFUSE_KAFKA__SSL_CERTFILE": str(certificate),
        "LIVEFUSE_KAFKA__SSL_KEYFILE": str(key),
    }
    context = Settings.load(None, environment).kafka_config().client["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    key.write_text("no key")
    with pytest.raises(ConfigurationError, match="certificates cannot be used"):
        Settings.load(None, environment).kafka_config()


def test_variable_names_follow_the_tree() -> None:
    assert variable("kafka.ssl_cafile") == "LIVEFUSE_KAFKA__SSL_CAFILE"
