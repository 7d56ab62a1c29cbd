"""The image, built and run without a container engine: by the commands of the Dockerfile and of compose.yaml.

    secrets.sh ─▶ kafka ─▶ rights ─▶ topics ─▶ intake, worker, pager, console

All over TLS, each with its own login and its own rights.
"""

import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.container.box import Box, Network
from tests.deploy.container.composed import Composed
from tests.deploy.container.dockerfile import Image, pinned
from tests.kafka.cluster import until

pytestmark = [pytest.mark.faults_long, pytest.mark.kafka, pytest.mark.timeout(2400)]

PROJECT: Final = Path(__file__).resolve().parents[3]
SOON: Final = timedelta(seconds=120)
PASSWORD: Final = "correct horse battery staple\n"
PROCESSES: Final = ("intake", "worker", "pager", "console")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(f"livefuse-{os.getpid()}") as found:
        yield found


@pytest.fixture
def inside(image: Image) -> Box:
    """Return the image with nothing laid over it."""
    return Box(image.root, environment=image.environment, user=image.user, directory=image.directory)


def test_it_holds_what_runs_and_nothing_to_build_or_install_with(image: Image) -> None:
    home = image.below("/opt/livefuse")
    assert not list(home.glob("bin/pip*"))
    assert not list(image.root.glob("usr/bin/gcc*"))
    for absent in ("/opt/tools", "/src", "/wheels"):
        assert not image.below(absent).exists()
    (packages,) = home.glob("lib/python*/site-packages")
    assert list(packages.glob("streams/engine/*.so")), "the deciding modules are compiled"
    assert (packages / "alerts/console/web/dist/index.html").exists()
    assert not (packages / "alerts/console/web/src").exists()
    assert not list(packages.glob("tests*"))
    # mypy_extensions is among them: Faust imports it.
    installed = {_pin(each.stem) for each in packages.glob("*.dist-info") if not each.name.startswith("livefuse-")}
    assert installed
    assert installed <= pinned(PROJECT / "requirements.run.lock")


def test_nobody_runs_it_and_cannot_change_it(inside: Box, network: Network) -> None:
    status = network.done(inside, ["cat", "/proc/self/status"]).stdout
    facts = dict(line.split(":", 1) for line in status.splitlines())
    assert facts["Uid"].split() == ["65534"] * 4
    assert facts["Groups"].split() == []
    assert {facts[f"Cap{each}"].strip("\t0") for each in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {""}
    assert facts["NoNewPrivs"].strip() == "1"
    for place in ("/opt/livefuse/x", "/etc/x", "/x"):
        assert "Read-only file system" in network.done(inside, ["touch", place]).stderr
    assert network.done(inside, ["touch", "x"]).returncode == 0


def test_its_entry_points_answer(inside: Box, network: Network) -> None:
    version = network.done(inside, ["livefuse", "--version"])
    assert version.returncode == 0, version.stderr
    assert version.stdout.split()[-1][0].isdigit()
    for command in ([], *([each] for each in PROCESSES), ["topics"], ["replay"]):
        said = network.done(inside, ["livefuse", *command, "--help"])
        assert said.returncode == 0, said.stderr
        assert "Usage: " in said.stdout
    assert network.done(inside, ["livefuse", "replay", "/dev/null"]).returncode == 0


async def test_compose_s_services_run_in_it(image: Image, network: Network, tmp_path: Path) -> None:
    for each in (tmp_path, *tmp_path.parents[:2]):
        each.chmod(each.stat().st_mode | 0o011)
    compose = Composed(image, tmp_path, network)
    compose.kafka()

    async def all_are_healthy(names: tuple[str, ...]) -> None:
        async def are() -> bool:
            return all(compose.healthy(each) for each in names)

        def logs() -> str:
            return "\n".join(f"{each}:\n{compose.log(each).read_text()[-3000:]}" for each in names)

        await until(are, f"{names} are healthy", within=SOON, between=timedelta(seconds=1), state=logs)

    await all_are_healthy(("kafka",))
    for name in ("rights", "topics"):
        done = compose.ran(name)
        assert done.returncode == 0, done.stderr
    added = compose.ran(
        "livefuse-console-1", "console", "user", "add", "mei", "--role", "operator", "--password-stdin", text=PASSWORD
    )
    assert added.returncode == 0, added.stderr
    assert (tmp_path / "accounts/accounts").stat().st_uid == 65534
    # One worker: here all services have one address, and two would want the same port.
    services = tuple(f"livefuse-{each}-1" for each in PROCESSES)
    for name in services:
        compose.started(name)
    await all_are_healthy(services)

    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stock = json.dumps({"product_id": "mug", "on_hand": 1, "occurred_at": now})
    order = {"order_id": "o1", "occurred_at": now, "lines": [{"product_id": "mug", "quantity": 1}]}
    for topic, record in (("live.stock-levels", stock), ("live.orders", json.dumps(order))):
        done = compose.ran("shop", "produce", topic, text=f"{record}\n")
        assert done.returncode == 0, done.stderr

    async def is_paused() -> bool:
        listed = compose.ran("operator", "fuse", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        return "mug" in listed.stdout

    await until(is_paused, "the product is paused", within=SOON, between=timedelta(seconds=1))
    # Whoever may send may not read, and who has no password may nothing.
    refused = compose.ran("shop", "fuse", "list")
    assert refused.returncode != 0
    assert "Read" in refused.stderr


def _pin(directory: str) -> str:
    name, _, version = directory.rpartition("-")
    return f"{name.replace('_', '-').lower()}=={version}"
