"""A real Prometheus and a real Alertmanager beside a cluster, with the rules and routes of `deploy/monitoring`.

Prometheus asks every process once a second and reckons the rules as often.
"""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import yaml

from deploy.embedded import HOST, free_port
from deploy.tether import tethered
from deploy.up import configuration
from deploy.up.ports import Ports
from tests.debian import program

Labels = frozenset[tuple[str, str]]
Samples = dict[Labels, float]
"""Values by all their labels, without the metric's name."""

_ANSWER_S: Final = 30


class QueryError(AssertionError):
    """Prometheus refuses a query; it says why."""


class Prometheus:
    """Asks a Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        """Tell whether it answers queries."""
        return _is_ready(self.url)

    def get(self, path: str, **parameters: str | float) -> Any:
        """Return the data of an answer. Raises QueryError."""
        query = urllib.parse.urlencode({name: str(value) for name, value in parameters.items()})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=_ANSWER_S) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{parameters}: {json.load(error)['error']}") from None

    def now(self, expr: str, at: float | None = None) -> Samples:
        """Return the values of an expression now, or at a time (seconds since 1970)."""
        answer = self.get("query", query=expr, **({} if at is None else {"time": at}))
        if answer["resultType"] == "scalar":
            return {frozenset(): float(answer["result"][1])}
        return {_labels(each["metric"]): float(each["value"][1]) for each in answer["result"]}

    def over(self, expr: str, begin: float, end: float, step: float) -> dict[Labels, list[float]]:
        """Return the values of an expression over a time, in steps (all in seconds)."""
        answer = self.get("query_range", query=expr, start=begin, end=end, step=step)
        return {_labels(each["metric"]): [float(value) for _, value in each["values"]] for each in answer["result"]}

    def number(self, expr: str, at: float | None = None) -> float | None:
        """Return the one value of an expression, None when there is none."""
        found = list(self.now(expr, at).values())
        assert len(found) <= 1, f"{expr}: {found}"
        return found[0] if found else None


class Monitoring:
    """Both programs, while entered. `ports` are those of the processes that are asked; other ports are chosen here."""

    def __init__(self, directory: Path, application: str, ports: Callable[[int, int], Ports]) -> None:
        prometheus, alertmanager = free_port(), free_port()
        directory.mkdir(parents=True)
        read, routes = configuration.write(directory, ports(prometheus, alertmanager), application)
        _every_second(read)
        self.alertmanager = f"http://{HOST}:{alertmanager}"
        self.prometheus = Prometheus(f"http://{HOST}:{prometheus}")
        self.log = directory / "log"
        self._commands = [
            [
                program("prometheus"),
                f"--config.file={read}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address={HOST}:{prometheus}",
                "--log.level=warn",
            ],
            [
                program("prometheus-alertmanager"),
                f"--config.file={routes}",
                f"--storage.path={directory / 'alertmanager'}",
                f"--web.listen-address={HOST}:{alertmanager}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
        ]
        self._processes: list[subprocess.Popen[bytes]] = []

    def is_ready(self) -> bool:
        """Tell whether both answer."""
        return self.prometheus.is_ready() and _is_ready(self.alertmanager)

    def __enter__(self) -> Self:
        with self.log.open("ab") as output:
            self._processes = [_started(command, output.fileno()) for command in self._commands]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._processes:
            each.kill()
            each.wait()


def _started(command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(tethered(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _every_second(file: Path) -> None:
    read = yaml.safe_load(file.read_text())
    read["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    file.write_text(yaml.safe_dump(read))


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=_ANSWER_S):  # noqa: S310 (of this machine)
            return True
    except OSError:
        return False


def _labels(metric: dict[str, str]) -> Labels:
    return frozenset((name, value) for name, value in metric.items() if name != "__name__")
