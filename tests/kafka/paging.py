"""All of the way of a page: Kafka, intake, worker, pager, Prometheus, two Alertmanagers, and who they notify."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import aiohttp
import yaml
from aiokafka import AIOKafkaProducer

from deploy.embedded import HOST, free_port
from deploy.simulator.catalogue import Sku
from deploy.simulator.messages import complaint
from deploy.tether import tethered
from schemas.commands import Command, encode_command
from schemas.rules import DEFAULT_RULES, RuleSet
from tests.debian import program
from tests.deploy.monitoring.receivers import Receivers
from tests.deploy.monitoring.test_configuration import PROMETHEUS
from tests.kafka.alertmanagers import PATIENCE, Alertmanagers
from tests.kafka.cluster import Cluster, Service, until

SURGE: Final = 51
"""So many complaints within the hour open a fuse."""

_ROLES: Final = ("intake", "worker", "pager")
_SEEN_EVERY_S: Final = 0.02


class Paging:
    """The processes of one test. `receivers` are the people."""

    intake: Service
    worker: Service
    pager: Service

    def __init__(
        self, cluster: Cluster, alertmanagers: Alertmanagers, receivers: Receivers, ports: dict[str, int]
    ) -> None:
        self.cluster = cluster
        self.alertmanagers = alertmanagers
        self.receivers = receivers
        self.ports = ports
        self._session = aiohttp.ClientSession()
        self._producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all", enable_idempotence=True)

    @classmethod
    @asynccontextmanager
    async def opened(cls, bootstrap: str, directory: Path, **settings: str) -> AsyncIterator[Self]:
        """Make topics, rules and receivers; nothing is started yet. In the end everything is ended."""
        ports = {role: free_port() for role in _ROLES}
        async with (
            Receivers.listening() as receivers,
            Alertmanagers.opened(directory, receivers.port) as alertmanagers,
        ):
            variables = {f"LIVEFUSE_{role.upper()}__WEB_PORT": str(port) for role, port in ports.items()}
            variables |= {"LIVEFUSE_PAGER__ALERTMANAGER__URLS": alertmanagers.urls, **settings}
            with Cluster(bootstrap, f"t{uuid4().hex[:10]}", directory / "livefuse", **variables) as cluster:
                await asyncio.to_thread(cluster.apply_topics)
                paging = cls(cluster, alertmanagers, receivers, ports)
                await paging._producer.start()
                try:
                    await paging._load_rules()
                    yield paging
                finally:
                    await paging._producer.stop()
                    await paging._session.close()

    async def start(self) -> None:
        """Start intake, worker and pager, and wait until they do their work."""
        self.intake, self.worker, self.pager = self.cluster.intake(), self.cluster.worker(), self.cluster.pager()
        await asyncio.gather(*map(self.ready, _ROLES))

    async def restart_pager(self) -> None:
        """Start a successor of the pager that was killed."""
        self.pager.start()
        await self.ready("pager")

    async def ready(self, role: str, status: int = 200, page: str = "readyz") -> None:
        """Wait until a process says that it does its work."""

        async def answers() -> bool:
            try:
                async with self._session.get(f"http://{HOST}:{self.ports[role]}/{page}") as answer:
                    return answer.status == status
            except aiohttp.ClientError:
                return False

        await until(answers, f"the {role} says {status} at {page}", within=PATIENCE, state=self.tails)

    async def surge(self, product_id: str) -> float:
        """Complain as often as it takes; return when Kafka had the last complaint (`time.monotonic`)."""
        now_ms, topic = _now_ms(), self.cluster.names.complaints
        sku = Sku(product_id, None, "home", "room-1")
        messages = [complaint(f"{product_id}-{number}", now_ms, sku, "quality") for number in range(SURGE)]
        sent = [await self._producer.send(topic, each.value, each.key) for each in messages[:-1]]
        await asyncio.gather(*sent)
        await self._producer.send_and_wait(topic, messages[-1].value, messages[-1].key)
        return time.monotonic()

    async def resume(self, product_id: str) -> None:
        """Have an operator let the product be sold again: probation, and soon after that closed."""
        command = Command(
            command_id=uuid4().hex,
            product_id=product_id,
            action="resume",
            actor="mei",
            reason="the supplier has been called",
            issued_at=_now_ms(),
        )
        await self._producer.send_and_wait(
            self.cluster.names.commands, encode_command(command), key=product_id.encode()
        )

    def told(self, product_id: str) -> list[str]:
        """Return what people were told of a product's fuse."""
        return [said["status"] for _, said in self._notices(product_id)]

    def paged_at(self, product_id: str) -> float:
        """Return when the first page of a product came (`time.monotonic`)."""
        return next(at for at, said in self._notices(product_id) if said["status"] == "firing")

    async def paged(self, product_id: str) -> None:
        """Wait for the page of a product."""
        await self.until(lambda: self.told(product_id), f"a page tells of {product_id}")

    async def resolved(self, product_id: str) -> None:
        """Wait until people were told that the fuse of a product is closed."""
        await self.until(lambda: "resolved" in self.told(product_id), f"the end of {product_id} is told")

    async def until(self, condition: Callable[[], object], what: str, within: timedelta = PATIENCE) -> None:
        """Wait for a condition."""

        async def holds() -> bool:
            return bool(condition())

        await until(holds, what, within=within, between=timedelta(seconds=_SEEN_EVERY_S), state=self.tails)

    @contextmanager
    def prometheus(self, directory: Path) -> Iterator[str]:
        """Run a Prometheus with our rules, which watches the processes and tells both Alertmanagers."""
        url = f"http://{HOST}:{free_port()}"
        directory.mkdir(parents=True)
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(self._prometheus()))
        command = [
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--rules.alert.resend-delay=1s",
        ]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(tethered(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield url
        finally:
            process.kill()
            process.wait()

    async def asked(self, prometheus: str, query: str, value: float) -> None:
        """Wait until Prometheus answers a query with one value."""
        found: list[Any] = []

        async def answers() -> bool:
            try:
                async with self._session.get(f"{prometheus}/api/v1/query", params={"query": query}) as answer:
                    found[:] = (await answer.json())["data"]["result"]
            except aiohttp.ClientError:
                return False
            return [float(each["value"][1]) for each in found] == [value]

        await until(answers, f"{query} is {value}", within=PATIENCE, state=lambda: str(found))

    def tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(service.tail(8) for service in self.cluster.services)

    def _notices(self, product_id: str) -> list[tuple[float, dict[str, Any]]]:
        return [
            (at, said)
            for at, receiver, said in self.receivers.told
            if receiver.startswith("fuse-") and said["groupLabels"].get("product_id") == product_id
        ]

    async def _load_rules(self) -> None:
        rules = tuple(rule.model_copy(update={"probation": timedelta(seconds=1)}) for rule in DEFAULT_RULES.rules)
        value = RuleSet(version=1, issued_at=_now_ms(), actor="test", rules=rules).model_dump_json().encode()
        await self._producer.send_and_wait(self.cluster.names.rules, value, b"rules", partition=0)

    def _prometheus(self) -> dict[str, Any]:
        read: dict[str, Any] = yaml.safe_load(PROMETHEUS.read_text())
        read["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        read["global"]["external_labels"]["application"] = self.cluster.prefix
        read["rule_files"] = [str((PROMETHEUS.parent / each).resolve()) for each in read["rule_files"]]
        both = [f"{HOST}:{each.web}" for each in self.alertmanagers.both]
        read["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": both}]}]
        targets = {f"livefuse-{role}": [f"{HOST}:{port}"] for role, port in self.ports.items()} | {"alertmanager": both}
        read["scrape_configs"] = [
            job | {"static_configs": [{"targets": targets[job["job_name"]]}]}
            for job in read["scrape_configs"]
            if job["job_name"] in targets
        ]
        return read


def _now_ms() -> int:
    return int(time.time() * 1000)
