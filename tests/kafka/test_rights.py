"""Every role works with exactly its generated rights, and says which one is missing where it lacks any of them."""

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from deploy.admin import Admin
from deploy.cli import app
from deploy.fuses import history, order
from deploy.kafka import open_admin, open_consumer, open_producer, partitions_of, read
from deploy.pager import _ready as _pager_ready
from deploy.rule_sets import in_force, publish, successor
from deploy.settings import Settings
from deploy.topics import carry_out, plan_topics
from schemas.commands import Command
from schemas.errors import BrokerRefused
from schemas.rights import ROLES, Right, Role
from streams.intake import intake
from streams.intake.status import IntakeStatus
from streams.worker.process import _ready
from tests.kafka.broker import skipped_without_kafka
from tests.kafka.cluster import Service, until
from tests.kafka.rights_rig import APPLICATION, NAMES, RIGHTS, RightsRig, passwords
from tests.kafka.secured import ROOT, locked_brokers

pytestmark = pytest.mark.kafka

SOON = timedelta(seconds=90)
CHANNEL = """
[[pager.channel]]
name = "night"
kind = "webhook"
url = "http://127.0.0.1:9/"
"""
EVERYTHING: dict[str, dict[str, object]] = {
    NAMES.orders: {"order_id": "o1", "lines": [{"product_id": "mug", "quantity": 1}]},
    NAMES.returns: {"return_id": "r1", "product_id": "mug", "quantity": 1},
    NAMES.complaints: {"complaint_id": "c1", "product_id": "mug"},
    NAMES.stock_levels: {"product_id": "mug", "on_hand": 1},
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RightsRig]:
    directory = tmp_path_factory.mktemp("rights")
    with skipped_without_kafka(), locked_brokers(directory, 1, passwords()) as cluster:
        found = RightsRig(cluster, directory)
        found.prepare()
        yield found


@pytest.fixture(scope="module")
def applied(rig: RightsRig) -> RightsRig:
    """Return the rig with livefuse's topics, which its admin has made with exactly an admin's rights."""
    asyncio.run(apply(rig.settings("admin")))
    return rig


async def apply(settings: Settings) -> None:
    async with open_admin(settings.kafka_config()) as client:
        admin = Admin(client)
        await carry_out(admin, await plan_topics(admin, settings, create_inputs=False))


def command(name: str) -> Command:
    now_ms = time.time_ns() // 1_000_000
    return Command(command_id=name, product_id="mug", action="pause", actor="mei", reason="recall", issued_at=now_ms)


