"""Faust, used as its documentation has it, measured like livefuse: records a CPU second."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.feed import feed
from deploy.tether import tethered
from schemas.times import to_ms
from schemas.topics import partition_of
from tests.bench.backlog import NAMES, PARTITIONS, backlog, sentinel_products
from tests.bench.listener import listening
from tests.bench.process import cpu_seconds
from tests.bench.report import Figure, Result, tell
from tests.kafka.cluster import PROJECT

_PATIENCE: Final = timedelta(minutes=30)
_INPUT: Final = "input"


async def measure(bootstrap: str, directory: Path, size: int) -> Result:
    """Measure with a backlog of `size` records."""
    idle_s = await _run(bootstrap, directory, 0)
    busy_s = await _run(bootstrap, directory, size)
    return Result(
        "faust",
        (
            Figure("records per CPU second", size / busy_s),
            Figure("records per CPU second, start-up apart", size / (busy_s - idle_s)),
            Figure("records", size),
            Figure("CPU", busy_s, "s"),
            Figure("CPU of the start-up", idle_s, "s"),
        ),
    )


async def _run(bootstrap: str, directory: Path, size: int) -> float:
    """Return the CPU seconds of a Faust worker from its start until a backlog is applied."""
    application = f"faust-{uuid4().hex[:6]}"
    data = directory / application
    await _create(bootstrap, f"{application}-input", f"{application}-events")
    tell(f"a Faust worker gets {size:,} records")
    await feed(_merged(size), {"bootstrap_servers": bootstrap}, names={_INPUT: f"{application}-input"})
    async with listening(bootstrap, f"{application}-events", PARTITIONS) as listener:
        with _worker(bootstrap, application, data) as pid:
            await listener.wait_for(sentinel_products(), 1, _PATIENCE)
            return cpu_seconds(pid)


@contextmanager
def _worker(bootstrap: str, application: str, data: Path) -> Iterator[int]:
    """Run a Faust worker and yield its process id."""
    data.mkdir(parents=True)
    environment = {
        **os.environ,
        "BENCH_FAUST_APPLICATION": application,
        "BENCH_FAUST_BROKER": bootstrap,
        "BENCH_FAUST_DATA": str(data),
    }
    with (data / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            tethered([sys.executable, "-m", "tests.bench.faust_app", "worker", "--loglevel", "warn"]),
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield worker.pid
    finally:
        worker.terminate()
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


async def _create(bootstrap: str, *names: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
    finally:
        await admin.close()


def _merged(size: int) -> Iterator[CaptureRecord]:
    """Yield the backlog as one topic with one product a record, and a sentinel for each partition at its end."""
    start_ms = int(time.time() * 1000) - 24 * 3_600_000
    if size:
        for record in backlog(size, start_ms):
            value = orjson.loads(record.value)
            line = value["lines"][0] if record.topic == NAMES.orders else value
            fact = {
                "kind": record.topic,
                "time_ms": to_ms(value["occurred_at"]),
                "product_id": line["product_id"],
                "quantity": line.get("quantity", 0),
                "on_hand": line.get("on_hand", 0),
            }
            yield _keyed(fact, record.ts)
    for product_id in sentinel_products():
        yield _keyed({"kind": "sentinel", "time_ms": start_ms, "product_id": product_id}, start_ms)


def _keyed(fact: dict[str, str | int], ts_ms: int) -> CaptureRecord:
    product_id = str(fact["product_id"])
    partition = partition_of(product_id, PARTITIONS)
    return CaptureRecord(_INPUT, partition, 0, ts_ms, product_id.encode(), orjson.dumps(fact))
