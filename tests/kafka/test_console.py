"""The console on a real Kafka: what real intakes and workers write, and what a page then shows."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from alerts.console import server
from alerts.console.config import ConsoleConfig
from alerts.console.server import Console
from deploy.embedded import free_port
from schemas.commands import Action, Command, encode_command
from schemas.times import from_ms
from tests.alerts.console.open_doors import OpenDoors
from tests.alerts.console.reader import reading
from tests.kafka.broker import KafkaBroker, come_back
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, until

pytestmark = pytest.mark.kafka

PATIENCE = timedelta(seconds=60)


class Nothing:
    """A pipeline that tells nothing."""

    async def look(self) -> Mapping[str, Any]:
        return {"intakes": 1, "workers": 1, "intake_lag": 0, "worker_lag": 0, "behind_s": 0.0, "inputs": ()}


class Shop:
    """Writes what a shop and its operators write."""

    def __init__(self, cluster: Cluster, producer: AIOKafkaProducer) -> None:
        self._names = cluster.names
        self._producer = producer

    async def sell_out(self, product_id: str) -> None:
        """Make the over-sell fuse of a product open."""
        now = from_ms(_now_ms())
        level = {"product_id": product_id, "on_hand": 3, "occurred_at": now, "room_id": "r1"}
        await self._send(self._names.stock_levels, product_id, level)
        lines = [{"product_id": product_id, "quantity": 3}]
        order = {"order_id": uuid4().hex, "occurred_at": now, "room_id": "r1", "lines": lines}
        await self._send(self._names.orders, product_id, order)

    async def complain(self, product_id: str, times: int) -> None:
        """Complain so many times."""
        now = from_ms(_now_ms())
        for number in range(times):
            value = {"complaint_id": f"{product_id}-{number}", "product_id": product_id, "occurred_at": now}
            await self._send(self._names.complaints, product_id, value)

    async def order(self, product_id: str, action: Action, **more: Any) -> str:
        """Give an order; return its id."""
        command_id = uuid4().hex
        command = Command(
            command_id=command_id, product_id=product_id, action=action, actor="mei", reason="a test",
            issued_at=_now_ms(), **more,
        )  # fmt: skip
        await self._producer.send_and_wait(self._names.commands, encode_command(command), key=product_id.encode())
        return command_id

    async def _send(self, topic: str, key: str, value: Mapping[str, Any]) -> None:
        await self._producer.send_and_wait(topic, json.dumps(value).encode(), key=key.encode())


def _now_ms() -> int:
    return int(time.time() * 1000)


@asynccontextmanager
async def show(
    bootstrap: str, prefix: str, directory: Path
) -> AsyncIterator[tuple[Cluster, Shop, aiohttp.ClientSession]]:
    """Run an intake and a worker, with a shop and its pages."""
    with Cluster(bootstrap, prefix, directory) as cluster:
        await asyncio.to_thread(cluster.apply_topics)
        cluster.start(intakes=1, workers=1)
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        await producer.start()
        try:
            async with asyncio.timeout(PATIENCE.total_seconds() * 3), aiohttp.ClientSession() as session:
                yield cluster, Shop(cluster, producer), session
        finally:
            await producer.stop()


@asynccontextmanager
async def console_on(cluster: Cluster, port: int | None = None) -> AsyncIterator[tuple[Console, str]]:
    """Run a console in this process; yield it and its address as soon as it serves."""
    port = port or free_port()
    made: list[Console] = []
    stop = asyncio.Event()

    @asynccontextmanager
    async def serving(_: int | None, console: Console) -> AsyncIterator[None]:
        made.append(console)
        yield

    async def prepare() -> None:
        pass

    config = ConsoleConfig(
        client={"bootstrap_servers": cluster.bootstrap},
        topics=cluster.names,
        partitions=SIGNALS_PARTITIONS,
        application=cluster.prefix,
        port=port,
    )
    task = asyncio.create_task(server.run(config, stop, CollectorRegistry(), prepare, serving, Nothing(), OpenDoors))
    try:
        await until(_is_served(port, task), "the console is served", within=PATIENCE)
        yield made[0], f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await task


def _is_served(port: int, task: asyncio.Task[None]) -> Any:
    async def is_served() -> bool:
        if task.done():
            task.result()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return is_served


async def ready(console: Console) -> None:
    async def is_ready() -> bool:
        return console.ready() is None

    await until(is_ready, "the console is ready", within=PATIENCE)


async def test_a_page_shows_what_workers_write(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> None:
    async with show(kafka.bootstrap, prefix, tmp_path) as (cluster, shop, session):
        await shop.sell_out("before")
        async with console_on(cluster) as (console, url):
            await ready(console)
            async with reading(session, url) as page:
                await page.until(lambda: "before" in page.products)
                assert page.messages[0][0] == "snapshot"
                await shop.sell_out("p/42?%☕")
                await page.until(lambda: page.products.get("p/42?%☕", {}).get("sure"))
                shown = page.products["p/42?%☕"]
                assert shown["paused"] == {"product": True, "skus": []}
                assert shown["fuses"][0]["kind"] == "oversell"
                assert shown["fuses"][0]["room_id"] == "r1"
                assert page.sequences("p/42?%☕") == [1]
                await shop.complain("near", 40)
                await page.until(lambda: "near" in {each["product_id"] for each in page.watchlist})
                await shop.order("mug", "pause")
                await page.until(lambda: "mug" in page.products)
                last_id = page.last_id
            async with reading(session, url, last_id) as page:
                await shop.order("mug", "release")
                await page.until(lambda: page.sequences("mug") == [2])
                # It resumes: no snapshot, and only what it had not.
                assert all(event == "delta" for event, _, _ in page.messages)
            async with reading(session, url) as page:
                await page.until(lambda: "before" in page.products)
                assert "mug" not in page.products
            async with session.get(f"{url}/api/v1/product/history", params={"id": "mug"}) as answer:
                history = await answer.json()
            assert [each["type"] for each in history["events"]] == ["override.set", "override.cleared"]
            assert history["complete"] is True


async def test_a_restart_of_the_console_in_mid_show_loses_nothing(
    kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    async with show(kafka.bootstrap, prefix, tmp_path) as (cluster, shop, session):
        await shop.sell_out("p42")
        port = free_port()
        async with AsyncExitStack() as stack:
            async with console_on(cluster, port) as (console, url):
                await ready(console)
                page = await stack.enter_async_context(reading(session, url))
                await page.until(lambda: page.products.get("p42", {}).get("sure"))
                last_id = page.last_id
                first = page.products["p42"]
            with pytest.raises((EOFError, aiohttp.ClientError)):
                await page.until(lambda: False)
        await shop.order("p42", "acknowledge")
        async with console_on(cluster, port) as (console, url):
            await ready(console)
            async with reading(session, url, last_id) as page:
                await page.until(lambda: page.products.get("p42", {}).get("sequence") == 2)
                assert page.messages[0][0] == "snapshot"
                shown = page.products["p42"]
                assert shown["paused"]["product"]
                assert shown["last"]["type"] == "fuse.acknowledged"
                (fuse,) = shown["fuses"]
                assert fuse["acknowledged_by"] == "mei"
                assert fuse["opened_at"] == first["fuses"][0]["opened_at"]
                assert page.sequences("p42") == [1, 2]
                assert (console.board.gaps, console.board.repeats) == (0, 0)


async def test_a_broker_that_restarts_in_mid_show_is_said_and_nothing_is_lost(
    mortal_kafka: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    broker = mortal_kafka
    async with (
        show(broker.bootstrap, prefix, tmp_path / "cluster") as (cluster, shop, session),
        console_on(cluster) as (console, url),
    ):
        await ready(console)
        async with reading(session, url) as page:
            await shop.sell_out("p42")
            await page.until(lambda: page.products.get("p42", {}).get("sure"))
            await asyncio.to_thread(broker.kill)
            await page.until(lambda: "broker_away" in _problems(page.health))
            # What is not known any more stays as it was: paused.
            assert page.products["p42"]["paused"]["product"]
            async with session.get(f"{url}/api/v1/product/history", params={"id": "p42"}) as answer:
                assert (answer.status, (await answer.json())["error"]) == (503, "broker_away")
            await come_back(broker)
            await page.until(lambda: "broker_away" not in _problems(page.health))
            await shop.order("p42", "acknowledge")
            await page.until(lambda: page.products["p42"]["sequence"] == 2)
            assert page.sequences("p42") == [1, 2]
            assert sum(event == "snapshot" for event, _, _ in page.messages) == 1


def _problems(health: Mapping[str, Any]) -> set[str]:
    return {each["code"] for each in health.get("problems", ())}
