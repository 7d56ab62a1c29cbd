"""TLS and SASL, from the settings to the last process, against a Kafka that has both."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.embedded import HOST, free_port
from deploy.tether import tethered
from tests.kafka.broker import KafkaBroker, skipped_without_kafka

pytestmark = pytest.mark.kafka

LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_shop="open sesame";'


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the broker's certificate, its key with it, and the files of a client."""
    found = tmp_path_factory.mktemp("security")
    key, certificate = found / "key.pem", found / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kafka", "-days", "2"]
    command += ["-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    (found / "broker.pem").write_text(key.read_text() + certificate.read_text())
    (found / "password").write_text("open sesame\n")
    return found


@pytest.fixture(scope="module")
def secured(directory: Path) -> Iterator[str]:
    """Yield the address of a listener that takes only TLS with a login."""
    plain, controller, secure = free_port(), free_port(), free_port()
    broker = KafkaBroker(
        directory / "kafka",
        settings={
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"PLAINTEXT://{HOST}:{plain},CONTROLLER://{HOST}:{controller},SECURE://{HOST}:{secure}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},SECURE://{HOST}:{secure}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": LOGIN,
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": directory / "broker.pem",
        },
    )
    broker.port = plain
    with skipped_without_kafka():
        broker.start()
    yield f"{HOST}:{secure}"
    broker.kill()


@pytest.fixture
def environment(secured: str, directory: Path) -> dict[str, str]:
    return {
        "LIVEFUSE_BOOTSTRAP_SERVERS": secured,
        "LIVEFUSE_PARTITIONS": "1",
        "LIVEFUSE_SESSION_TIMEOUT": "6s",
        "LIVEFUSE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "LIVEFUSE_KAFKA__SASL_USERNAME": "shop",
        "LIVEFUSE_KAFKA__SASL_PASSWORD_FILE": str(directory / "password"),
        "LIVEFUSE_KAFKA__SSL_CAFILE": str(directory / "certificate.pem"),
    }


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environment, prog_name="livefuse")


def test_intake_and_worker_speak_tls_and_log_in(environment: dict[str, str]) -> None:
    applied = run(environment, "topics", "apply", "--create-inputs")
    assert applied.exit_code == 0, applied.stderr
    processes = [
        subprocess.Popen(
            tethered([sys.executable, "-m", "deploy.cli", name]),
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )
        for name in ("intake", "worker")
    ]
    try:
        paused = run(environment, "fuse", "pause", "p42", "--reason", "recall", "--timeout", "90", "--json")
        assert paused.exit_code == 0, paused.stderr
        assert json.loads(paused.stdout)[0]["paused"]["product"]
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in processes]
    assert codes == [0, 0]


def test_a_wrong_password_is_refused_and_not_shown(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("guess")
    told = run(environment | {"LIVEFUSE_KAFKA__SASL_PASSWORD_FILE": str(tmp_path / "password")}, "topics", "list")
    assert told.exit_code == 3
    assert "refuses" in told.stderr
    assert "LIVEFUSE_KAFKA__SASL_" in told.stderr
    assert "guess" not in told.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"LIVEFUSE_KAFKA__SSL_CAFILE": ""},
        {"LIVEFUSE_KAFKA__SECURITY_PROTOCOL": "PLAINTEXT", "LIVEFUSE_KAFKA__SASL_USERNAME": "",
         "LIVEFUSE_KAFKA__SASL_PASSWORD_FILE": "", "LIVEFUSE_KAFKA__SSL_CAFILE": ""},
    ],
    ids=["unknown authority", "no TLS at all"],
)  # fmt: skip
def test_a_wrong_transport_names_the_settings(environment: dict[str, str], change: dict[str, str]) -> None:
    told = run(environment | change, "topics", "list")
    assert told.exit_code == 3
    assert "LIVEFUSE_KAFKA__SECURITY_PROTOCOL" in told.stderr
    assert "Traceback" not in told.stderr
