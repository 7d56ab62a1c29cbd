"""A move from one Kafka to another: export, import, and a worker that goes on as if nothing had been."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from deploy.archive import restoring
from deploy.archive.file import entries, verified
from deploy.settings import Settings
from deploy.simulator import CaptureRecord
from schemas.times import from_ms
from streams.worker.store import Place, headers_of
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import Cluster, until
from tests.kafka.feeding import send_all
from tests.kafka.reading import Record, committed, drained

pytestmark = pytest.mark.kafka

SOON = timedelta(seconds=90)
RULES = """
[[rule]]
id = "surge"
kind = "complaint_surge"
more_than = {more_than}
"""


def complaints(product_id: str, count: int, at_ms: int, offset: int = 0) -> list[CaptureRecord]:
    """Return complaints with the same ids, whenever and wherever they are sent."""
    return [
        CaptureRecord(
            "live.complaints",
            0,
            offset + number,
            at_ms + number,
            None,
            orjson.dumps(
                {"complaint_id": f"{product_id}-{number}", "product_id": product_id, "occurred_at": at_ms + number}
            ),
        )
        for number in range(count)
    ]


def told(cluster: Cluster, *arguments: str, code: int = 0) -> Any:
    """Run a command with --json; return what it wrote."""
    done = cluster.run(*arguments, "--json")
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return json.loads(done.stdout if code == 0 else done.stderr.splitlines()[-1])


def apply_rules(cluster: Cluster, more_than: int) -> None:
    file = cluster.directory / "rules.toml"
    file.write_text(RULES.format(more_than=more_than))
    assert cluster.run("rules", "apply", str(file)).returncode == 0


async def events_of(cluster: Cluster, product_id: str) -> list[dict[str, Any]]:
    records = await committed(cluster.bootstrap, cluster.names.fuse_events)
    return [orjson.loads(each.value) for each in records if each.key == product_id.encode()]


async def has_events(cluster: Cluster, product_id: str, count: int) -> list[dict[str, Any]]:
    """Wait until a product has so many events; return them."""

    async def are_there() -> bool:
        return len(await events_of(cluster, product_id)) >= count

    await until(are_there, f"{count} events of {product_id}", within=SOON)
    return await events_of(cluster, product_id)


@pytest.fixture
def old(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(kafka.bootstrap, f"{prefix}old", tmp_path / "old") as cluster:
        yield cluster


@pytest.fixture
def new(mortal_kafka: KafkaBroker, prefix: str, tmp_path: Path) -> Iterator[Cluster]:
    """Yield a livefuse on another Kafka, which has never heard of the first."""
    with Cluster(mortal_kafka.bootstrap, f"{prefix}new", tmp_path / "new") as cluster:
        yield cluster


@pytest.mark.faults_long
@pytest.mark.timeout(900)
async def test_a_move_keeps_fuses_sequences_rules_and_what_was_seen(
    old: Cluster, new: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive.jsonl.xz"
    began = time.time_ns() // 1_000_000
    old.apply_topics()
    intake, worker = old.intake(), old.worker()
    # Three of them: in the old topic the rule set in force stands at an offset that the new one has not reached.
    for more_than in (50, 9, 7):
        apply_rules(old, more_than)
    await worker.says("lane.opened", SOON)
    await send_all(old, complaints("jar", 8, began))
    await has_events(old, "jar", 1)
    (paused,) = told(old, "fuse", "pause", "lamp", "--reason", "price", "--for", "2h", "--timeout", "90")
    assert paused["sequence"] == 1

    assert "workers are in group" in told(old, "topics", "export", str(archive), code=1)["error"]
    assert not archive.exists()
    assert intake.drain() == worker.drain() == 0
    saved = told(old, "topics", "export", str(archive))
    check_saved(old, archive, saved)
    await check_import(old, new, archive, saved, monkeypatch)
    await check_goes_on(old, new, began)

    found = told(new, "topics", "import", str(archive), "--dry-run", "--over")
    assert "there is something in" in told(new, "topics", "import", str(archive), code=1)["error"]
    assert found["inputs"] == {new.names.complaints: 11, new.names.commands: 2}
    assert from_ms(began - 3_600_000) < found["since"] < from_ms(time.time_ns() // 1_000_000)


def check_saved(old: Cluster, archive: Path, saved: dict[str, Any]) -> None:
    assert saved["waiting"] == {}
    assert saved["topics"].keys() >= {f"livefuse.{name}" for name in ("rules", "state", "fuse-state", "fuse-events")}
    assert saved["topics"]["livefuse.rules"]["records"] == 1, "of a compacted topic the latest"
    assert "is there already" in told(old, "topics", "export", str(archive), code=2)["error"]


async def check_import(
    old: Cluster, new: Cluster, archive: Path, saved: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "topics apply" in told(new, "topics", "import", str(archive), code=2)["error"]
    new.apply_topics()
    few = Cluster(new.bootstrap, f"{new.prefix}few", new.directory / "few", LIVEFUSE_PARTITIONS="2")
    few.apply_topics()
    assert "LIVEFUSE_PARTITIONS=4" in told(few, "topics", "import", str(archive), code=2)["error"]
    assert told(new, "topics", "import", str(archive), "--dry-run")["written"] == 0

    # An import that is interrupted in the middle, the same again, and once more.
    total = saved["records"]
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "entries", interrupted_after(total // 2))
        with pytest.raises(KeyboardInterrupt):
            await restoring.restore(settings_of(new), archive, lambda *_: None)
    rest = told(new, "topics", "import", str(archive))
    assert 0 < rest["written"] < total == rest["records"]
    assert told(new, "topics", "import", str(archive))["written"] == 0
    for name in ("rules", "fuse_state", "fuse_events", "state"):
        before, after = [await committed(each.bootstrap, getattr(each.names, name)) for each in (old, new)]
        assert latest(after) == latest(before) or name == "state"
        assert len(after) == saved["topics"][f"livefuse.{name.replace('_', '-')}"]["records"]


async def check_goes_on(old: Cluster, new: Cluster, began: int) -> None:
    # The complaints come again (their topic begins anew), and change nothing; everything else goes on.
    new_intake, new_worker = new.intake(), new.worker()
    await new_worker.says("lane.opened", SOON)
    assert "lane.log_shorter" not in new_worker.said
    assert "position=-1" in new_worker.said
    await send_all(new, complaints("jar", 8, began))
    await drained(new, SOON)
    assert [each["sequence"] for each in await events_of(new, "jar")] == [1]
    (resumed,) = told(new, "fuse", "resume", "jar", "--reason", "looked at", "--timeout", "90")
    assert (resumed["sequence"], resumed["from"], resumed["rule_version"]) == (2, "open", 3)
    (released,) = told(new, "fuse", "release", "lamp", "--reason", "corrected", "--timeout", "90")
    assert (released["sequence"], released["type"]) == (2, "override.cleared")
    assert (await events_of(new, "jar"))[0] == (await events_of(old, "jar"))[0]
    # Also what stands at small offsets is taken: signals, and a rule set.
    apply_rules(new, 2)
    await drained(new, SOON)
    await send_all(new, complaints("cup", 3, time.time_ns() // 1_000_000, offset=8))
    (opened,) = await has_events(new, "cup", 1)
    assert (opened["rule_version"], opened["cause"]["measured"]) == (4, 3)

    refused = told(new, "topics", "import", str(old.directory.parent / "archive.jsonl.xz"), code=1)["error"]
    assert "start nothing before the import is done" in refused
    assert new_intake.drain() == new_worker.drain() == 0


async def test_what_no_worker_has_applied_is_told(old: Cluster, tmp_path: Path) -> None:
    old.apply_topics()
    intake, worker = old.intake(), old.worker()
    await worker.says("lane.opened", SOON)
    await send_all(old, complaints("jar", 3, time.time_ns() // 1_000_000))
    await drained(old, SOON)
    assert worker.drain() == 0
    await send_all(old, complaints("jar", 3, time.time_ns() // 1_000_000, offset=3))

    async def is_written() -> bool:
        frames = await committed(old.bootstrap, old.names.signals)
        return sum(bytes(frame.value).count(b"jar-") for frame in frames) >= 6

    await until(is_written, "the intake goes on without a worker", within=SOON)
    assert intake.drain() == 0
    done = old.run("topics", "export", str(tmp_path / "archive.jsonl.gz"))
    assert done.returncode == 0
    assert "not saved, because no worker has applied them" in done.stderr
    assert sum(verified(tmp_path / "archive.jsonl.gz")[0].waiting.values()) > 0

    # As a worker leaves it that is killed between two checkpoints.
    states = [each for each in await committed(old.bootstrap, old.names.state) if each.key == b"jar"]
    async with AIOKafkaProducer(bootstrap_servers=old.bootstrap) as producer:
        await producer.send_and_wait(
            old.names.state,
            states[-1].value,
            states[-1].key,
            partition=states[-1].partition,
            headers=headers_of(Place(0, 1_000_000)),
        )
    refused = told(old, "topics", "export", str(tmp_path / "another.jsonl.gz"), code=1)["error"]
    assert "is not of one moment" in refused
    assert "stop it in order" in refused


def settings_of(cluster: Cluster) -> Settings:
    return Settings.load(None, cluster.environment)


def interrupted_after(count: int) -> Any:
    """Return what reads an archive until somebody presses Ctrl-C."""

    def some(path: Path) -> Iterator[Any]:
        for place, entry in enumerate(entries(path)):
            if place == count:
                raise KeyboardInterrupt
            yield entry

    return some


def latest(records: list[Record]) -> dict[tuple[int, bytes | None], Any]:
    """Return the latest value of each key."""
    return {(each.partition, each.key): each.value for each in records if each.value is not None}
