"""The pages of a process, asked over HTTP as Prometheus and a supervisor ask."""

import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import Counter
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from deploy.settings import Settings
from deploy.up.processes import Processes
from deploy.web import METRICS_TYPE, registry, serving
from schemas.errors import LivefuseError


class Patient:
    """A process that is as it is told to be."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.waits_for: str | None = None

    def problems(self) -> list[str]:
        return self.found

    def ready(self) -> str | None:
        return self.waits_for


async def get(port: int | None, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Return status, content type and text of a page."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, answer.headers.get("content-type", ""), await answer.text()


async def test_metrics_are_those_of_the_registry_with_build_and_process() -> None:
    metrics = registry("pager")
    Counter("livefuse_things", "Things.", registry=metrics).inc(3)
    async with serving(0, metrics, Patient()) as port:
        status, content_type, text = await get(port, "/metrics")
    assert (status, content_type) == (200, METRICS_TYPE)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    [build] = families["livefuse_build_info"].samples
    assert (build.value, build.labels) == (1, {"version": version("livefuse"), "role": "pager"})
    assert families["livefuse_things"].samples[0].value == 3
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert not [name for name in families if name.startswith("python_")]


async def test_health_is_bad_while_there_are_problems() -> None:
    patient = Patient()
    async with serving(0, registry("worker"), patient) as port:
        assert await get(port, "/healthz") == (200, "application/json", '{"ok":true,"problems":[]}')
        patient.found = ["partition 3: stuck"]
        assert await get(port, "/healthz") == (
            503,
            "application/json",
            '{"ok":false,"problems":["partition 3: stuck"]}',
        )


async def test_a_process_is_ready_when_it_waits_for_nothing() -> None:
    patient = Patient()
    patient.waits_for = "it waits for the broker"
    async with serving(0, registry("worker"), patient) as port:
        assert await get(port, "/readyz") == (
            503,
            "application/json",
            '{"ready":false,"waits_for":"it waits for the broker"}',
        )
        patient.waits_for = None
        assert await get(port, "/readyz") == (200, "application/json", '{"ready":true,"waits_for":null}')


async def test_other_pages_and_other_verbs_are_refused() -> None:
    async with serving(0, registry("worker"), Patient()) as port:
        assert (await get(port, "/stats"))[0] == 404
        assert (await get(port, "/healthz", "POST"))[0] == 405


async def test_without_a_port_nothing_is_served() -> None:
    async with serving(None, registry("worker"), Patient()) as port:
        assert port is None


async def test_a_taken_port_is_a_clear_error() -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:  # noqa: S104 (a port is taken on all addresses or none)
        taken = other.getsockname()[1]
        with pytest.raises(LivefuseError, match=f"port {taken}: another process has it. Set `web_port`"):
            async with serving(taken, registry("worker"), Patient()):
                pass


async def test_the_port_is_free_again_afterwards() -> None:
    async with serving(0, registry("worker"), Patient()) as port:
        await get(port, "/healthz")
    async with serving(port, registry("worker"), Patient()) as again:
        assert again == port


async def test_a_collector_that_fails_is_an_error_of_the_page_and_not_of_the_process() -> None:
    class Broken(Collector):
        def collect(self) -> Iterator[Metric]:
            raise RuntimeError("no metrics today")

    async with serving(0, registry("worker", Broken()), Patient()) as port:
        assert (await get(port, "/metrics"))[0] == 500
        assert (await get(port, "/healthz"))[0] == 200


def test_processes_of_up_get_ports_of_their_own(tmp_path: Path) -> None:
    settings = Settings.load(
        None,
        {
            "LIVEFUSE_BOOTSTRAP_SERVERS": "localhost:9092",
            "LIVEFUSE_WORKER__WEB_PORT": "9100",
            "LIVEFUSE_INTAKE__WEB_PORT": "9090",
        },
    )
    processes = Processes(settings, tmp_path / "livefuse.toml", 3, print)
    ports = {child.name: child.environment.get("LIVEFUSE_WORKER__WEB_PORT") for child in processes.shown}
    assert ports == {"intake": None, "worker-1": "9100", "worker-2": "9101", "worker-3": "9102"}
