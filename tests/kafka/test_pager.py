"""The pager as a process on a real Kafka, with receivers on this machine that behave like Alertmanagers.

Fuse events and fuse states are written here as a worker writes them: those of one step in one transaction.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Self

import pytest
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client import CollectorRegistry

from alerts.pager import alertmanager as alertmanager_module
from alerts.pager import pager as pager_module
from deploy.settings import Settings
from schemas.events import FuseEvent, FuseState
from schemas.topics import partition_of
from tests.alerts.pager.alertmanager_like import AlertmanagerLike
from tests.alerts.pager.examples import event
from tests.alerts.pager.service import Service, says, serving
from tests.alerts.pager.test_alerts import state_of
from tests.kafka.broker import KafkaBroker, come_back
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, until
from tests.kafka.reading import committed

pytestmark = pytest.mark.kafka

PATIENCE = timedelta(seconds=90)
GIVES_UP = timedelta(seconds=30)
"""A second on a machine that has nothing else to do; a request that waits for a broker that is away takes forty."""


class Worker:
    """Writes what a worker writes."""

    def __init__(self, cluster: Cluster) -> None:
        self._names = cluster.names
        self._producer = AIOKafkaProducer(
            bootstrap_servers=cluster.bootstrap, transactional_id=f"{cluster.prefix}-rig", acks="all"
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def write(self, what: FuseEvent, state: FuseState) -> None:
        """Write an event and the state after it."""
        key, partition = what.product_id.encode(), partition_of(what.product_id, SIGNALS_PARTITIONS)
        async with self._producer.transaction():
            for topic, value in ((self._names.fuse_events, what), (self._names.fuse_state, state)):
                await self._producer.send(topic, value.model_dump_json().encode(), key=key, partition=partition)

    async def open(self, product_id: str, **changes: Any) -> FuseEvent:
        """Open the fuse of a product, now."""
        opened = event(product_id=product_id, occurred_at=now_ms(), sequence=1, **changes)
        await self.write(opened, state_of(opened))
        return opened

    async def acknowledge(self, opened: FuseEvent, **changes: Any) -> None:
        """Acknowledge an open fuse."""
        update = {"type": "fuse.acknowledged", "sequence": 2, "from_": "open", "occurred_at": now_ms(), **changes}
        what = opened.model_copy(update=update)
        await self.write(what, state_of(what, state="open", since=opened.occurred_at, acknowledged_by="mei"))

    async def close(self, opened: FuseEvent) -> None:
        """Close an open fuse."""
        update = {"type": "fuse.closed", "sequence": 3, "from_": "open", "to": "closed", "occurred_at": now_ms()}
        what = opened.model_copy(update=update)
        await self.write(what, state_of(what))


def now_ms() -> int:

    return int(time.time() * 1000)


@asynccontextmanager
async def alertmanager() -> AsyncIterator[tuple[AlertmanagerLike, Service]]:
    model = AlertmanagerLike()
    async with serving(model.behave) as service:
        yield model, service


async def eventually(condition: Callable[[], object], what: str) -> None:
    async def holds() -> bool:
        return bool(condition())

    await until(holds, what, within=PATIENCE, between=timedelta(seconds=0.02))


async def kept(cluster: Cluster, channel: str) -> None:
    """Wait until it stands in Kafka that the channel has dealt with all fuse events."""
    topic = cluster.names.fuse_events
    ends = {
        TopicPartition(topic, each.partition): each.offset + 1 for each in await committed(cluster.bootstrap, topic)
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()

    async def stands() -> bool:
        found = await admin.list_consumer_group_offsets(f"{cluster.prefix}-pager-{channel}", partitions=list(ends))
        return all(found[each].offset >= end for each, end in ends.items())

    try:
        await until(stands, f"{channel} has dealt with everything", within=PATIENCE)
    finally:
        await admin.close()


async def status(url: str) -> int:
    async with ClientSession() as session, session.get(url) as response:
        return response.status


async def read(url: str) -> str:
    async with ClientSession() as session, session.get(url) as response:
        return await response.text()


def cluster_of(bootstrap: str, prefix: str, directory: Path, *urls: str, **settings: str) -> Cluster:
    return Cluster(bootstrap, prefix, directory, LIVEFUSE_PAGER__ALERTMANAGER__URLS=",".join(urls), **settings)


def fuse_posts(service: Service) -> list[dict[str, Any]]:
    """Return the alerts of fuses in all requests."""
    return [alert for each in service.received for alert in each.json if alert["labels"]["alertname"] == "FuseOpen"]


async def test_one_page_and_one_end_through_kills(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    async with alertmanager() as (model, service):
        with cluster_of(kafka.bootstrap, prefix, tmp_path, service.url) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            pager = cluster.pager()
            await eventually(lambda: model.firing("LivefuseWatchdog"), "the pager works")
            async with Worker(cluster) as worker:
                opened = await worker.open("p42")
                await eventually(lambda: model.notified() == ["firing"], "the page comes")
                (first,) = fuse_posts(service)

                pager.kill()
                # Meanwhile the product has moved to another room; the alert stays the one of the room that it was in.
                await worker.acknowledge(opened, room_id="another")
                pager.start()
                await eventually(lambda: len(fuse_posts(service)) > 1, "the successor says it again")
                again = fuse_posts(service)[-1]
                assert json.dumps(again["labels"]) == json.dumps(first["labels"])
                assert again["startsAt"] == first["startsAt"]
                assert again["annotations"] == first["annotations"]
                assert model.notified() == ["firing"]

                pager.kill()
                await worker.close(opened)
                assert model.notified() == ["firing"]
                pager.start()
                await eventually(lambda: model.notified() == ["firing", "resolved"], "the end comes")
                assert fuse_posts(service)[-1]["labels"] == first["labels"]
            assert pager.drain(GIVES_UP) == 0


async def test_a_page_comes_fast_and_although_another_alertmanager_is_down(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    async with alertmanager() as (model, service), alertmanager() as (_, hanging):
        hanging.behave = hanging.hang
        urls = ("http://127.0.0.1:1", hanging.url, service.url)
        with cluster_of(kafka.bootstrap, prefix, tmp_path, *urls) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            pager = cluster.pager()
            await eventually(lambda: model.firing("LivefuseWatchdog"), "the pager works")
            async with Worker(cluster) as worker:
                delays: list[float] = []
                for number in range(20):
                    began = asyncio.get_running_loop().time()
                    await worker.open(f"p{number}")
                    await eventually(lambda: len(model.notified()) == len(delays) + 1, "the page comes")
                    delays.append(asyncio.get_running_loop().time() - began)
            # With the write itself, 0.05 s in a quiet machine. The one that hangs would hold a page up for seconds.
            assert median(delays) < 1.0
            assert len(model.firing()) == 20
            assert pager.drain(GIVES_UP) == 0


async def test_a_channel_hears_each_event_once_through_kills(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    async with serving(lambda _: says({})) as receiver, serving(lambda _: says({})) as slow:
        slow.behave = slow.hang
        settings = tmp_path / "livefuse.toml"
        settings.write_text(
            f'[[pager.channel]]\nname = "mine"\nkind = "webhook"\nurl = "{receiver.url}/"\n'
            f'[[pager.channel]]\nname = "late"\nkind = "webhook"\nurl = "{slow.url}/"\n'
            f'[[pager.channel]]\nname = "boss"\nkind = "webhook"\nurl = "{receiver.url}/boss"\nafter = "8s"\n'
        )

        def heard(path: str = "/") -> list[tuple[str, str]]:
            return [
                (each.json["subject"], each.json["data"]["kind"]) for each in receiver.received if each.path == path
            ]

        with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_CONFIG=str(settings)) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            async with Worker(cluster) as worker:
                await worker.open("before")
                pager = cluster.pager()
                await eventually(lambda: pager.said.count("channel.reading") == 3, "the channels read")
                waits = await worker.open("waits")
                answered = await worker.open("answered")
                await worker.acknowledge(answered)
                await eventually(lambda: len(heard()) == 3, "three notices come")
                await eventually(lambda: slow.received, "the other channel hangs")
                # What a channel accepts in the instant before a crash it may hear again.
                await kept(cluster, "mine")
                pager.kill()
                await worker.open("meanwhile")
                pager.start()
                await eventually(lambda: ("meanwhile", "opened") in heard(), "what happened meanwhile comes")
                await eventually(lambda: ("meanwhile", "unacknowledged") in heard("/boss"), "the boss is called")
                await worker.close(waits)
                await eventually(lambda: ("waits", "closed") in heard("/boss"), "the boss hears the end")
                await worker.close(answered)
                await eventually(lambda: ("answered", "closed") in heard(), "the last end comes")
                assert sorted(heard()) == [
                    ("answered", "acknowledged"),
                    ("answered", "closed"),
                    ("answered", "opened"),
                    ("meanwhile", "opened"),
                    ("waits", "closed"),
                    ("waits", "opened"),
                ]
                assert sorted(heard("/boss")) == [
                    ("meanwhile", "unacknowledged"),
                    ("waits", "closed"),
                    ("waits", "unacknowledged"),
                ]
                # It has answered nothing, so it was told one thing at a time: nobody else waited for it.
                assert len(slow.received) < len(heard())
            assert pager.drain(GIVES_UP) == 0


async def test_a_broker_that_goes_away_silences_the_watchdog_and_pages_go_on_when_it_is_back(
    mortal_kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    broker = mortal_kafka
    async with alertmanager() as (model, service):
        with cluster_of(
            broker.bootstrap, prefix, tmp_path / "cluster", service.url, LIVEFUSE_PAGER__WEB_PORT="0"
        ) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            pager = cluster.pager()
            await eventually(lambda: model.firing("LivefuseWatchdog"), "the pager works")
            web = f"http://127.0.0.1:{re.findall('event=web.serving port=([0-9]+)', pager.said)[0]}"
            assert await status(f"{web}/readyz") == await status(f"{web}/healthz") == 200
            await asyncio.to_thread(broker.kill)
            await pager.says("broker.unavailable", PATIENCE)
            assert await status(f"{web}/healthz") == 503
            await come_back(broker)
            await pager.says("broker.back", PATIENCE)
            assert await status(f"{web}/healthz") == 200
            async with Worker(cluster) as worker:
                await worker.open("p42")
                await eventually(lambda: model.notified() == ["firing"], "the page comes")
            metrics = await read(f"{web}/metrics")
            assert 'livefuse_open_fuses{rule="complaint-surge",severity="warning",shadow="false"} 1.0' in metrics
            assert "livefuse_page_delay_seconds_count 1.0" in metrics
            assert 'role="pager"' in metrics
            await asyncio.to_thread(broker.kill)
            assert await asyncio.to_thread(pager.drain, GIVES_UP) == 0
            assert pager.said.count("broker.unavailable") == 1


async def test_what_hangs_does_not_hold_up_its_end(
    kafka: KafkaBroker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that it would never end.
    monkeypatch.setattr(alertmanager_module, "REQUEST_S", 3_600.0)
    async with alertmanager() as (_, hanging):
        hanging.behave = hanging.hang
        with cluster_of(kafka.bootstrap, prefix, tmp_path, hanging.url) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            config, stop = Settings.load(None, cluster.environment).pager_config(), asyncio.Event()
            working = asyncio.create_task(pager_module.run(config, stop, CollectorRegistry(), at_once, unseen))
            await eventually(lambda: hanging.received, "the Alertmanager hangs")
            stop.set()
            await asyncio.wait_for(working, PATIENCE.total_seconds())


async def at_once() -> None:
    """Wait for nothing."""


def unseen(_: int | None, __: object) -> AbstractAsyncContextManager[None]:
    """Serve no metrics."""
    return nullcontext()


async def test_a_pager_without_its_topics_says_what_to_do(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    with cluster_of(kafka.bootstrap, prefix, tmp_path, "http://127.0.0.1:1") as cluster:
        done = await asyncio.to_thread(cluster.run, "pager")
        assert done.returncode == 2
        assert "livefuse topics apply" in done.stderr


async def test_a_channel_for_a_rule_that_nobody_has_is_warned_of(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    async with serving(lambda _: says({})) as hook:
        file = tmp_path / "livefuse.toml"
        channel = f'name = "night"\nkind = "webhook"\nurl = "{hook.url}"\nrules = ["oversel", "oversell"]'
        file.write_text(f"[[pager.channel]]\n{channel}\n")
        told = "channel night is for oversel, which is no rule in force. In force: complaint-surge, critical-complaints"
        with Cluster(kafka.bootstrap, prefix, tmp_path, LIVEFUSE_CONFIG=str(file)) as cluster:
            await asyncio.to_thread(cluster.apply_topics)
            pager = cluster.pager()
            await pager.says(f'event=route.doubtful message="{told}', PATIENCE)
            done = await asyncio.to_thread(cluster.run, "pager", "--check", "--json")
    assert done.returncode == 0, done.stderr
    assert [each["problem"] for each in json.loads(done.stdout)] == [None]
    assert f"warning: {told}" in done.stderr
