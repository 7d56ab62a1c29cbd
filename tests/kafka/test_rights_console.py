"""The console works with exactly its generated rights, and says which one is missing where it lacks any of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.console import _ready
from deploy.embedded import HOST, free_port
from deploy.kafka import read
from schemas.audit import AuditEntry
from tests.alerts.console.doorway import Person, accounts_in
from tests.kafka.broker import skipped_without_kafka
from tests.kafka.cluster import Service, until
from tests.kafka.rights_rig import NAMES, RIGHTS, RightsRig, passwords
from tests.kafka.secured import locked_brokers
from tests.kafka.test_rights import SOON, apply, lacks, names_it, refused, service

pytestmark = pytest.mark.kafka

WRITES_AUDIT = f"Write on topic {NAMES.audit}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RightsRig]:
    directory = tmp_path_factory.mktemp("rights")
    with skipped_without_kafka(), locked_brokers(directory, 1, passwords(["console"])) as cluster:
        found = RightsRig(cluster, directory, ["console"])
        found.prepare()
        asyncio.run(apply(found.settings("admin")))
        yield found


def console(rig: RightsRig, directory: Path, lacks: int | None = None) -> tuple[Service, str]:
    """Return a console as a process, not started, and its address."""
    port = free_port()
    made = service(rig, directory, "console", lacks)
    made._environment |= {  # noqa: SLF001 (nobody else gives a process settings of its own)
        "LIVEFUSE_CONSOLE__ACCOUNTS_FILE": str(accounts_in(directory)),
        "LIVEFUSE_CONSOLE__PORT": str(port),
        "LIVEFUSE_CONSOLE__URL": f"http://{HOST}:{port}",
    }
    return made, f"http://{HOST}:{port}"


async def signed_in(url: str, process: Service) -> Person:
    """Return mei, when the console lets her in."""
    person = Person(url, "mei")

    async def is_in() -> bool:
        _ = process.pid
        try:
            return (await person.sign_in())[0] == 200
        except OSError:
            return False

    await until(is_in, "mei is in", within=SOON, state=process.tail)
    return person


async def test_a_console_works_with_exactly_its_rights(rig: RightsRig, tmp_path: Path) -> None:
    process, url = console(rig, tmp_path)
    services = [service(rig, tmp_path, "intake"), service(rig, tmp_path, "worker"), process]
    for each in services:
        each.start()
    try:
        mei = await signed_in(url, process)
        try:

            async def is_paused() -> bool:
                status, _ = await mei.order("mug", "pause", reason="recall")
                return status in {200, 409}

            await until(is_paused, "the pause is told", within=SOON, state=process.tail)

            async def shows_all() -> bool:
                status, health = await mei.get("/api/v1/health")
                return status == 200 and (health["intakes"], health["workers"]) == (1, 1)

            await until(shows_all, "health shows intake and worker", within=SOON, state=process.tail)
        finally:
            await mei.http.close()
        auditor = rig.settings("auditor").kafka_config()
        lines = [AuditEntry.model_validate_json(each.value) async for each in read(auditor, [NAMES.audit])]
        assert {"sign_in", "command"} & {each.what for each in lines}
    finally:
        for each in services:
            each.end()
    assert "AuthorizationFailed" not in process.said


def of_written_audit(right: object) -> bool:
    return str(right) == WRITES_AUDIT


@pytest.mark.parametrize("number", lacks("console", but=of_written_audit))
async def test_a_console_names_the_right_it_lacks(rig: RightsRig, number: int) -> None:
    await refused(_ready(rig.settings("console", number), asyncio.Event()), RIGHTS["console"][number])


async def test_a_console_that_may_only_read_the_audit_says_so(rig: RightsRig, tmp_path: Path) -> None:
    number = next(each for each, right in enumerate(RIGHTS["console"]) if of_written_audit(right))
    process, url = console(rig, tmp_path, number)
    process.start()
    mei = Person(url, "mei")
    try:

        async def says_it() -> bool:
            try:
                await mei.sign_in()
            except OSError:
                return False
            return names_it(RIGHTS["console"][number], process.said)

        await until(says_it, "it names the right", within=SOON, state=process.tail)
    finally:
        await mei.http.close()
        process.end()
