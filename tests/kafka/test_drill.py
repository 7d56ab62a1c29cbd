"""Drills on a real Kafka, with real processes and receivers: they pass, say what is missing, and leave nothing open."""

import asyncio
import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.events import FuseEvent
from tests.alerts.pager.alertmanager_like import AlertmanagerLike
from tests.alerts.pager.service import Received, Service, says, serving
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import LIVEFUSE, PROJECT, Cluster, until
from tests.kafka.reading import committed, end_offsets
from tests.kafka.test_pager import PATIENCE, eventually

pytestmark = pytest.mark.kafka

REFUSES = {"errcode": 310000, "errmsg": "keywords not in content"}


def settings(directory: Path, alertmanager: Service, *channels: str) -> str:
    """Write the settings of the pager; the channels are tables."""
    file = directory / "livefuse.toml"
    tables = "".join(f"[[pager.channel]]\n{each}\n" for each in channels)
    file.write_text(f'[pager.alertmanager]\nurls = ["{alertmanager.url}"]\n{tables}')
    return str(file)


def steps(found: dict[str, Any]) -> dict[str, str]:
    return {each["step"]: each["outcome"] for each in found["steps"]}


async def events_of(cluster: Cluster, product_id: str) -> list[str]:
    records = await committed(cluster.bootstrap, cluster.names.fuse_events)
    return [
        event.type
        for record in records
        if (event := FuseEvent.model_validate_json(record.value)).product_id == product_id
    ]


async def test_a_drill_passes_and_without_a_pager_it_says_what_is_missing(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    model = AlertmanagerLike()
    async with serving(model.behave) as service, serving(lambda _: says({})) as hook, serving(refuse) as robot:
        file = settings(
            tmp_path,
            service,
            f'name = "hook"\nkind = "webhook"\nurl = "{hook.url}"',
            f'name = "grave"\nkind = "webhook"\nurl = "{hook.url}/grave"\nmin_severity = "critical"',
            f'name = "robot"\nkind = "dingtalk"\nurl = "{robot.url}"\nmin_severity = "critical"',
        )
        with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_CONFIG=file) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            cluster.start(intakes=1, workers=1)
            pager = cluster.pager()
            await eventually(lambda: model.firing("LivefuseWatchdog"), "the pager works")
            await eventually(lambda: pager.said.count("channel.reading") == 3, "the channels read")

            done = await asyncio.to_thread(cluster.run, "drill", "--json")
            assert done.returncode == 0, done.stdout + done.stderr
            found = json.loads(done.stdout)
            alertmanager = f"alertmanager/{service.url.removeprefix('http://')}"
            assert steps(found) == {
                "complaints in Kafka": "ok",
                "fuse opened": "ok",
                f"told: {alertmanager}": "ok",
                "told: channel/hook": "ok",
                "told: channel/grave": "skipped",
                "told: channel/robot": "skipped",
                "fuse resumed": "ok",
                f"told of the end: {alertmanager}": "ok",
                "told of the end: channel/hook": "ok",
                "told of the end: channel/grave": "skipped",
                "told of the end: channel/robot": "skipped",
            }
            times = [each["ms"] for each in found["steps"][:3]]
            assert times == sorted(times)
            assert model.notified() == ["firing", "resolved"]
            assert [labels["drill"] for _, labels in model.said if labels["alertname"] == "FuseOpen"] == ["true"] * 2
            assert [each.json["data"]["drill"] for each in hook.received] == [True, True]
            assert await events_of(cluster, found["product_id"]) == ["fuse.opened", "fuse.probation"]

            # A robot that refuses says so with an answer of 200.
            done = await asyncio.to_thread(
                cluster.run, "drill", "--json", "--rule", "critical-complaints", "--hold", "0"
            )
            assert done.returncode == 1
            found = json.loads(done.stdout)
            assert [name for name, outcome in steps(found).items() if outcome == "missing"] == [
                "told: channel/robot",
                "told of the end: channel/robot",
            ]
            assert "rejected: the service has not taken it" in done.stdout
            assert steps(found)["told: channel/grave"] == "ok"

            pager.kill()
            done = await asyncio.to_thread(cluster.run, "drill", "--timeout", "8")
            assert done.returncode == 1
            lines = [line for line in done.stdout.splitlines() if "missing" in line]
            assert any(f"told: {alertmanager}" in line and "Does `livefuse pager` run" in line for line in lines)
            assert any("told: channel/hook" in line and "Does `livefuse pager` run" in line for line in lines)
            # The resumption itself is not to blame for the time that has run out.
            assert any(line.startswith("fuse resumed") and " ok: " in line for line in done.stdout.splitlines())
            product_id = done.stderr.split()[1].rstrip(":")
            assert await events_of(cluster, product_id) == ["fuse.opened", "fuse.probation"]

            page = tmp_path / "report.md"
            done = await asyncio.to_thread(cluster.run, "report", "--from", "1h", "--out", str(page))
            assert done.returncode == 0, done.stderr
            assert "exercises 3," in page.read_text()
            assert "Nobody has complained" not in page.read_text()
            done = await asyncio.to_thread(cluster.run, "report", "--from", "1h", "--json", "--product", product_id)
            told = json.loads(done.stdout)
            assert (told["incidents"], told["actions"], len(told["drills"])) == ([], [], 1)
            assert told["drills"][0]["ended_by"] == "operator:drill"
            assert told["drills"][0]["times"]["ended"]["by_kafka_time_ms"] > 0