def service(rig: RightsRig, directory: Path, role: Role, lacks: int | None = None) -> Service:
    """Return a process of a role, not started."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIVEFUSE_")}
    (directory / "livefuse.toml").write_text(CHANNEL)
    environment |= {"LIVEFUSE_CONFIG": str(directory / "livefuse.toml")} if role == "pager" else {}
    name = role if lacks is None else f"{role}-{lacks}"
    return Service(name, role, environment | rig.environment(role, lacks), directory / f"{name}.log")


def test_every_role_works_with_exactly_its_rights(applied: RightsRig, tmp_path: Path) -> None:
    services = [service(applied, tmp_path, each) for each in ("intake", "worker", "pager")]
    for each in services:
        each.start()
    try:
        asyncio.run(run_a_sale(applied, services))
    finally:
        codes = [each.drain() if each.alive else None for each in services]
    assert codes == [0, 0, 0], [each.tail() for each in services]


def test_rights_are_granted_by_command_and_only_by_who_may(rig: RightsRig) -> None:
    def told(environment: dict[str, str]) -> Result:
        return CliRunner().invoke(app, ["topics", "acls", "--grant"], env=environment, prog_name="livefuse")

    granted = told(rig.cluster.environment(ROOT, rig.directory))
    assert granted.exit_code == 0, granted.stderr
    assert re.fullmatch(rf"granted: \d+ rights of {len(ROLES)} users\n", granted.stderr)
    refusal = told(rig.environment("operator"))
    assert refusal.exit_code == BrokerRefused.exit_code
    assert "to grant rights needs the right Alter on the cluster" in refusal.stderr


async def run_a_sale(rig: RightsRig, services: list[Service]) -> None:
    await send_everything(rig.settings("shop"))
    operator = rig.settings("operator")
    answer = await order(operator.kafka_config(), NAMES, command("one"), SOON)
    assert [each.type for each in answer.events] == ["override.set"]
    await services[-1].says("channel.reading channel=night", SOON)
    await offsets_of_a_reader(rig)
    reader, auditor = (rig.settings(each).kafka_config() for each in ("reader", "auditor"))
    for topic in (NAMES.fuse_events, NAMES.fuse_state):
        assert [each async for each in read(reader, [topic])]
    assert [each async for each in read(auditor, [NAMES.audit])] == []
    await look(rig.settings("monitoring"))
    before = await in_force(operator.kafka_config(), NAMES)
    await publish(operator.kafka_config(), NAMES, successor(before, before.rules, "mei"), "a test")
    assert (await in_force(operator.kafka_config(), NAMES)).version == before.version + 1
    assert [each.sequence for each in await history(operator.kafka_config(), NAMES, "mug")][:1] == [1]
    async with open_admin(operator.kafka_config()) as client:
        steps = await plan_topics(Admin(client), operator, create_inputs=False)
    assert {each.action for each in steps} == {"keep"}


async def send_everything(settings: Settings) -> None:
    async with open_producer(settings.kafka_config()) as producer:
        now_ms = time.time_ns() // 1_000_000
        for topic, record in EVERYTHING.items():
            await producer.send_and_wait(topic, json.dumps(record | {"occurred_at": now_ms}).encode())


async def offsets_of_a_reader(rig: RightsRig) -> None:
    """Read in a group, as another system would."""
    client = rig.cluster.client(f"{APPLICATION}-reader")
    consumer = AIOKafkaConsumer(NAMES.fuse_events, **client, group_id=f"{APPLICATION}-reader-shop")
    await consumer.start()
    try:
        await consumer.commit({TopicPartition(NAMES.fuse_events, 0): 0})
    finally:
        await consumer.stop()


async def look(settings: Settings) -> None:
    """Look at lags, as an exporter would."""
    config = settings.kafka_config()
    inputs = await partitions_of(config, [*NAMES.inputs, NAMES.fuse_events], "Describe")
    signals = await partitions_of(config, [NAMES.signals], "Describe")
    async with open_admin(config) as client, open_consumer(config) as consumer:
        assert await consumer.end_offsets([*inputs, *signals])
        for group in ("livefuse-intake", "livefuse-worker", "livefuse-pager-night"):
            await Admin(client).group(group)
            await Admin(client).committed(group, signals)


def lacks(role: Role, *, but: Callable[[Right], bool] = lambda _: False) -> list[object]:
    """Return the numbers of a role's rights for a test of each, without those that another test has."""
    return [pytest.param(number, id=str(right)) for number, right in enumerate(RIGHTS[role]) if not but(right)]


def names_it(right: Right, told: str) -> bool:
    """Tell whether a message names the right that is missing, or what it brings with it and is asked for first."""
    said = {str(right), f"Describe on {right.resource} {right.name}", f"Read or Write on {right.resource} {right.name}"}
    if right.operation == "AlterConfigs":
        said.add(f"DescribeConfigs (AlterConfigs brings it) on topic {right.name}")
    if right.operation == "DescribeConfigs":
        said = {f"DescribeConfigs (AlterConfigs brings it) on topic {right.name}"}
    return any(each in told for each in said)


async def refused(work: Awaitable[object], right: Right) -> None:
    """See that the work is refused for want of this right, by name."""
    with pytest.raises(BrokerRefused) as told:
        await asyncio.wait_for(work, SOON.total_seconds())
    assert names_it(right, str(told.value)), str(told.value)


@pytest.mark.parametrize("number", lacks("intake"))
async def test_an_intake_names_the_right_it_lacks(applied: RightsRig, number: int) -> None:
    config = applied.settings("intake", number).intake_config()
    await refused(intake.run(config, asyncio.Event(), IntakeStatus(NAMES.inputs)), RIGHTS["intake"][number])


def of_written_state(right: Right) -> bool:
    return str(right) == f"Write on topic {NAMES.state}"


@pytest.mark.parametrize("number", lacks("worker", but=of_written_state))
async def test_a_worker_names_the_right_it_lacks(applied: RightsRig, number: int) -> None:
    config = applied.settings("worker", number).worker_config()
    await refused(_ready(config, asyncio.Event()), RIGHTS["worker"][number])


