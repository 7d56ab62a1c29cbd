"""A real Apache Kafka for tests and benchmarks: one node, KRaft, started by `java` from jars that Maven fetched.

    with KafkaBroker(directory) as broker:
        client(broker.bootstrap)

Ports and data stay the same over `stop`, `kill` and `start`, so a broker can be restarted under its clients. The
process dies with the one that started it. `python -m tests.kafka.broker` runs one by hand until Ctrl-C.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from deploy.embedded import HOST, broker_answers, free_port
from deploy.tether import tethered

_PROJECT = Path(__file__).resolve().parents[2]
_POM = Path(__file__).with_name("kafka-pom.xml")

# Starting quickly matters more here than running fast: the simple compiler, the simple collector, a shared archive.
JVM = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
ARCHIVE = "classes.jsa"
"""The shared archive, beside the jars; see `tests.kafka.archive`."""

_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator=info",
)

_SETTINGS: Mapping[str, object] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 5,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 5,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # A transaction that a killed worker left open blocks readers until it is aborted; look for such ones often.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # The records of the tests bear times of any year; by default Kafka would delete them as too old.
    "log.retention.ms": -1,
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "num.recovery.threads.per.data.dir": 1,
    # A restarted broker may not register before the session of its killed predecessor has run out (9 s by default).
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 250,
}

_FORMATTED: dict[tuple[object, ...], dict[str, bytes]] = {}
"""The files of a formatted storage, by what they depend on."""


class KafkaUnavailableError(RuntimeError):
    """Java or the jars are missing, or the broker did not start; the message says what to do."""


@contextmanager
def skipped_without_kafka() -> Iterator[None]:
    """Skip the test where there is no Java or no jars; where CI is set, that is a failure."""
    try:
        yield
    except KafkaUnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def jars_directory() -> Path:
    """Return where `make kafka` puts the jars of the version that kafka-pom.xml names."""
    match = re.search(r"<kafka.version>(.+)</kafka.version>", _POM.read_text())
    if match is None:
        raise KafkaUnavailableError(f"{_POM} names no kafka.version")
    return _PROJECT / ".cache" / "kafka" / match[1]


class KafkaBroker:
    """A Kafka broker and controller in one process on two free ports of 127.0.0.1.

    `directory` holds data, settings and log; a temporary one is made, and removed at the end of the `with` block, when
    none is given. `settings` override the broker's own, `jvm` those of the Java machine; `format_arguments` go to
    StorageTool, and `answers` tells whether the broker takes clients at a port.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        settings: Mapping[str, object] | None = None,
        jvm: tuple[str, ...] = JVM,
        jars: Path | None = None,
        format_arguments: Sequence[str] = (),
        answers: Callable[[int], bool] = broker_answers,
    ) -> None:
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="livefuse-kafka-"))
        self.log = self.directory / "kafka.log"
        self.port = free_port()
        self._jars = jars or jars_directory()
        self._format_arguments = format_arguments
        self._answers = answers
        self._jvm = jvm
        self._process: subprocess.Popen[bytes] | None = None
        controller = free_port()
        self._settings = {
            **_SETTINGS,
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "log.dirs": self.directory / "data",
            **(settings or {}),
        }

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`, the same before and after a restart."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, None when the broker does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the broker on its port and data, whatever state they were left in, and wait until it is ready."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process without waiting for it. Raises KafkaUnavailableError when Java or the jars are missing."""
        properties = self.directory / "server.properties"
        if not properties.exists():
            self._format(properties)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                tethered(self._java("kafka.Kafka", str(properties))),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_ready(self, timeout: timedelta = timedelta(seconds=120)) -> None:
        """Return when the broker answers; raise KafkaUnavailableError with the end of its log when it does not."""
        deadline = time.monotonic() + timeout.total_seconds()
        while not self._answers(self.port):
            if self.pid is None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-4000:]
                self.kill()
                raise KafkaUnavailableError(f"Kafka did not start on {self.bootstrap}; the end of its log:\n{tail}")
            time.sleep(0.05)

    def stop(self, grace: timedelta = timedelta(seconds=30)) -> None:
        """End the broker in order (SIGTERM); kill it when it has not ended within `grace`."""
        self._end(signal.SIGTERM, grace)

    def kill(self) -> None:
        """End the broker as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL, timedelta(seconds=10))

    def restart(self) -> None:
        """Stop in order and start again on the same port and data."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals, grace: timedelta) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(grace.total_seconds())
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _format(self, properties: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        partial = properties.with_suffix(".partial")
        partial.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        command = self._java("kafka.tools.StorageTool", "format", "--config", str(partial))
        command += ["--cluster-id", "bGl2ZWZ1c2UtdGVzdHMtMQ", "--ignore-formatted"]
        command += self._format_arguments
        data = Path(str(self._settings["log.dirs"]))
        # What is written depends on these alone, and to write it takes Java a second and a half.
        kind = (self._jars, self._settings["node.id"], *self._format_arguments)
        if kind in _FORMATTED:
            data.mkdir(parents=True, exist_ok=True)
            for name, content in _FORMATTED[kind].items():
                (data / name).write_bytes(content)
        else:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise KafkaUnavailableError(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")
            _FORMATTED[kind] = {each.name: each.read_bytes() for each in data.iterdir() if each.is_file()}
        partial.rename(properties)

    def _java(self, main: str, *arguments: str) -> list[str]:
        home = os.environ.get("JAVA_HOME")
        java = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
        if java is None:
            raise KafkaUnavailableError("Kafka needs java: install a JRE (Debian: default-jre-headless)")
        if not any(self._jars.glob("kafka_*.jar")):
            raise KafkaUnavailableError(f"there are no Kafka jars in {self._jars}: run `make kafka`")
        archive = self._jars / ARCHIVE
        shared = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
        return [java, *self._jvm, *shared, *_LOGGING, "-cp", f"{self._jars}/*", main, *arguments]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)


async def come_back(broker: KafkaBroker) -> None:
    """Start the broker again while others in this process go on.

    Launched from this thread: a process that is tethered dies with the thread that has started it.
    """
    broker.launch()
    await asyncio.to_thread(broker.wait_ready)


def main() -> None:
    """Run one broker until Ctrl-C or SIGTERM and print its address."""
    with KafkaBroker() as broker:
        # Blocked after the start, or Java would inherit it and ignore SIGTERM.
        ends = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        print(broker.bootstrap, flush=True)  # noqa: T201 -- this is what the command is for
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
