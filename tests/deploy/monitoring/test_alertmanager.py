"""What a real Alertmanager does with our configuration, its receivers being one web server of this test."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.embedded import HOST, free_port
from deploy.tether import tethered
from tests.deploy.monitoring.receivers import Receivers, answers, configured


@pytest.fixture
async def receivers() -> AsyncIterator[Receivers]:
    async with Receivers.listening() as taking:
        yield taking


@pytest.fixture
async def api(receivers: Receivers, tmp_path: Path) -> AsyncIterator[str]:
    """Yield the address of the API of a running Alertmanager."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = configured(tmp_path, receivers.port)
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *tethered([*command, f"--web.listen-address={HOST}:{port}"]), stdout=log, stderr=log
        )
        try:
            await answers(f"{url}/-/ready")
            yield f"{url}/api/v2/alerts"
        finally:
            process.terminate()
            await process.wait()


def alert(*, ends: timedelta = timedelta(minutes=4), **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    started = now - timedelta(seconds=1) + min(ends, timedelta())
    return {
        "labels": {"application": "livefuse", **labels},
        "annotations": {"summary": "an alert of a test"},
        "startsAt": started.isoformat(),
        "endsAt": (now + ends).isoformat(),
    }


def fuse(product_id: str, severity: str = "warning", **more: Any) -> dict[str, Any]:
    return alert(alertname="FuseOpen", severity=severity, rule="oversell", product_id=product_id, **more)


async def tell(api: str, *alerts: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session, session.post(api, json=list(alerts)) as answer:
        assert answer.status == 200, await answer.text()


async def test_each_fuse_is_a_page_within_two_seconds_and_is_resolved_once(api: str, receivers: Receivers) -> None:
    asked = time.monotonic()
    await tell(api, *(fuse(f"p{number}", "critical", room_id="studio-1") for number in range(5)), fuse("p9"))
    await receivers.until("fuse-critical", 5)
    await receivers.until("room-studio-1", 5)
    await receivers.until("fuse-warning", 1)
    assert max(at for at, _, _ in receivers.told) - asked < 2
    said = receivers.of("fuse-critical")
    assert sorted(each["alerts"][0]["labels"]["product_id"] for each in said) == [f"p{number}" for number in range(5)]
    assert all(len(each["alerts"]) == 1 for each in said)
    # Told again, as the pager does every minute: nobody is paged again.
    await tell(api, fuse("p0", "critical", room_id="studio-1"))
    await tell(api, fuse("p1", "critical", room_id="studio-1", ends=timedelta(seconds=-1)))
    await receivers.until("fuse-critical", 1, "resolved")
    assert len(receivers.of("fuse-critical")) == 5
    assert receivers.of("fuse-critical", "resolved")[0]["alerts"][0]["labels"]["product_id"] == "p1"


async def test_livefuse_being_down_is_told_alone_and_silences_no_fuse(api: str, receivers: Receivers) -> None:
    await tell(api, alert(alertname="LivefuseDown", severity="critical", job="livefuse-worker"))
    await tell(
        api,
        alert(alertname="LivefuseLagGrowing", severity="critical", lag="log"),
        alert(alertname="LivefuseWorkerStalled", severity="critical", symptom="no_lane"),
        alert(alertname="LivefusePagerChannelFailing", severity="critical", channel="all"),
        fuse("p1", "critical"),
    )
    await receivers.until("fuse-critical", 1)
    await receivers.until("livefuse-critical", 2)
    told = {each["groupLabels"]["alertname"] for each in receivers.of("livefuse-critical")}
    assert told == {"LivefuseDown", "LivefusePagerChannelFailing"}
    async with aiohttp.ClientSession() as session, session.get(api) as answer:
        silent = {each["labels"]["alertname"] for each in await answer.json() if each["status"]["inhibitedBy"]}
    assert silent == {"LivefuseLagGrowing", "LivefuseWorkerStalled"}


async def test_the_watchdogs_reach_the_dead_mans_switch_at_once(api: str, receivers: Receivers) -> None:
    await tell(api, alert(alertname="Watchdog", severity="none"), alert(alertname="LivefuseWatchdog", severity="none"))
    await receivers.until("dead-mans-switch", 2)
    told = {each["groupLabels"]["alertname"] for each in receivers.of("dead-mans-switch")}
    assert told == {"Watchdog", "LivefuseWatchdog"}
