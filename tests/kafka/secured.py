"""A Kafka with its doors locked: TLS by a CA of its own, SCRAM-SHA-512, ACLs, and nothing allowed that no ACL allows.

    with locked_brokers(directory, 3, {"livefuse-intake": "..."}) as cluster:
        await cluster.grant({"livefuse-intake": rights})
        client(**cluster.client("livefuse-intake"))

Clients log in at a SASL_SSL listener. The brokers know each other by their certificates, on listeners of their own.
With `harness` each has one more, where nobody logs in and who comes may do all: for what a test sends and reads.
"""

import ssl
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient

from deploy.embedded import HOST, free_port
from deploy.grants import grant
from schemas.rights import Right
from tests.kafka.broker import KafkaBroker

ROOT: Final = "root"
"""A user who may do all; the brokers are the others."""

SAFE: Final = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
    # Three brokers of a test share few cores with all that they serve: a slow one is not a dead one.
    "initial.broker.registration.timeout.ms": 300_000,
    "controller.quorum.fetch.timeout.ms": 4_000,
    "broker.session.timeout.ms": 6_000,
}
"""Settings with which three brokers lose nothing when one of them is lost."""


@dataclass(frozen=True)
class LockedCluster:
    """Brokers that run. `passwords` are those of the users who may log in."""

    brokers: list[KafkaBroker]
    bootstrap: str
    authority: Path
    passwords: Mapping[str, str]
    harness: str = ""

    def client(self, user: str) -> dict[str, Any]:
        """Return the arguments of aiokafka's clients for a user."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_SSL",
            "ssl_context": ssl.create_default_context(cafile=self.authority),
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": self.passwords[user],
        }

    def environment(self, user: str, directory: Path) -> dict[str, str]:
        """Return the variables of livefuse for a user; the password goes to a file below `directory`."""
        secret = directory / f"{user}.password"
        secret.write_text(self.passwords[user] + "\n")
        return {
            "LIVEFUSE_BOOTSTRAP_SERVERS": self.bootstrap,
            "LIVEFUSE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "LIVEFUSE_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
            "LIVEFUSE_KAFKA__SASL_USERNAME": user,
            "LIVEFUSE_KAFKA__SASL_PASSWORD_FILE": str(secret),
            "LIVEFUSE_KAFKA__SSL_CAFILE": str(self.authority),
        }

    async def grant(self, found: Mapping[str, Iterable[Right]]) -> None:
        """Give users rights."""
        admin = AIOKafkaAdminClient(**self.client(ROOT))
        await admin.start()
        try:
            await grant(admin, found)
        finally:
            await admin.close()


@contextmanager
def locked_brokers(
    directory: Path,
    count: int,
    passwords: Mapping[str, str],
    settings: Mapping[str, object] | None = None,
    *,
    harness: bool = False,
    host: str = HOST,
) -> Iterator[LockedCluster]:
    """Run so many brokers, each a controller too. Clients log in at `host`. Raises KafkaUnavailableError."""
    authority = _authority(directory)
    passwords = {ROOT: "root", **passwords}
    scram = [f"SCRAM-SHA-512=[name={user},password={word}]" for user, word in passwords.items()]
    ports = [(free_port(), free_port(), free_port(), free_port()) for _ in range(count)]
    voters = ",".join(f"{number}@{HOST}:{controller}" for number, (_, _, controller, _) in enumerate(ports, 1))
    open_to = ["User:ANONYMOUS"] if harness else []
    brokers: list[KafkaBroker] = []
    for number, (client, internal, controller, plain) in enumerate(ports, 1):
        listeners = f"CLIENT://{host}:{client},BROKER://{HOST}:{internal}" + (
            f",HARNESS://{HOST}:{plain}" if harness else ""
        )
        pair = _certificate(directory, f"broker-{number}", host)
        broker = KafkaBroker(
            directory / f"broker-{number}",
            settings={
                "node.id": number,
                "controller.quorum.voters": voters,
                "listeners": f"{listeners},CONTROLLER://{HOST}:{controller}",
                "advertised.listeners": listeners,
                "listener.security.protocol.map": "CLIENT:SASL_SSL,BROKER:SSL,CONTROLLER:SSL,HARNESS:PLAINTEXT",
                "inter.broker.listener.name": "BROKER",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": pair,
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": authority,
                "listener.name.broker.ssl.client.auth": "required",
                "listener.name.controller.ssl.client.auth": "required",
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "listener.name.client.scram-sha-512.sasl.jaas.config": (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                ),
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found": "false",
                "super.users": ";".join(
                    [f"User:{ROOT}", *(f"User:CN=broker-{each + 1}" for each in range(count)), *open_to]
                ),
                **(settings or {}),
            },
            format_arguments=[part for each in scram for part in ("--add-scram", each)],
            answers=lambda port: _answers(host, port, authority),
        )
        broker.port = client
        brokers.append(broker)
    with ExitStack() as stack:
        for broker in brokers:
            broker.launch()
            # As in `kafka` of conftest.py.
            stack.callback(broker.kill)
        for broker in brokers:
            broker.wait_ready()
        bootstrap = ",".join(f"{host}:{each.port}" for each in brokers)
        open_bootstrap = ",".join(f"{HOST}:{each[3]}" for each in ports) if harness else ""
        yield LockedCluster(brokers, bootstrap, authority, passwords, open_bootstrap)


def _answers(host: str, port: int, authority: Path) -> bool:
    """Tell whether a broker speaks TLS at a port. It opens its listener when it may serve."""
    context = ssl.create_default_context(cafile=authority)
    try:
        with create_connection((host, port), 1.0) as plain, context.wrap_socket(plain, server_hostname=host):
            return True
    except OSError:
        return False


def _authority(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=livefuse tests", "-days", "2",
        "-keyout", str(directory / "ca.key"), "-out", str(directory / "ca.pem"),
    )  # fmt: skip
    return directory / "ca.pem"


def _certificate(directory: Path, name: str, host: str) -> Path:
    """Return a file with a key and its certificate, signed by the authority there."""
    key, request, certificate = (directory / f"{name}.{end}" for end in ("key", "csr", "crt"))
    extensions = directory / f"{name}.ext"
    extensions.write_text(f"subjectAltName=IP:{HOST},IP:{host}\n")
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
    _openssl(
        "x509", "-req", "-in", str(request), "-CA", str(directory / "ca.pem"), "-CAkey", str(directory / "ca.key"),
        "-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", str(certificate),
    )  # fmt: skip
    pair = directory / f"{name}.pem"
    pair.write_text(key.read_text() + certificate.read_text())
    return pair


def _openssl(*arguments: str) -> None:
    command = ["openssl", *arguments]
    subprocess.run(command, check=True, capture_output=True)
