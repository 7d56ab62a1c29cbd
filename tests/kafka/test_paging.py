"""From complaints in Kafka to the people: one page for each fuse and one end, whatever fails in between.

Real are Kafka, intake, worker, pager, Prometheus and two Alertmanagers with our configuration; the people are a web
server of this test. How fast it is measures `python -m tests.bench paging`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.alerts.pager.service import Service, says, serving
from tests.kafka.alertmanagers import PATIENCE
from tests.kafka.broker import KafkaBroker, come_back
from tests.kafka.cluster import until
from tests.kafka.paging import Paging
from tests.kafka.reading import committed

pytestmark = pytest.mark.kafka

ONCE = ["firing", "resolved"]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Leave out what aiokafka tells, line after line, while the broker is away from the test itself."""
    caplog.set_level(logging.CRITICAL, "aiokafka")


@pytest.fixture
async def hanging() -> AsyncIterator[Service]:
    """Yield a channel's service that answers nothing."""
    async with serving(lambda _: says({})) as service:
        service.behave = service.hang
        yield service


async def test_one_page_and_one_end_although_broker_alertmanagers_and_a_channel_fail(
    mortal_kafka: KafkaBroker, hanging: Service, tmp_path: Path
) -> None:
    settings = tmp_path / "livefuse.toml"
    settings.write_text(f'[[pager.channel]]\nname = "hangs"\nkind = "webhook"\nurl = "{hanging.url}/"\n')
    async with Paging.opened(mortal_kafka.bootstrap, tmp_path / "paging", LIVEFUSE_CONFIG=str(settings)) as paging:
        alertmanagers = paging.alertmanagers
        with paging.prometheus(tmp_path / "prometheus") as prometheus:
            await asyncio.gather(alertmanagers.settled(), paging.start())
            await paging.surge("both")
            await paging.paged("both")
            await paging.until(lambda: hanging.received, "the other channel hangs")
            await paging.asked(prometheus, 'sum(livefuse_open_fuses{shadow="false"})', 1)
            await paging.asked(prometheus, "sum(livefuse_page_delay_seconds_count)", 1)
            with alertmanagers.holding():
                await paging.resume("both")
                await alertmanagers.held()
                await alertmanagers.between_looks()
            await paging.resolved("both")
            await alertmanagers.between_looks()
            await paging.asked(prometheus, 'sum(livefuse_pager_events_total{type="fuse.closed"})', 1)

            # The Alertmanager that notifies is lost, in the moment in which a fuse opens.
            alertmanagers.first.kill()
            await paging.surge("lost")
            await paging.paged("lost")

            # It is down from the beginning of another pager, and the broker crashes while a fuse is open.
            paging.pager.kill()
            await paging.restart_pager()
            await paging.surge("stays")
            await paging.paged("stays")
            await asyncio.to_thread(mortal_kafka.kill)
            await come_back(mortal_kafka)
            await paging.surge("restarted")
            await paging.paged("restarted")
            assert paging.told("stays") == ["firing"]
            for product_id in ("stays", "restarted", "lost"):
                await paging.resume(product_id)
            for product_id in ("stays", "restarted", "lost"):
                await paging.resolved(product_id)

        told = {each: paging.told(each) for each in ("both", "lost", "stays", "restarted")}
        assert told == dict.fromkeys(told, ONCE)
        await paging.until(lambda: _watchdogs(paging) == {"Watchdog", "LivefuseWatchdog"}, "both watchdogs are told")
        assert "LivefuseWatchdog" not in _watchdogs(paging, "resolved")
        assert all(each.alive and each.lives == 1 for each in (paging.intake, paging.worker))
        assert paging.pager.lives == 2


async def test_one_page_and_one_end_although_the_pager_is_killed_at_each_step(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    async with Paging.opened(kafka.bootstrap, tmp_path) as paging:
        alertmanagers = paging.alertmanagers
        await asyncio.gather(alertmanagers.settled(), paging.start())

        # First: here the two look at different times, so it has to be the only fuse of which anything is said.
        await _killed_when_one_has_it(paging, "half")
        await _killed_while_nothing_is_under_way(paging, "away")
        await _killed_before_and_after_both_have_it(paging, "silent")
        told = {each: paging.told(each) for each in ("away", "silent", "half")}
        assert told == dict.fromkeys(told, ONCE)


async def _killed_while_nothing_is_under_way(paging: Paging, product_id: str) -> None:
    """Kill the pager before the event, after the page, before the end and after the end."""
    alertmanagers = paging.alertmanagers
    paging.pager.kill()
    await paging.surge(product_id)
    await _fuse_events(paging, product_id, 1)
    await paging.restart_pager()
    await paging.paged(product_id)
    paging.pager.kill()
    await paging.restart_pager()
    await alertmanagers.told(product_id, 2)
    paging.pager.kill()
    await paging.resume(product_id)
    await _fuse_events(paging, product_id, 3)
    with alertmanagers.holding():
        await paging.restart_pager()
        await alertmanagers.held()
        await alertmanagers.between_looks()
    await paging.resolved(product_id)
    paging.pager.kill()
    await paging.restart_pager()
    await alertmanagers.told(product_id, 4)


async def _killed_before_and_after_both_have_it(paging: Paging, product_id: str) -> None:
    """Kill it when it has read the event and nobody has it; and when both have the end and it does not know."""
    alertmanagers = paging.alertmanagers
    with alertmanagers.holding():
        await paging.surge(product_id)
        await alertmanagers.held()
        paging.pager.kill()
        await alertmanagers.lost()
    await paging.restart_pager()
    await paging.paged(product_id)
    with alertmanagers.holding(answers=True):
        with alertmanagers.holding():
            await paging.resume(product_id)
            await alertmanagers.held()
            await alertmanagers.between_looks()
        await paging.resolved(product_id)
        paging.pager.kill()
        await alertmanagers.lost()
    await paging.restart_pager()


async def _killed_when_one_has_it(paging: Paging, product_id: str) -> None:
    """Kill it when one Alertmanager has the opening."""
    alertmanagers = paging.alertmanagers
    with alertmanagers.both[1].gate.holding():
        await paging.surge(product_id)
        await alertmanagers.both[1].gate.held()
        await alertmanagers.both[0].gate.told(product_id)
        paging.pager.kill()
        await alertmanagers.lost()
    await paging.paged(product_id)
    await paging.restart_pager()
    await alertmanagers.told(product_id, 2)
    with alertmanagers.holding():
        await paging.resume(product_id)
        await alertmanagers.held()
        await alertmanagers.between_looks()
    await paging.resolved(product_id)


async def _fuse_events(paging: Paging, product_id: str, number: int) -> None:
    """Wait until so many fuse events of a product are there."""
    cluster = paging.cluster

    async def are_there() -> bool:
        records = await committed(cluster.bootstrap, cluster.names.fuse_events)
        return sum(1 for each in records if each.key.decode() == product_id) >= number

    await until(are_there, f"{number} fuse events of {product_id}", within=PATIENCE, state=paging.tails)


def _watchdogs(paging: Paging, status: str = "firing") -> set[str]:
    return {each["groupLabels"]["alertname"] for each in paging.receivers.of("dead-mans-switch", status)}
