"""Orders on a real Kafka, with a real intake and worker: from a POST to the fuse event, and what the audit tells."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from alerts.console import desk, orphans
from alerts.console.writer import Record, Writer
from schemas.audit import AuditEntry
from schemas.events import FuseEvent
from tests.alerts.console.doorway import PATIENCE, Doorway, asking, audit_of, config_of, doorway, running
from tests.kafka.broker import KafkaBroker, come_back
from tests.kafka.cluster import Cluster, until
from tests.kafka.reading import committed, drained
from tests.kafka.test_console import show

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for events as long as they take: the worker may still be starting."""
    monkeypatch.setattr(desk, "ANSWER_WITHIN_S", PATIENCE.total_seconds())


async def events_of(cluster: Cluster, product_id: str) -> list[FuseEvent]:
    records = await committed(cluster.bootstrap, cluster.names.fuse_events)
    return [FuseEvent.model_validate_json(each.value) for each in records if each.key == product_id.encode()]


async def lines_of(cluster: Cluster, asked: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return what the audit tells of an order: what, and the outcome; each line once."""
    entries = [each for each in await audit_of(cluster) if each.request_id == UUID(asked["request_id"])]
    return [(each.what, each.outcome) for each in {each.entry_id: each for each in entries}.values()]


async def known(door: Doorway, product_id: str, sequence: int) -> None:
    """Wait until the console knows a product's event."""

    async def is_known() -> bool:
        return (door.console.board.sequence(product_id) or 0) >= sequence

    await until(is_known, f"{product_id} is at {sequence}", within=PATIENCE, between=timedelta(seconds=0.02))


async def test_from_an_order_to_its_event_and_to_the_audit(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        cluster.start(intakes=1, workers=1)
        await drained(cluster, timedelta(seconds=60))
        async with doorway(cluster, tmp_path) as door, door.person("mei") as mei, door.person("bo") as bo:
            asked = asking("p1", "pause", reason="it is the wrong one", duration_s=600)
            # Twice at once, as an impatient page would: one command, one answer.
            first, second = await asyncio.gather(*(mei.post("/api/v1/commands", asked) for _ in range(2)))
            assert first[0] == second[0] == 200, (first, second)
            assert first[1]["outcome"] == "applied"
            (event,) = first[1]["events"]
            assert (event["type"], event["actor"], event["reason"]) == ("override.set", "operator:mei", asked["reason"])
            assert event["cause"]["command_id"] == first[1]["command_id"] == second[1]["command_id"]
            assert first[1]["product"]["paused"]["product"]
            await door.audited(what="outcome", outcome="applied", request_id=UUID(asked["request_id"]))
            assert [each for each in await lines_of(cluster, asked) if each[0] != "refused"] == [
                ("command", None),
                ("outcome", "applied"),
            ]
            line = await door.audited(what="command", request_id=UUID(asked["request_id"]))
            assert (line.actor, line.role, line.way, line.client) == ("mei", "operator", "password", "127.0.0.1")
            assert (line.action, line.product_id, line.reason) == ("pause", "p1", asked["reason"])
            assert line.expires_at == line.at + 600_000

            # Bo has seen the product before Mei paused it.
            late = asking("p1", "pause")
            status, refusal = await bo.post("/api/v1/commands", late)
            assert (status, refusal["error"]) == (409, "conflict")
            assert refusal["product"]["last"]["actor"] == "operator:mei"
            assert refusal["product"]["sequence"] == 1
            conflict = await door.audited(what="refused", outcome="conflict", request_id=UUID(late["request_id"]))
            assert (conflict.actor, conflict.status, conflict.expected_sequence, conflict.sequence) == ("bo", 409, 0, 1)

            # What the pipeline turns down comes back as that.
            nothing = asking("p1", "resume", expected_sequence=1)
            status, refusal = await bo.post("/api/v1/commands", nothing)
            assert (status, refusal["error"], refusal["result"]["rejected"]) == (409, "rejected", "nothing_open")
            await door.audited(what="outcome", outcome="rejected", detail="nothing_open", status=409)

            assert (await bo.order("p1", "release", expected_sequence=2))[0] == 200
            assert len(await door.commands()) == 3
            assert [each.sequence for each in await events_of(cluster, "p1")] == [1, 2, 3]


async def test_many_of_a_room_with_its_name_typed(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    async with (
        show(kafka.bootstrap, prefix, tmp_path) as (cluster, shop, _),
        doorway(cluster, tmp_path) as door,
        door.person("mei") as mei,
    ):
        for each in ("a", "b", "c"):
            await shop.sell_out(each)
        for each in ("a", "b", "c"):
            await known(door, each, 1)
        bulk = {
            "request_id": "7d9f1cba-2b1a-4f43-8e38-3d52a9dc1a01",
            "room_id": "r1",
            "confirm": "r1",
            "action": "pause",
            "reason": "the room is down",
            "targets": [{"product_id": each, "expected_sequence": 1} for each in ("a", "b", "x")]
            + [{"product_id": "c", "expected_sequence": 0}],
        }
        status, refusal = await mei.post("/api/v1/commands/bulk", bulk | {"confirm": "r2"})
        assert (status, refusal["error"]) == (400, "not_confirmed")
        status, answer = await mei.post("/api/v1/commands/bulk", bulk)
        assert status == 200
        assert [(each["product_id"], each["outcome"], each["rejected"]) for each in answer["results"]] == [
            ("a", "applied", None),
            ("b", "applied", None),
            ("x", "rejected", "wrong_room"),
            ("c", "rejected", "conflict"),
        ]
        sent = len(await door.commands())
        status, again = await mei.post("/api/v1/commands/bulk", bulk)
        assert [each["command_id"] for each in again["results"]] == [each["command_id"] for each in answer["results"]]
        assert len(await door.commands()) == sent
        await door.audited(what="refused", outcome="conflict", product_id="c", room_id="r1")


async def test_without_the_audit_nothing_is_ordered_and_later_it_is_ordered_once(
    mortal_kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.console.audit.WRITE_WITHIN_S", 1.0)
    broker = mortal_kafka
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        cluster.start(intakes=1, workers=1)
        async with doorway(cluster, tmp_path) as door, door.person("mei") as mei:
            assert (await mei.order("p1", "pause"))[0] in {200, 202}
            await known(door, "p1", 1)
            asked = asking("p2", "pause")
            await asyncio.to_thread(broker.kill)
            status, refusal = await mei.post("/api/v1/commands", asked)
            assert (status, refusal["error"]) == (503, "audit_unavailable")
            assert door.console.doors.problem()
            # Signing in and out is possible all the same, and not forgotten.
            async with door.person("bo") as bo:
                assert (await bo.post("/api/v1/logout", {}))[0] == 200
            await come_back(broker)
            await door.audited(what="logout", actor="bo")
            await door.audited(what="outcome", outcome="not_sent", product_id="p2", status=503)
            assert [each.key for each in await door.commands()] == [b"p1"]

            async def is_ordered() -> bool:
                answer = await mei.post("/api/v1/commands", asked)
                return answer[0] == 200

            await until(is_ordered, "the order is carried out", within=PATIENCE)
            await door.audited(what="outcome", outcome="applied", product_id="p2")
            await drained(cluster, timedelta(seconds=60))
            assert [each.sequence for each in await events_of(cluster, "p2")] == [1]
            assert len([each for each in await door.commands() if each.key == b"p2"]) == 1


async def test_a_broker_that_goes_between_audit_and_command_only_delays_the_command(
    mortal_kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "ANSWER_WITHIN_S", 0.5)
    broker = mortal_kafka
    with Cluster(broker.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        cluster.start(intakes=1, workers=1)
        async with doorway(cluster, tmp_path) as door, door.person("mei") as mei:
            send = Writer.send

            async def cut(writer: Writer, topic: str, records: Sequence[Record], within_s: float) -> None:
                if topic == cluster.names.commands and broker.pid is not None:
                    monkeypatch.setattr(Writer, "send", send)
                    await asyncio.to_thread(broker.kill)
                await send(writer, topic, records, within_s)

            monkeypatch.setattr(Writer, "send", cut)
            status, answer = await mei.order("p1", "pause")
            assert (status, answer["outcome"]) == (202, "pending")
            await come_back(broker)
            await door.audited(what="outcome", outcome="applied", product_id="p1")
            await drained(cluster, timedelta(seconds=60))
            assert [each.sequence for each in await events_of(cluster, "p1")] == [1]


@asynccontextmanager
async def dead_before_the_command(
    cluster: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """Yield an order whose line is in the audit, of a console that ended before it sent the command."""
    send = Writer.send
    stuck = asyncio.Event()

    async def hang(writer: Writer, topic: str, records: Sequence[Record], within_s: float) -> None:
        if topic == cluster.names.commands:
            stuck.set()
            await asyncio.Event().wait()
        await send(writer, topic, records, within_s)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "send", hang)
        asked = asking("p1", "pause")
        async with doorway(cluster, folder) as door, door.person("mei") as mei:
            posting = asyncio.create_task(mei.post("/api/v1/commands", asked))
            await stuck.wait()
            await door.audited(what="command", request_id=UUID(asked["request_id"]))
            posting.cancel()
    assert await lines_of(cluster, asked) == [("command", None)]
    assert not await committed(cluster.bootstrap, cluster.names.commands)
    yield asked


async def test_a_console_that_died_before_the_command_is_asked_again(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        cluster.start(intakes=1, workers=1)
        await drained(cluster, timedelta(seconds=60))
        async with (
            dead_before_the_command(cluster, tmp_path, monkeypatch) as asked,
            running(cluster, config_of(cluster, tmp_path)) as door,
            door.person("mei") as mei,
        ):
            status, answer = await mei.post("/api/v1/commands", asked)
            assert (status, answer["outcome"]) == (200, "applied"), answer
            assert await mei.post("/api/v1/commands", asked) == (status, answer)
            await door.audited(what="outcome", outcome="applied")
            assert ("command", None) in await lines_of(cluster, asked)
            assert len(await door.commands()) == 1
            assert [each.sequence for each in await events_of(cluster, "p1")] == [1]


async def test_a_command_that_was_never_sent_is_told_so(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "SENT_BY_MS", 0)
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        async with (
            dead_before_the_command(cluster, tmp_path, monkeypatch) as asked,
            running(cluster, config_of(cluster, tmp_path)) as door,
        ):
            line: AuditEntry = await door.audited(what="outcome", outcome="not_sent")
            assert line.request_id == UUID(asked["request_id"])
            assert not await door.commands()


async def test_what_came_of_a_command_is_told_after_a_restart(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "ANSWER_WITHIN_S", 0.01)
    monkeypatch.setattr(orphans, "ANSWERED_AFTER_MS", 0)
    monkeypatch.setattr(orphans, "SENT_BY_MS", 0)
    with Cluster(kafka.bootstrap, prefix, tmp_path) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        config = config_of(cluster, tmp_path)
        asked = asking("p1", "pause")
        async with running(cluster, config) as door, door.person("mei") as mei:
            assert (await mei.post("/api/v1/commands", asked))[0] == 202

            async def is_sent() -> bool:
                return len(await door.commands()) == 1

            await until(is_sent, "the command is sent", within=PATIENCE)
        cluster.start(intakes=1, workers=1)
        async with running(cluster, config) as door, door.person("mei") as mei:
            line = await door.audited(what="outcome", outcome="applied")
            assert (line.actor, line.sequence, line.product_id) == ("mei", 1, "p1")
            status, answer = await mei.post("/api/v1/commands", asked)
            assert (status, answer["outcome"]) == (200, "applied")
            assert len(answer["events"]) == 1
            assert len(await door.commands()) == 1
