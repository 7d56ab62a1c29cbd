"""Comparators: other programs with a simpler job, measured like livefuse, so that a figure says something elsewhere.

    faust   one agent with tables, as Faust's documentation has it   how slow the framework is by itself
    plain   a loop around aiokafka with dicts                        how fast this machine is at best

Both read one topic that is merged already and apply three simplified rules. As with livefuse the backlog waits in
Kafka, and the CPU time of a start with nothing to do is told apart.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple
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
from tests.bench.simple_rules import SENTINEL
from tests.kafka.cluster import PROJECT

_PATIENCE: Final = timedelta(minutes=5)
_INPUT: Final = "input"
_STEP_S: Final = 1.0


class Comparator(NamedTuple):
    """A program: its name, its command line, and topics of its own beside input and events."""

    name: str
    command: tuple[str, ...]
    topics: tuple[str, ...] = ()


FAUST: Final = Comparator(
    "faust",
    ("tests.bench.faust_app", "worker", "--loglevel", "warn"),
    # Faust creates them itself, but does not wait until it knows how many partitions they have, and then its agent
    # fails at the first record.
    tuple(f"{table}-changelog" for table in ("ordered", "returned", "complained", "stock", "tripped")),
)
PLAIN: Final = Comparator("plain", ("tests.bench.plain_app",))


class _Outcome(NamedTuple):
    cpu_s: float
    took_s: float
    events: int


async def measure(bootstrap: str, directory: Path, comparator: Comparator, size: int) -> Result:
    """Measure with a backlog of `size` records."""
    idle = await _run(bootstrap, directory, comparator, 0)
    busy = await _run(bootstrap, directory, comparator, size)
    return Result(
        comparator.name,
        (
            Figure("records per CPU second", size / busy.cpu_s),
            Figure("records per CPU second, start-up apart", size / (busy.cpu_s - idle.cpu_s)),
            Figure("records", size),
            Figure("CPU", busy.cpu_s, "s"),
            Figure("CPU of the start-up", idle.cpu_s, "s"),
            Figure("from the start to the last event", busy.took_s, "s"),
            Figure("products that trip", busy.events - len(sentinel_products())),
        ),
    )


async def _run(bootstrap: str, directory: Path, comparator: Comparator, size: int) -> _Outcome:
    """Return what the program uses from its start until a backlog is applied."""
    application = f"{comparator.name}-{uuid4().hex[:6]}"
    data = directory / application
    topics = (_INPUT, "events", *comparator.topics)
    await _create(bootstrap, [f"{application}-{topic}" for topic in topics])
    tell(f"{comparator.name} gets {size:,} records")
    await feed(_merged(size), {"bootstrap_servers": bootstrap}, names={_INPUT: f"{application}-input"})
    async with listening(bootstrap, f"{application}-events", PARTITIONS) as listener:
        began_s = time.monotonic()
        with _running(bootstrap, comparator, application, data) as program:
            waiting = asyncio.create_task(listener.wait_for(sentinel_products(), 1, _PATIENCE))
            try:
                while not (await asyncio.wait([waiting], timeout=_STEP_S))[0]:
                    if program.poll() is not None:
                        raise RuntimeError(f"{comparator.name} has ended by itself: {_tail(data)}")
                last_s = await waiting
            finally:
                waiting.cancel()
            return _Outcome(cpu_seconds(program.pid), last_s - began_s, listener.count)


@contextmanager
def _running(
    bootstrap: str, comparator: Comparator, application: str, data: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the program."""
    data.mkdir(parents=True)
    environment = {
        **os.environ,
        "BENCH_APPLICATION": application,
        "BENCH_BROKER": bootstrap,
        "BENCH_DATA": str(data),
    }
    with (data / "program.log").open("wb") as log:
        program = subprocess.Popen(
            tethered([sys.executable, "-m", *comparator.command]),
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield program
    finally:
        # Nothing that it could still write is looked at.
        program.kill()
        program.wait()


def _tail(data: Path) -> str:
    return "\n".join((data / "program.log").read_text(errors="replace").splitlines()[-30:])


async def _create(bootstrap: str, names: list[str]) -> None:
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
        yield _keyed({"kind": SENTINEL, "time_ms": start_ms, "product_id": product_id}, start_ms)


def _keyed(fact: dict[str, str | int], ts_ms: int) -> CaptureRecord:
    product_id = str(fact["product_id"])
    partition = partition_of(product_id, PARTITIONS)
    return CaptureRecord(_INPUT, partition, 0, ts_ms, product_id.encode(), orjson.dumps(fact))
