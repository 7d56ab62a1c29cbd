"""A soak: one intake and one worker under a steady load for half an hour, and whether memory or lag grow meanwhile.

States grow for an hour and some by right: so long repeats are recognised, and so long the windows are. Event time
cannot run faster than the clock, for Kafka takes no records from the future; so the sale began before
(`soak_feed.AGO`), what has happened already is worked off first, and the soak begins when the worker has caught up.
Its second half is judged: then Python's allocator has seen every kind of work.

Beside the sale's records goes a probe, one at a time: a command on a product that nobody sells, and how long it takes
to its event.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import Final, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer

from deploy.embedded import free_port
from deploy.tether import tethered
from schemas.times import from_ms
from schemas.topics import TopicNames
from tests.bench.backlog import NAMES, sentinel_products, sentinels
from tests.bench.disk import Log
from tests.bench.memory import states
from tests.bench.pipeline import Pipeline
from tests.bench.process import cpu_seconds, memory, written_bytes
from tests.bench.report import Figure, Result, tell
from tests.bench.samples import Sample, second_half, trend, verdict, write
from tests.bench.scrape import Scrape, scrape
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import LIVEFUSE, PROJECT, until

SAMPLES_FILE: Final = "soak.csv"

_EVERY_S: Final = 10.0
_PROBE_PAUSE_S: Final = 0.5
_LONGEST_PROBE: Final = timedelta(minutes=2)
_CATCHING_UP: Final = timedelta(hours=3)
_CAUGHT_UP_S: Final = 4.0
_MIB: Final = 2**20


class _Processes(NamedTuple):
    """The ids of all that runs, and the ports of the pages of metrics."""

    intake: int
    worker: int
    broker: int
    shop: int
    intake_port: int
    worker_port: int


class _Logs:
    """What has been appended to the topics of states and frames, in bytes."""

    def __init__(self, data: Path, names: TopicNames) -> None:
        self.state_bytes = 0
        self.frame_bytes = 0
        self._states = Log(data, names.state)
        self._frames = Log(data, names.signals)

    def look(self) -> None:
        """Look again; at least every ten seconds."""
        self.state_bytes += self._states.appended()
        self.frame_bytes += self._frames.appended()


class _State(NamedTuple):
    """Counters of a moment; two of them make a sample."""

    at_s: float
    cpu: tuple[float, ...]
    disk_bytes: int
    state_bytes: int
    frame_bytes: int
    records: float
    signals: float
    intake: Scrape
    worker: Scrape

    @classmethod
    async def now(cls, processes: _Processes, logs: _Logs) -> "_State":
        """Ask all processes, and look at the topics."""
        logs.look()
        intake = await asyncio.to_thread(scrape, processes.intake_port)
        worker = await asyncio.to_thread(scrape, processes.worker_port)
        return cls(
            time.monotonic(),
            tuple(cpu_seconds(pid) for pid in processes[:4]),
            written_bytes(processes.broker),
            logs.state_bytes,
            logs.frame_bytes,
            intake.total("livefuse_records_total"),
            worker.total("livefuse_signals_total"),
            intake,
            worker,
        )


async def measure(
    broker: KafkaBroker,
    directory: Path,
    orders_per_second: float,
    minutes: float,
    products: int,
    program: Sequence[str] = LIVEFUSE,
) -> Result:
    """Run for so many minutes after the worker has caught up. The samples go to a CSV file in `directory`."""
    ports = free_port(), free_port()
    settings = {"LIVEFUSE_INTAKE__WEB_PORT": str(ports[0]), "LIVEFUSE_WORKER__WEB_PORT": str(ports[1])}
    async with Pipeline.opened(broker.bootstrap, directory, "soak", program, further=settings) as pipeline:
        await pipeline.load(sentinels(int(time.time() * 1000) - 7_200_000))
        with _shop(pipeline, orders_per_second, products, directory / "live") as shop:
            tell(f"the shop writes what came before, with {orders_per_second:,.0f} orders/s")
            await _live(shop, directory / "live")
            tell("one intake and one worker start, and work it off")
            pipeline.start()
            await pipeline.applied(1)
            assert broker.pid is not None
            processes = _Processes(pipeline.intake.pid, pipeline.worker.pid, broker.pid, shop.pid, *ports)
            logs = _Logs(broker.directory / "data", pipeline.cluster.names)
            began = await _State.now(processes, logs)
            await _caught_up(processes, pipeline, logs)
            caught_up = await _State.now(processes, logs)
            tell(f"caught up after {caught_up.at_s - began.at_s:.0f} s; now {minutes:g} minutes of soak")
            samples = await _soak(pipeline, processes, logs, minutes, directory / SAMPLES_FILE)
            ended = await _State.now(processes, logs)
            if shop.poll() is not None:
                raise RuntimeError(f"the shop has ended by itself with {shop.returncode}")
        pipeline.drain()
        stored = await states(broker.bootstrap, pipeline.cluster.names.state)
    figures = (
        *_figures(samples, began, caught_up, ended),
        Figure("bytes of state a product", stored.size / stored.products, "bytes"),
    )
    return Result("soak", figures, verdict(samples))


@contextmanager
def _shop(
    pipeline: Pipeline, orders_per_second: float, products: int, live: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    plan = {
        "bootstrap": pipeline.cluster.bootstrap,
        "names": dict(zip(NAMES.inputs, pipeline.cluster.names.inputs, strict=True)),
        "orders_per_second": orders_per_second,
        "products": products,
        "live": str(live),
    }
    command = [sys.executable, "-m", "tests.bench.soak_feed", orjson.dumps(plan).decode()]
    shop = subprocess.Popen(tethered(command), cwd=PROJECT, stdin=subprocess.DEVNULL)
    try:
        yield shop
    finally:
        shop.kill()
        shop.wait()


async def _live(shop: "subprocess.Popen[bytes]", live: Path) -> None:
    """Wait until the shop has written all that is past.

    Not before may an intake read: it is faster than the shop, would take an empty topic for a quiet shop, and time for
    passed that is still to come.
    """

    async def is_so() -> bool:
        if shop.poll() is not None:
            raise RuntimeError(f"the shop has ended by itself with {shop.returncode}")
        return await asyncio.to_thread(live.exists)

    await until(is_so, "the shop is live", within=_CATCHING_UP)


async def _caught_up(processes: _Processes, pipeline: Pipeline, logs: _Logs) -> None:
    told_s = time.monotonic()

    async def is_so() -> bool:
        nonlocal told_s
        pipeline.cpu()
        logs.look()
        worker = await asyncio.to_thread(scrape, processes.worker_port)
        lag_s = worker.largest("livefuse_event_time_lag_seconds")
        if time.monotonic() - told_s > _EVERY_S:
            told_s = time.monotonic()
            tell(f"{lag_s:,.0f} s behind, {memory(processes.worker).now / _MIB:.0f} MiB")
        return lag_s < _CAUGHT_UP_S

    await until(is_so, "the worker catches up", within=_CATCHING_UP, between=timedelta(seconds=1))


async def _soak(pipeline: Pipeline, processes: _Processes, logs: _Logs, minutes: float, file: Path) -> list[Sample]:
    samples: list[Sample] = []
    latencies_ms: list[float] = []
    probing = asyncio.create_task(_probe(pipeline, latencies_ms))
    try:
        began_s = time.monotonic()
        before = await _State.now(processes, logs)
        while before.at_s - began_s < 60 * minutes:
            await asyncio.sleep(began_s + _EVERY_S * (len(samples) + 1) - time.monotonic())
            if probing.done():
                probing.result()
            pipeline.cpu()
            now = await _State.now(processes, logs)
            found, latencies_ms[:] = list(latencies_ms), []
            samples.append(_sample(processes, before, now, now.at_s - began_s, found))
            write(samples, file)
            before = now
    finally:
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
    return samples


async def _probe(pipeline: Pipeline, latencies_ms: list[float]) -> None:
    """Send a command, wait for its event, note how long that took, and so on."""
    products = sentinel_products(pipeline.partitions)
    producer = AIOKafkaProducer(bootstrap_servers=pipeline.cluster.bootstrap, acks="all")
    async with producer:
        for number in count(1):
            product_id = products[number % len(products)]
            # Each has had its sentinel's event before, which paused it.
            earlier = len(pipeline.listener.values[product_id])
            command = {
                "command_id": f"probe-{number}",
                "product_id": product_id,
                "action": "pause" if earlier % 2 == 0 else "release",
                "actor": "benchmark",
                "reason": "how long does this take?",
                "issued_at": from_ms(int(time.time() * 1000)),
            }
            began_s = time.monotonic()
            await producer.send(pipeline.cluster.names.commands, orjson.dumps(command), product_id.encode())
            arrived_s = await pipeline.listener.wait_for([product_id], earlier + 1, _LONGEST_PROBE)
            latencies_ms.append((arrived_s - began_s) * 1000)
            await asyncio.sleep(_PROBE_PAUSE_S)


def _sample(processes: _Processes, before: _State, now: _State, at_s: float, latencies_ms: Sequence[float]) -> Sample:
    took_s = now.at_s - before.at_s
    intake_cpu, worker_cpu, broker_cpu, shop_cpu = (
        (after - earlier) / took_s for earlier, after in zip(before.cpu, now.cpu, strict=True)
    )
    records_per_s = (now.records - before.records) / took_s
    lag = now.intake.total("livefuse_source_lag_records")
    return Sample(
        at_s=at_s,
        load=os.getloadavg()[0],
        intake_bytes=memory(processes.intake).now,
        worker_bytes=memory(processes.worker).now,
        broker_bytes=memory(processes.broker).now,
        intake_cpu=intake_cpu,
        worker_cpu=worker_cpu,
        broker_cpu=broker_cpu,
        shop_cpu=shop_cpu,
        records_per_s=records_per_s,
        signals_per_s=(now.signals - before.signals) / took_s,
        source_lag_records=lag,
        source_lag_s=lag / max(1.0, records_per_s),
        frames_behind=now.worker.total("livefuse_lane_behind_frames"),
        frame_lag_s=now.worker.largest("livefuse_log_lag_seconds"),
        probes=len(latencies_ms),
        latency_p50_ms=median(latencies_ms) if latencies_ms else 0.0,
        latency_max_ms=max(latencies_ms, default=0.0),
        products=now.worker.total("livefuse_products"),
        open_fuses=now.worker.total("livefuse_fuses_open"),
        disk_bytes_per_s=(now.disk_bytes - before.disk_bytes) / took_s,
        state_bytes_per_s=(now.state_bytes - before.state_bytes) / took_s,
        frame_bytes_per_s=(now.frame_bytes - before.frame_bytes) / took_s,
    )


def _figures(samples: Sequence[Sample], began: _State, caught_up: _State, ended: _State) -> tuple[Figure, ...]:
    half = second_half(samples)
    flat_out = caught_up.at_s - began.at_s

    def mean(field: str) -> float:
        return fmean(getattr(each, field) for each in samples)

    return (
        Figure("minutes", samples[-1].at_s / 60),
        Figure("records", mean("records_per_s"), "/s"),
        Figure("signals", mean("signals_per_s"), "/s"),
        Figure("records, while it caught up", (caught_up.records - began.records) / flat_out, "/s"),
        Figure("catching up took", flat_out, "s"),
        *(Figure(f"CPU, {role}", mean(f"{role}_cpu"), "s/s") for role in ("intake", "worker", "broker", "shop")),
        *(
            figure
            for role in ("intake", "worker")
            for figure in (
                Figure(f"memory of the {role}, at the beginning", getattr(samples[0], f"{role}_bytes") / _MIB, "MiB"),
                Figure(f"memory of the {role}, at half-time", getattr(half[0], f"{role}_bytes") / _MIB, "MiB"),
                Figure(f"memory of the {role}, at the end", getattr(samples[-1], f"{role}_bytes") / _MIB, "MiB"),
                Figure(f"its trend in the second half, {role}", trend(half, f"{role}_bytes") / _MIB, "MiB/h"),
            )
        ),
        Figure("products", samples[-1].products),
        Figure("lag of the intake, at most", max(each.source_lag_s for each in samples), "s"),
        Figure("its trend in the second half, intake's lag", trend(half, "source_lag_s"), "s/h"),
        Figure("lag of the worker, at most", max(each.frame_lag_s for each in samples), "s"),
        Figure("its trend in the second half, worker's lag", trend(half, "frame_lag_s"), "s/h"),
        Figure("probes", sum(each.probes for each in samples)),
        Figure("their latency, mean of the medians", mean("latency_p50_ms"), "ms"),
        Figure("their latency, at most", max(each.latency_max_ms for each in samples), "ms"),
        Figure("written to disk by the broker", mean("disk_bytes_per_s") / _MIB, "MiB/s"),
        Figure("appended to the topic of states", mean("state_bytes_per_s") / _MIB, "MiB/s"),
        Figure("states, for a signal", mean("state_bytes_per_s") / mean("signals_per_s"), "bytes"),
        Figure("frames, for a signal", mean("frame_bytes_per_s") / mean("signals_per_s"), "bytes"),
        Figure("records refused", ended.intake.total("livefuse_dead_letters_total")),
        Figure("flushes that failed", _failed(ended.worker)),
        Figure("frames that were gone", ended.worker.total("livefuse_gap_frames_total")),
        Figure("load of the machine, mean", mean("load")),
    )


def _failed(worker: Scrape) -> float:
    return sum(worker.total("livefuse_flushes_total", outcome=each) for each in ("failed", "fenced"))
