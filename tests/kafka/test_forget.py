"""`livefuse forget` on a real Kafka, with an intake and a worker that go on meanwhile; where customers' words go."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.simulator import CaptureRecord
from schemas.topics import topics
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster, until
from tests.kafka.feeding import send_all
from tests.kafka.reading import committed, drained

pytestmark = pytest.mark.kafka

SOON = timedelta(seconds=90)
DAY_MS = 24 * 60 * 60 * 1000
WORDS = "the zipper tore my daughter's finger"
RULES = '[[rule]]\nid = "surge"\nkind = "complaint_surge"\nmore_than = 2\n[[rule]]\nid = "stock"\nkind = "oversell"\n'


def record(topic: str, offset: int, at_ms: int, value: dict[str, Any]) -> CaptureRecord:
    return CaptureRecord(topic, 0, offset, at_ms, None, orjson.dumps({"occurred_at": at_ms, **value}))


def complaint(number: int, at_ms: int, offset: int, **more: Any) -> CaptureRecord:
    value = {"complaint_id": f"jar-{number}", "product_id": "jar", "text": WORDS, **more}
    return record("live.complaints", offset, at_ms + offset, value)


def forget(cluster: Cluster, *arguments: str) -> tuple[dict[str, set[tuple[str, str]]], int]:
    """Run `livefuse forget`; return what was found in each topic (how, and what became of it), and how many stay."""
    done = cluster.run("forget", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found: dict[str, set[tuple[str, str]]] = {}
    for each in told["found"]:
        found.setdefault(each["topic"].removeprefix(f"{cluster.prefix}."), set()).add((each["how"], each["status"]))
    return found, told["left"]


async def latest(cluster: Cluster, topic: str) -> bytes:
    """Return the latest values of all keys, one behind the other."""
    return b"\n".join({each.key: each.value or b"" for each in await committed(cluster.bootstrap, topic)}.values())


@pytest.fixture
def cluster(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as found:
        yield found


@pytest.mark.faults_long
async def test_what_can_be_forgotten_is_and_the_rest_is_told(cluster: Cluster) -> None:
    began = time.time_ns() // 1_000_000
    cluster.apply_topics()
    intake, worker = cluster.intake(), cluster.worker()
    (cluster.directory / "rules.toml").write_text(RULES)
    assert cluster.run("rules", "apply", str(cluster.directory / "rules.toml")).returncode == 0
    await worker.says("lane.opened", SOON)
    await drained(cluster, SOON)
    order = {"order_id": "o-1", "lines": [{"product_id": "cup", "quantity": 9}]}
    await send_all(
        cluster,
        [
            *(complaint(number, began, number) for number in range(3)),
            complaint(1, began, 3, product_id=None),
            record("live.stock-levels", 0, began, {"product_id": "cup", "on_hand": 9}),
            record("live.orders", 0, began + 1, order),
        ],
    )

    async def are_open() -> bool:
        return len(await committed(cluster.bootstrap, cluster.names.fuse_events)) == 2

    await until(are_open, "both fuses open", within=SOON)
    await drained(cluster, SOON)
    await words_are_where_they_came_in_only(cluster)
    await a_complaint(cluster)
    await an_order(cluster)
    # The worker was fenced, opened its lane again, and goes on: nothing is counted twice, no sequence is left out.
    await worker.says("lane.fenced", SOON)
    await send_all(cluster, [complaint(0, began, 4), complaint(2, began, 5)])
    (resumed,) = json.loads(
        cluster.run("fuse", "resume", "jar", "--reason", "seen", "--json", "--timeout", "90").stdout
    )
    assert (resumed["sequence"], resumed["from"]) == (2, "open")
    await drained(cluster, SOON)
    assert len(await committed(cluster.bootstrap, cluster.names.fuse_events)) == 3
    assert intake.drain() == worker.drain() == 0


async def words_are_where_they_came_in_only(cluster: Cluster) -> None:
    names = cluster.names
    allowed = {names.complaints, names.dead_letters(names.complaints)}
    for topic in topics(names, 4):
        said = [each.value for each in await committed(cluster.bootstrap, topic.name) if each.value]
        assert any(b"zipper" in value for value in said) == (topic.name in allowed), topic.name
    for service in cluster.services:
        assert "zipper" not in service.said


async def a_complaint(cluster: Cluster) -> None:
    everywhere = {
        "complaints": {("id", "kept")},
        "dlq." + f"{cluster.prefix}.complaints": {("id", "kept")},
        "signals": {("signal", "kept")},
        "state": {("memory of what was seen", "kept")},
        "fuse-events": {("evidence", "kept")},
        "fuse-state": {("evidence", "kept")},
    }
    assert forget(cluster, "--complaint", "jar-1")[0] == everywhere
    traces = json.loads(cluster.run("forget", "--complaint", "jar-1", "--json").stdout)["found"]
    lives = {
        each["topic"].split(".")[-1]: each["until"] and (each["until"] - each["time_ms"]) // DAY_MS for each in traces
    }
    # Retention, and a week (the broker's default) until a segment is closed; what is compacted has no time.
    assert lives.items() >= {("signals", 3 + 7), ("fuse-events", 30 + 7), ("state", None), ("fuse-state", None)}
    assert forget(cluster, "--complaint", "jar-7") == ({}, 0)
    found, left = forget(cluster, "--complaint", "jar-1", "--delete")
    assert found == everywhere | {
        "signals": {("signal", "deleted")},
        "state": {("memory of what was seen", "overwritten")},
        "fuse-state": {("evidence", "overwritten")},
    }
    assert left == 4, "the shop's two records, the dead letter and the fuse event"
    assert b"jar-1" not in await latest(cluster, cluster.names.state)
    assert b"jar-1" not in await latest(cluster, cluster.names.fuse_state)
    assert b"jar-2" in await latest(cluster, cluster.names.state)
    found, left = forget(cluster, "--complaint", "jar-1", "--delete", "--also-older")
    assert "signals" not in found
    assert found[f"dlq.{cluster.prefix}.complaints"] == {("id", "deleted")}
    assert left == 3
    found, _ = forget(cluster, "--complaint", "jar-1")
    assert f"dlq.{cluster.prefix}.complaints" not in found


async def an_order(cluster: Cluster) -> None:
    found, left = forget(cluster, "--order", "o-1", "--delete")
    assert found["orders"] == {("id", "kept")}
    assert found["state"] == {("memory of what was seen", "overwritten")}
    assert found["fuse-events"] == {("evidence", "kept")}
    assert found.get("signals", {("signal", "deleted")}) == {("signal", "deleted")}
    assert left == 2
    assert b"o-1" not in await latest(cluster, cluster.names.state)
    plain = cluster.run("forget", "--order", "o-1")
    assert "fuse-events" in plain.stdout
    assert "nothing was deleted: --delete does what can be done" in plain.stderr
    assert cluster.run("forget", "--order", "o-1", "--complaint", "jar-1").returncode == 2
