"""Whatever a worker was about to do when the broker went away, its log says that it waits."""

import asyncio
import logging

import pytest

from schemas.errors import BrokerUnavailable, FencedError
from streams.worker import lane as lane_module
from streams.worker.waiting import warn_of_waiting
from tests.streams.worker.test_lanes import Rig, rig

AWAY = "The broker is away or does not take records"


def warned(caplog: pytest.LogCaptureFixture, r: Rig, *silent: int) -> list[str]:
    """Return what is said of the partitions that wait, up to the sentence that is always the same."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "streams.worker.waiting"):
        warn_of_waiting(r.lanes, silent)
    assert all(AWAY in message for message in caplog.messages)
    return [message.partition(".")[2].partition(".")[0] for message in caplog.messages]


async def test_a_worker_whose_lanes_go_on_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0)
        await r.lanes.open[0].flush()
        assert warned(caplog, r) == []


async def test_a_flush_that_is_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lane_module, "_STALLED_S", 0.01)
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0)
        r.writers[0].go.clear()
        flush = asyncio.create_task(r.lanes.open[0].flush())
        await r.until(lambda: r.lanes.open[0].stalled)
        assert warned(caplog, r, 0, 1) == [
            "waiting partitions [0]: a flush is not acknowledged",
            "waiting partitions [1]: nothing is told of it",
        ]
        r.writers[0].go.set()
        await flush


async def test_a_lane_that_has_lost_a_flush_and_does_not_open_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0)
        r.writers[0].error = BrokerUnavailable("the broker answers that it cannot")
        r.errors = [FencedError("x")] + [BrokerUnavailable("x")] * 1_000
        await r.lanes.open[0].flush()
        await r.until(lambda: bool(r.lanes.unopened))
        assert warned(caplog, r, 0) == ["waiting partitions [0]: the lane does not open"]
        r.errors.clear()
        await r.until(lambda: 0 in r.lanes.open)
        assert warned(caplog, r) == []


async def test_a_lane_that_has_nothing_to_write(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        assert warned(caplog, r, 0, 1, 7) == ["waiting partitions [0, 1]: nothing is told of it"]


async def test_a_lane_that_opens_elsewhere_is_waited_for_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(monkeypatch) as r:
        r.errors = [BrokerUnavailable("x")] * 1_000
        r.lanes.on_assigned([0])
        await r.until(lambda: bool(r.lanes.unopened))
        r.lanes.on_assigned([])
        await r.until(lambda: not r.lanes.unopened)
        assert warned(caplog, r, 0) == []
