"""Three brokers with locked doors, and everything that happens to them: none of it may change one event.

    every 10 s   a worker and an intake are killed and started again
    meanwhile    broker 1 is killed and started again; then broker 2; then all three are restarted, one after the other
                 workers are added and removed: 3, 5, 2, 4 ...
                 the shop goes on sending: records are acknowledged before all that, during each part of it, and after

Replication 3, min.insync.replicas 2, acks=all. Intakes and workers log in with exactly their generated rights. What the
test itself sends and reads goes over a listener of its own.

`LIVEFUSE_CHAOS_SECONDS=60` makes it short; `LIVEFUSE_CHAOS_OUT=FILE` takes how long partitions waited, as JSON.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom
from typing import NamedTuple

import orjson
import pytest

from schemas.rights import Role, rights
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster
from tests.kafka.dense import DenseSale
from tests.kafka.golden import compare, replay
from tests.kafka.piecemeal import PIECEMEAL
from tests.kafka.quotas import SHORT_WINDOWS, pace
from tests.kafka.reading import replicated
from tests.kafka.rounds import Rounds
from tests.kafka.secured import SAFE, locked_brokers
from tests.kafka.shop import Shop
from tests.kafka.takeovers import Takeover, percentile, watched

pytestmark = [pytest.mark.kafka, pytest.mark.faults_long, pytest.mark.timeout(3000)]

PREFIX = "chaos"
ROLES: tuple[Role, ...] = ("intake", "worker")
CHAOS_S = int(os.environ.get("LIVEFUSE_CHAOS_SECONDS", "300"))
SALE_S = 6 * CHAOS_S
"""Of event time: much more than is read while all that goes on."""

DOWN_S = 6.0

PACE = 60_000.0
"""Bytes a second that each broker lets all intakes together read.

