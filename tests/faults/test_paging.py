"""Paging through long faults (`make faults`): a pager that is killed again and again, a broker that stays away.

`LIVEFUSE_FAULTS_SEED=7 make faults` repeats the plan of kills.
"""

import asyncio
import logging
import os
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.paging import Paging

pytestmark = [pytest.mark.kafka, pytest.mark.faults_long, pytest.mark.timeout(1200)]

ONCE = ["firing", "resolved"]
SURGES = 50
KILLS = 12
VALID = timedelta(minutes=8)
"""Longer than the watchdog is valid (four minutes), and than Alertmanager takes to say so."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Leave out what aiokafka tells, line after line, while the broker is away from the test itself."""
    caplog.set_level(logging.CRITICAL, "aiokafka")


async def test_one_page_and_one_end_for_each_of_many_fuses_while_the_pager_is_killed_again_and_again(
    kafka: KafkaBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("LIVEFUSE_FAULTS_SEED") or SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        sys.stdout.write(f"\nLIVEFUSE_FAULTS_SEED={seed}\n")
    rng = Random(seed)
    products = [f"p{number}" for number in range(SURGES)]
    async with Paging.opened(kafka.bootstrap, tmp_path) as paging:
        await asyncio.gather(paging.alertmanagers.settled(), paging.start())

        async def surges() -> None:
            for each in products:
                await paging.surge(each)
                await asyncio.sleep(rng.uniform(0, 1.2))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(surges())
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0, 2))
                paging.pager.kill()
                await paging.restart_pager()
        for each in products:
            await paging.paged(each)
        # Of two, the second may tell of a fuse again that closes while it waits: deploy/monitoring/alertmanager.yml.
        await paging.alertmanagers.between_looks(2 * SURGES)
        paging.alertmanagers.first.kill()
        for each in products:
            await paging.resume(each)
        for _ in range(3):
            await asyncio.sleep(rng.uniform(0, 1))
            paging.pager.kill()
            await paging.restart_pager()
        for each in products:
            await paging.resolved(each)
        # A fuse that opens after all of them: whatever they still had to say is said.
        await paging.surge("last")
        await paging.paged("last")
        assert Counter(tuple(paging.told(each)) for each in products) == {tuple(ONCE): SURGES}


async def test_a_broker_that_stays_away_ends_the_watchdog_and_no_fuse(
    mortal_kafka: KafkaBroker, tmp_path: Path
) -> None:
    async with Paging.opened(mortal_kafka.bootstrap, tmp_path) as paging:
        await asyncio.gather(paging.alertmanagers.settled(), paging.start())
        await paging.surge("open")
        await paging.paged("open")
        await paging.receivers.until("dead-mans-switch", 1)
        await asyncio.to_thread(mortal_kafka.kill)
        try:
            await paging.ready("pager", 503, "healthz")
            told = _watchdogs(paging)
            ended = "dead-mans-switch", "resolved"
            await paging.until(lambda: paging.receivers.of(*ended), "the watchdog ends", VALID)
            # It was not said again since the broker was known to be away.
            assert _watchdogs(paging) == told
            assert paging.told("open") == ["firing"]
        finally:
            await asyncio.to_thread(mortal_kafka.start)
        await paging.until(lambda: _watchdogs(paging) > told, "the watchdog is told again")
        await paging.surge("again")
        await paging.paged("again")
        await paging.alertmanagers.between_looks()
        assert paging.told("open") == ["firing"]
        assert paging.told("again") == ["firing"]


def _watchdogs(paging: Paging) -> int:
    """Return how often the pager has told both Alertmanagers of its watchdog."""
    said = [each for one in paging.alertmanagers.both for each in one.gate.alerts]
    return sum(each["labels"]["alertname"] == "LivefuseWatchdog" for each in said)