@pytest.mark.faults_long
async def test_a_worker_that_may_only_read_its_state_ends_at_its_first_flush(
    applied: RightsRig, tmp_path: Path
) -> None:
    number = next(each for each, right in enumerate(RIGHTS["worker"]) if of_written_state(right))
    worker, feeder = service(applied, tmp_path, "worker", number), service(applied, tmp_path, "intake")
    feeder.start()
    worker.start()
    try:
        assert await worker.ended(SOON) == BrokerRefused.exit_code
        assert names_it(RIGHTS["worker"][number], worker.said), worker.tail()
    finally:
        worker.end()
        feeder.end()


@pytest.mark.parametrize("number", lacks("pager"))
async def test_a_pager_names_the_right_it_lacks(applied: RightsRig, tmp_path: Path, number: int) -> None:
    (tmp_path / "livefuse.toml").write_text(CHANNEL)
    settings = applied.settings("pager", number, {"LIVEFUSE_CONFIG": str(tmp_path / "livefuse.toml")})
    await refused(_pager_ready(settings, asyncio.Event()), RIGHTS["pager"][number])


@pytest.mark.parametrize("number", lacks("shop"))
async def test_a_shop_s_producer_is_told_what_it_lacks(applied: RightsRig, number: int) -> None:
    await refused(send_everything(applied.settings("shop", number)), RIGHTS["shop"][number])


@pytest.mark.parametrize("number", lacks("monitoring"))
async def test_monitoring_is_told_what_it_lacks(applied: RightsRig, number: int) -> None:
    await refused(look(applied.settings("monitoring", number)), RIGHTS["monitoring"][number])


@pytest.mark.parametrize("role", ["reader", "auditor"])
async def test_a_reader_is_told_what_it_lacks(applied: RightsRig, role: Role) -> None:
    for number, right in enumerate(RIGHTS[role]):
        if right.resource == "topic":
            config = applied.settings(role, number).kafka_config()
            await refused(anext(read(config, [right.name])), right)


async def exercise(settings: Settings, right: Right) -> None:
    """Do of an operator's work what needs this right."""
    config = settings.kafka_config()
    if right.operation in {"Describe", "DescribeConfigs"} and right.resource == "topic":
        async with open_admin(config) as client:
            await plan_topics(Admin(client), settings, create_inputs=False)
    elif right.resource == "group":
        name = f"{right.name}x" if right.pattern == "prefixed" else right.name
        async with open_admin(config) as client:
            await Admin(client).group(name)
    elif right.operation == "Read":
        _ = [each async for each in read(config, [right.name])]
        assert not await partitions_of(config, [right.name])
    elif right.name == NAMES.commands:
        await order(config, NAMES, command("two"), timedelta(seconds=1))
    else:
        async with open_producer(config) as producer:
            await producer.send_and_wait(right.name, b"x")


@pytest.fixture(scope="module")
def filled(applied: RightsRig) -> RightsRig:
    """Return the rig with a record in every topic, or reading one would need no right."""
    asyncio.run(fill(applied))
    return applied


async def fill(rig: RightsRig) -> None:
    config = Settings.load(None, rig.cluster.environment(ROOT, rig.directory)).kafka_config()
    async with open_producer(config) as producer:
        for topic in {right.name for right in RIGHTS["operator"] if right.resource == "topic"}:
            await producer.send_and_wait(topic, b"x", key=b"x")


@pytest.mark.faults_long
@pytest.mark.parametrize("number", lacks("operator"))
async def test_an_operator_is_told_what_it_lacks(filled: RightsRig, number: int) -> None:
    right = RIGHTS["operator"][number]
    await refused(exercise(filled.settings("operator", number), right), right)


@pytest.mark.faults_long
@pytest.mark.parametrize("number", lacks("admin"))
async def test_an_admin_is_told_what_it_lacks(applied: RightsRig, number: int) -> None:
    right = RIGHTS["admin"][number]
    if right.operation == "Create":
        await remove(applied, right.name)
    try:
        await refused(apply(applied.settings("admin", number)), right)
    finally:
        await apply(applied.settings("admin"))


async def remove(rig: RightsRig, topic: str) -> None:
    config = Settings.load(None, rig.cluster.environment(ROOT, rig.directory)).kafka_config()

    async with open_admin(config) as client:
        await client.delete_topics([topic])

        async def is_gone() -> bool:
            return topic not in await Admin(client).layouts()

        await until(is_gone, f"{topic} is gone", within=SOON)