Much less is too little: the broker fills an answer from the first partition that is asked for, and a source of which
nothing is told for 30 s, while others are, holds these up no more.
"""


async def test_brokers_that_come_and_go_while_processes_are_killed_every_ten_seconds_change_no_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("LIVEFUSE_FAULTS_SEED") or SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        sys.stdout.write(f"\nLIVEFUSE_FAULTS_SEED={seed}\n")
    start_ms = int(time.time() * 1000) - (SALE_S + 3_600) * 1000
    records = DenseSale(seed=seed, start_ms=start_ms, seconds=SALE_S, per_second=120, products=200).capture()
    passwords = {f"{PREFIX}-{role}": f"of {role}" for role in ROLES}
    with locked_brokers(tmp_path / "kafka", 3, passwords, SAFE | SHORT_WINDOWS, harness=True) as kafka:
        # Small frames, so that there are many, and faults strike between them. With the smallest an intake that has
        # ten seconds to live would not live to see all acknowledged that it has read, and commit nothing.
        settings = {"LIVEFUSE_INTAKE__FRAME_SIGNALS": "20"}
        with Cluster(kafka.harness, PREFIX, tmp_path / "processes", program=PIECEMEAL, **settings) as cluster:
            cluster.logins = {role: kafka.environment(f"{PREFIX}-{role}", tmp_path) for role in ROLES}
            await asyncio.to_thread(cluster.apply_topics)
            held = rights(cluster.names, SIGNALS_PARTITIONS, PREFIX)
            await kafka.grant({f"{PREFIX}-{role}": held[role] for role in ROLES})
            # Else the intakes would have read in seconds all that the shop has sent.
            await pace(kafka.harness, f"{PREFIX}-intake", PACE)
            shop = Shop(cluster, records, timedelta(seconds=min(180, SALE_S / 4)))
            await shop.open()
            cluster.start(intakes=2, workers=3)
            async with watched(kafka.harness, cluster.names.state) as decisions:
                enough, parts = asyncio.Event(), Parts(shop)
                rounds = Rounds(cluster, Random(seed), decisions, rounds=CHAOS_S // 10)
                async with asyncio.TaskGroup() as tasks:
                    selling = tasks.create_task(shop.run(enough))
                    async with asyncio.TaskGroup() as chaos:
                        chaos.create_task(come_and_go(kafka.brokers, kafka.harness, parts, shop.more))
                        chaos.create_task(rounds.run())
                    enough.set()
                sent = selling.result()
                parts.over("all brokers are there")
                await pace(kafka.harness, f"{PREFIX}-intake", None)
                await decisions.all_decided(timedelta(seconds=90))
                takeovers = decisions.takeovers()
            expected = await asyncio.to_thread(replay, sent, tmp_path)
            events = await compare(cluster, expected, within=timedelta(minutes=10))
    with capsys.disabled():
        sys.stdout.write(
            f"{len(sent):,} records, {events:,} fuse events, all as in replay, after {CHAOS_S} s with "
            f"{dict(rounds.done)}\n" + "".join(f"{each}\n" for each in parts.past) + told(takeovers) + "\n"
        )
    # Else nothing was shown about what is sent while brokers come and go.
    assert all(each.acknowledged for each in parts.past if each.absent), parts.past


class Part(NamedTuple):
    """A part of the run: what happened to brokers, from when on, and how many records of the shop were acknowledged."""

    what: str
    from_s: float
    acknowledged: int
    absent: bool

    def __str__(self) -> str:
        return f"{self.what}, from {self.from_s:.0f} s on: {self.acknowledged:,} records acknowledged"


class Parts:
    """The parts of a run, one after the other; the first is the head start of the shop."""

    def __init__(self, shop: Shop) -> None:
        self.past = [Part("the head start", 0, shop.sent, absent=False)]
        self._shop = shop
        self._began_s = self._from_s = time.monotonic()

    def over(self, what: str, *, absent: bool = False) -> None:
        """Note that a part is over; in an `absent` one a broker was away."""
        acknowledged = self._shop.sent - sum(each.acknowledged for each in self.past)
        self.past.append(Part(what, self._from_s - self._began_s, acknowledged, absent))
        self._from_s = time.monotonic()


async def come_and_go(brokers: Sequence[KafkaBroker], bootstrap: str, parts: Parts, more: asyncio.Event) -> None:
    """Kill one and start it again, then another, then restart all in order; each time all must catch up.

    Meanwhile the shop is told to send `more`, for it waits for intakes, which are being killed, too.
    """
    first, second, _ = brokers
    for name, broker in (("1", first), ("2", second)):
        await asyncio.sleep(CHAOS_S / 10)
        parts.over("all brokers are there")
        await asyncio.to_thread(broker.kill)
        more.set()
        await asyncio.sleep(DOWN_S)
        await asyncio.to_thread(broker.start)
        # A second one away before the first has caught up would be one too many.
        await replicated(bootstrap)
        parts.over(f"broker {name} killed and started again", absent=True)
    for broker in brokers:
        more.set()
        await asyncio.to_thread(broker.restart)
        await replicated(bootstrap)
    parts.over("all three restarted, one after the other", absent=True)


def told(takeovers: Sequence[Takeover]) -> str:
    """Say how long the partitions waited whose worker was killed, and write it to a file if that is wanted."""
    figures = {
        name: {"count": len(waits), "p50": percentile(waits, 0.5), "p90": percentile(waits, 0.9), "max": max(waits)}
        for name, waits in (
            ("all", [each.seconds for each in takeovers]),
            ("not killed again meanwhile", [each.seconds for each in takeovers if not each.again]),
        )
        if waits
    }
    if out := os.environ.get("LIVEFUSE_CHAOS_OUT"):
        document = {"figures": figures, "takeovers": [each._asdict() for each in takeovers]}
        Path(out).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return "\n".join(
        f"kill to first decision of a partition, {name}: {found['count']}, p50 {found['p50']:.2f} s, "
        f"p90 {found['p90']:.2f} s, longest {found['max']:.2f} s"
        for name, found in figures.items()
    )