async def refuse(_: Received) -> Any:
    return says(REFUSES)


async def test_on_a_terminal_steps_are_shown_while_others_are_waited_for(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    async with serving(AlertmanagerLike().behave) as service:
        with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_CONFIG=settings(tmp_path, service)) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            ours, theirs = pty.openpty()
            process = await asyncio.to_thread(
                subprocess.Popen,
                [*LIVEFUSE, "drill", "--timeout", "300"],
                cwd=PROJECT,
                env={**cluster.environment, "TERM": "xterm-256color", "COLUMNS": "120"},
                stdout=theirs,
                stderr=theirs,
            )
            os.close(theirs)
            shown = ""

            async def is_shown(text: str) -> None:
                nonlocal shown
                while text not in shown:
                    shown += (await asyncio.to_thread(os.read, ours, 65_536)).decode()

            async with asyncio.timeout(PATIENCE.total_seconds()):
                # No worker runs: the fuse does not open, and is waited for.
                await is_shown("ok: 51 records in")
                assert "missing" not in shown
                os.kill(process.pid, signal.SIGINT)
                await is_shown("it counts as soon as it is read")
            assert await asyncio.to_thread(process.wait, 60) == 130
            assert "missing" not in shown
            os.close(ours)


async def test_a_drill_that_is_interrupted_leaves_nothing_open(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    async with serving(AlertmanagerLike().behave) as service:
        with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_CONFIG=settings(tmp_path, service)) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            process = await asyncio.to_thread(
                subprocess.Popen,
                [*LIVEFUSE, "drill", "--timeout", "300"],
                cwd=PROJECT,
                env=cluster.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )

            async def are_sent() -> bool:
                return sum((await end_offsets(cluster.bootstrap, cluster.names.complaints)).values()) == 51

            await until(are_sent, "the complaints are in Kafka", within=PATIENCE)
            os.kill(process.pid, signal.SIGINT)
            _, said = await asyncio.to_thread(process.communicate, None, 60)
            assert process.returncode == 130
            assert "it counts as soon as it is read" in said
            product_id = said.split()[1].rstrip(":")
            assert await events_of(cluster, product_id) == []

            # Nobody was there to read it. The one who comes later opens the fuse, and resumes it in the same breath.
            cluster.start(intakes=1, workers=1)

            async def is_over() -> bool:
                return await events_of(cluster, product_id) == ["fuse.opened", "fuse.probation"]

            await until(is_over, "the fuse is resumed", within=PATIENCE)
