"""Metrics and health of a real intake and a real worker on a real Kafka, asked as Prometheus asks."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded import free_port
from tests.deploy.test_metrics_page import exported, page_of, rows
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, until

pytestmark = pytest.mark.kafka

SOON = timedelta(seconds=90)
SECRET = "secret of the customer"


class Sample(NamedTuple):
    """One value that Prometheus would store."""

    name: str
    labels: dict[str, str]
    value: float


class Metrics:
    """One answer of /metrics."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.types = exported(families)
        self.samples = [
            Sample(sample.name, sample.labels, sample.value) for family in families for sample in family.samples
        ]

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the series of a name that have these labels."""
        return sum(each.value for each in self.samples if each.name == name and labels.items() <= each.labels.items())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the sums of a name by one label."""
        found: Counter[str] = Counter()
        for each in self.samples:
            if each.name == name:
                found[each.labels[label]] += each.value  # type: ignore[assignment]
        return dict(found)


class Watched(NamedTuple):
    """An intake, a worker, and where they tell how they are."""

    cluster: Cluster
    ports: dict[str, int]

    async def get(self, role: str, path: str) -> tuple[int, str]:
        """Return status and text of a page; status 0 while nobody listens."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.ports[role]}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def metrics(self, role: str) -> Metrics:
        status, text = await self.get(role, "/metrics")
        assert status == HTTPStatus.OK
        return Metrics(text)

    async def ready(self, role: str) -> None:
        """Wait until it says that it does its work."""

        async def is_ready() -> bool:
            return (await self.get(role, "/readyz"))[0] == HTTPStatus.OK

        await until(is_ready, f"the {role} is ready", within=SOON, state=self.tails)

    async def send(self, records: Iterable[tuple[str, Any]]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.cluster.bootstrap) as producer:
            for topic, record in records:
                value = record if isinstance(record, bytes) or record is None else orjson.dumps(record)
                await producer.send_and_wait(topic, value, key=b"k", partition=0)

    def tails(self) -> str:
        return "\n".join(service.tail(8) for service in self.cluster.services)


@pytest.fixture
async def watched(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Watched]:
    ports = {role: free_port() for role in ("intake", "worker")}
    settings = {f"LIVEFUSE_{role.upper()}__WEB_PORT": str(port) for role, port in ports.items()}
    with Cluster(kafka.bootstrap, prefix, tmp_path, **settings) as cluster:
        cluster.apply_topics()
        cluster.start(intakes=1, workers=1)
        found = Watched(cluster, ports)
        await found.ready("intake")
        await found.ready("worker")
        yield found


def sale(cluster: Cluster, now: int) -> list[tuple[str, Any]]:
    """Return 20 orders of two lines, two records that are no orders, 6 complaints of allergy, a command in vain."""
    names = cluster.names
    orders = [
        {
            "order_id": f"o{number}",
            "occurred_at": now + number,
            "room_id": SECRET,
            "lines": [{"product_id": product_id, "quantity": 1} for product_id in (f"p{number}", "p-all")],
        }
        for number in range(20)
    ]
    complaints = [
        {
            "complaint_id": f"c{number}",
            "occurred_at": now + number,
            "product_id": "hot",
            "category": "allergy",
            "text": SECRET,
            "room_id": SECRET,
        }
        for number in range(6)
    ]
    command = {
        "command_id": "k1",
        "product_id": "p1",
        "action": "resume",
        "actor": SECRET,
        "reason": SECRET,
        "issued_at": now,
    }
    return [
        *((names.orders, each) for each in orders),
        (names.orders, orders[0]),
        (names.orders, b"not json: " + SECRET.encode()),
        (names.orders, None),
        *((names.complaints, each) for each in complaints),
        (names.commands, command),
    ]


async def test_what_a_sale_leaves_in_the_metrics(watched: Watched) -> None:
    names = watched.cluster.names
    began = int(time.time() * 1000) - 60_000
    await watched.send(sale(watched.cluster, began))
    metrics: dict[str, Metrics] = {}

    async def is_done() -> bool:
        metrics.update({role: await watched.metrics(role) for role in watched.ports})
        intake, worker = metrics["intake"], metrics["worker"]
        return (
            worker.sum("livefuse_commands_rejected_total") == 1
            and worker.sum("livefuse_fuse_transitions_total") == 1
            and worker.sum("livefuse_signals_total") == 49
            and intake.sum("livefuse_dead_letters_total") == 2
            and intake.sum("livefuse_source_lag_records") == 0
            and intake.sum("livefuse_intake_commits_total") > 0
            and worker.sum("livefuse_lane_behind_frames") == worker.sum("livefuse_unflushed_seconds") == 0
        )

    await until(is_done, "the sale is in the metrics", within=SOON, state=watched.tails)
    intake, worker = metrics["intake"], metrics["worker"]
    assert intake.types == page_of("Every process", "Intake")
    assert worker.types == page_of("Every process", "Worker")
    told = {name: row for part in ("Every process", "Intake", "Worker") for name, row in rows(part).items()}
    for each in intake.samples + worker.samples:
        name = next(
            name for name in (each.name, each.name.rpartition("_")[0]) if name in told
        )  # a histogram's _bucket, _count, _sum
        assert each.labels.keys() - {"le"} == told[name].labels
    labels = {value for each in intake.samples + worker.samples for value in each.labels.values()}
    assert not [value for value in labels if SECRET in value]
    assert not labels & {"hot", "p-all", *(f"p{number}" for number in range(20))}

    assert intake.by("livefuse_records_total", "outcome") == {"used": 28, "refused": 2}
    assert intake.sum("livefuse_records_total", topic=names.orders, outcome="used") == 21
    assert intake.sum("livefuse_dead_letters_total", topic=names.orders, reason="not_json") == 1
    assert intake.sum("livefuse_dead_letters_total", topic=names.orders, reason="empty") == 1
    assert intake.sum("livefuse_frame_signals_sum") == 49
    assert intake.sum("livefuse_ticks_written_total") > 0
    assert intake.sum("livefuse_frames_written_total") == intake.sum("livefuse_frame_signals_count") + intake.sum(
        "livefuse_ticks_written_total"
    )
    assert intake.sum("livefuse_frame_bytes_sum") > 49 * 20
    latest = intake.by("livefuse_source_last_record_timestamp_seconds", "topic")
    assert latest == {
        names.orders: (began + 19) / 1000,
        names.complaints: (began + 5) / 1000,
        names.commands: began / 1000,
    }
    assert abs(time.time() - intake.sum("livefuse_intake_passed_timestamp_seconds")) < 30
    assert intake.sum("livefuse_intake_rebalances_total") == 1
    assert intake.sum("livefuse_intake_unacknowledged_seconds") < 30

    applied = {
        kind: worker.sum("livefuse_signals_total", kind=kind, outcome="applied")
        for kind in ("order", "complaint", "command")
    }
    assert applied == {"order": 40, "complaint": 6, "command": 1}
    assert worker.sum("livefuse_signals_total", kind="order", outcome="duplicate") == 2
    assert worker.sum("livefuse_signals_repeated_total") == 0
    assert worker.by("livefuse_rule_evaluations_total", "rule") == {
        "oversell": 40,
        "return-spike": 40,
        "complaint-surge": 6,
        "critical-complaints": 6,
    }
    opened = {"rule": "critical-complaints", "from": "closed", "to": "open", "shadow": "false"}
    assert worker.sum("livefuse_fuse_transitions_total", **opened) == 1
    assert worker.by("livefuse_fuses_open", "rule")["critical-complaints"] == worker.sum("livefuse_fuses_open") == 1
    assert worker.sum("livefuse_products") == 22
    assert worker.by("livefuse_lanes", "state") == {"open": SIGNALS_PARTITIONS, "opening": 0}
    assert worker.by("livefuse_recovery_ratio", "partition") == {str(n): 1 for n in range(SIGNALS_PARTITIONS)}
    assert worker.sum("livefuse_log_lag_seconds") == worker.sum("livefuse_held_signals") == 0
    assert all(-1 < lag < 30 for lag in worker.by("livefuse_event_time_lag_seconds", "partition").values())
    assert worker.sum("livefuse_flushes_total", outcome="committed") == worker.sum("livefuse_flush_seconds_count") > 0
    assert worker.sum("livefuse_apply_seconds_count") > 4
    assert worker.sum("livefuse_rule_limit", rule="critical-complaints", limit="more_than") == 5
    assert worker.sum("livefuse_rules_version") == 0
    for role in watched.ports:
        assert metrics[role].sum("livefuse_build_info", role=role) == 1
        assert await watched.get(role, "/healthz") == (HTTPStatus.OK, '{"ok":true,"problems":[]}')


async def test_a_worker_that_begins_anew_shows_what_it_has_recovered(watched: Watched) -> None:
    await watched.send(sale(watched.cluster, int(time.time() * 1000) - 60_000))

    async def is_written() -> bool:
        return (await watched.metrics("worker")).sum("livefuse_fuse_transitions_total") == 1

    await until(is_written, "the fuse has opened", within=SOON, state=watched.tails)
    worker = watched.cluster.services[0]
    assert worker.command == "worker"
    worker.kill()
    worker.start()
    await watched.ready("worker")
    found = await watched.metrics("worker")
    assert found.sum("livefuse_fuses_open", rule="critical-complaints") == 1
    assert found.sum("livefuse_fuse_transitions_total") == 0
    assert found.sum("livefuse_recovery_states") > 0
    assert found.by("livefuse_lanes", "state")["open"] == SIGNALS_PARTITIONS


async def test_a_second_intake_on_the_same_port_says_so_and_ends(watched: Watched) -> None:
    second = watched.cluster.intake()
    assert await second.ended(SOON) == 1
    assert f"port {watched.ports['intake']}: another process has it" in second.said
    assert "Traceback" not in second.said
    third = watched.cluster.worker()
    assert await third.ended(SOON) == 1
    assert f"port {watched.ports['worker']}: another process has it" in third.said
    assert "Traceback" not in third.said


async def test_processes_that_wait_for_a_broker_live_and_are_not_ready(prefix: str, tmp_path: Path) -> None:
    ports = {role: free_port() for role in ("intake", "worker")}
    settings = {f"LIVEFUSE_{role.upper()}__WEB_PORT": str(port) for role, port in ports.items()}
    with Cluster(f"127.0.0.1:{free_port()}", prefix, tmp_path, **settings) as cluster:
        cluster.start(intakes=1, workers=1)
        found = Watched(cluster, ports)
        for role in ports:

            async def answers(role: str = role) -> bool:
                return await found.get(role, "/healthz") == (HTTPStatus.OK, '{"ok":true,"problems":[]}')

            await until(answers, f"the {role} is alive", within=SOON, state=found.tails)
            assert await found.get(role, "/readyz") == (
                HTTPStatus.SERVICE_UNAVAILABLE,
                '{"ready":false,"waits_for":"it waits for the broker"}',
            )
        assert [service.drain() for service in cluster.services] == [0, 0]
