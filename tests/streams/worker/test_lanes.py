"""All lanes of a worker, without a broker: who is open when, which frames are asked for again, and what ends the process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from schemas.errors import BrokerRefused, BrokerUnavailable, FencedError, FrameError
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames
from streams.engine.partition import Partition
from streams.frames import encode
from streams.worker import lane as lane_module
from streams.worker import lanes as lanes_module
from streams.worker.alignment import Alignment, source_rank
from streams.worker.lane import Lane
from streams.worker.lanes import Lanes
from streams.worker.metrics import WorkerCounts
from streams.worker.writer import Writer
from tests.kafka.worker_rig import NOON, frame, order
from tests.streams.worker.test_lane import LONG_S, FakeWriter

PAUSE_S = 0.05


class FakeFeed:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.start = 0
        self.paused: set[int] = set()
        self.seeks: list[tuple[int, int]] = []

    def end(self, number: int) -> int | None:  # noqa: ARG002
        return None

    def pause(self, number: int) -> None:
        self.paused.add(number)

    def resume(self, number: int) -> None:
        self.paused.discard(number)

    async def log_start(self, number: int) -> int:  # noqa: ARG002
        return self.start

    async def seek(self, number: int, offset: int) -> None:
        self.seeks.append((number, offset))


class Rig:
    """Lanes over a fake feed. A partition opens at the position in ``saved``; ``errors`` fail the next openings."""

    def __init__(self, *, keep: bool) -> None:
        self.feed = FakeFeed()
        self.saved: dict[int, int] = {}
        self.errors: list[Exception] = []
        self.writers: dict[int, FakeWriter] = {}
        self.ended: list[Exception] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.first: int | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.lanes = Lanes(self.feed, self.open, self.first_at, self.ended.append, WorkerCounts(), keep=keep)

    async def open(self, number: int, failed: Callable[[Lane, Exception], None]) -> Lane:
        """Open as told."""
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        writer = self.writers[number] = FakeWriter()
        saved = self.saved.get(number, -1)
        alignment = Alignment(source_rank(TopicNames()), dict)
        alignment.skip_to(saved + 1)
        return Lane(
            TopicNames(),
            Partition(number, DEFAULT_RULES),
            alignment,
            cast(Writer, writer),
            saved=saved,
            interval_s=LONG_S,
            failed=failed,
            counts=self.lanes.counts,
        )

    async def first_at(self, number: int, offset: int) -> int | None:  # noqa: ARG002
        """Return what the log has."""
        return self.first

    def take(self, number: int, offset: int) -> None:
        """Give a good frame."""
        value = encode(frame([order(offset, NOON + offset, "p")]))
        self.lanes.take(number, offset, value, lambda: self.acknowledged.append((number, offset)))

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(LONG_S / 2):
            while not met():
                await asyncio.sleep(0.005)

    async def open_lanes(self, *numbers: int) -> None:
        """Assign partitions and wait for their lanes."""
        self.lanes.on_assigned(numbers)
        await self.until(lambda: set(self.lanes.open) == set(numbers))


@asynccontextmanager
async def rig(monkeypatch: pytest.MonkeyPatch, *, keep: bool = True) -> AsyncIterator[Rig]:
    """Yield lanes whose pauses are short."""
    for name in ("_FENCED_PAUSE_S", "_RETRY_PAUSE_S", "_SEEK_PAUSE_S"):
        monkeypatch.setattr(lanes_module, name, PAUSE_S)
    made = Rig(keep=keep)
    yield made
    await made.lanes.drain()


async def test_frames_that_come_while_a_lane_opens_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        r.saved[0] = 4
        r.gate.clear()
        r.lanes.on_assigned([0])
        r.take(0, 5)
        r.take(0, 6)
        assert r.feed.paused == {0}
        r.gate.set()
        await r.until(lambda: 0 in r.lanes.open and not r.feed.paused)
        assert r.feed.seeks == [(0, 5)]
        assert r.lanes.open[0].next == 5


async def test_a_frame_that_is_not_next_is_not_applied_and_the_next_one_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.take(0, 0)
        for offset in (3, 4, 5):
            r.take(0, offset)
        await r.until(lambda: r.feed.seeks == [(0, 1)])
        assert r.lanes.open[0].next == 1
        await asyncio.sleep(PAUSE_S)
        r.take(0, 6)
        await r.until(lambda: r.feed.seeks == [(0, 1), (0, 1)])


async def test_frames_that_retention_took_are_counted_and_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.feed.start = 7
        r.take(0, 9)
        await r.until(lambda: r.feed.seeks == [(0, 7)])
        assert (r.lanes.open[0].next, r.lanes.counts.gap_frames) == (7, 7)


async def test_a_hole_in_the_log_is_left_behind_when_asking_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.first = 3
        for count in range(1, 5):
            await asyncio.sleep(PAUSE_S)
            r.take(0, 3)
            await r.until(lambda count=count: len(r.feed.seeks) == count)  # type: ignore[misc]
        assert r.feed.seeks[-1] == (0, 3)
        r.take(0, 3)
        assert (r.lanes.open[0].next, r.lanes.counts.gap_frames) == (4, 3)


async def test_a_fenced_lane_opens_again_after_a_pause_and_reads_from_its_position(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0)
        r.writers[0].error = FencedError("x")
        await r.lanes.open[0].flush()
        assert set(r.lanes.open) == {1}
        r.saved[0] = 2
        await r.until(lambda: 0 in r.lanes.open and r.feed.seeks == [(0, 0)])
        assert (r.lanes.open[0].next, r.lanes.counts.fenced, r.ended, r.acknowledged) == (3, 1, [], [])


async def test_opening_is_tried_again_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        r.errors = [BrokerUnavailable("x"), FencedError("x")]
        await r.open_lanes(0)
        assert r.ended == []


async def test_a_broker_that_refuses_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        refusal = BrokerRefused("x")
        r.errors = [refusal]
        r.lanes.on_assigned([0])
        await r.until(lambda: r.ended == [refusal])


async def test_a_record_that_is_no_frame_ends_the_process_unacknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.lanes.take(0, 0, b"{", lambda: r.acknowledged.append((0, 0)))
        await r.until(lambda: bool(r.ended))
        assert isinstance(r.ended[0], FrameError)
        r.take(1, 0)
        assert r.lanes.open[1].next == 1
        await r.lanes.drain()
        assert r.acknowledged == [(1, 0)]


async def test_an_error_in_the_engine_ends_the_process_and_nothing_half_applied_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        bad = frame([order(1, NOON, "p"), order(2, NOON, "p")[:7]])
        r.lanes.take(0, 0, encode(bad), lambda: r.acknowledged.append((0, 0)))
        await r.until(lambda: bool(r.ended))
        assert "livefuse.signals[0]@0 cannot be applied: ValueError" in str(r.ended[0])
        await r.lanes.drain()
        assert (r.writers[0].flushes, r.acknowledged) == ([], [])


async def test_at_a_rebalance_lanes_flush_and_those_that_stay_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0)
        r.take(1, 0)
        kept = r.lanes.open[0]
        await r.lanes.on_revoked()
        assert sorted(r.acknowledged) == [(0, 0), (1, 0)]
        r.lanes.on_assigned([0])
        assert r.lanes.open == {0: kept}
        await r.until(lambda: r.writers[1].stopped)
        r.take(1, 1)
        assert set(r.lanes.open) == {0}


async def test_without_fencing_no_lane_outlives_a_rebalance(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch, keep=False) as r:
        await r.open_lanes(0)
        before = r.lanes.open[0]
        await r.lanes.on_revoked()
        assert r.lanes.open == {}
        await r.open_lanes(0)
        assert r.lanes.open[0] is not before


async def test_an_opening_is_called_off_when_the_partition_goes_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        r.gate.clear()
        r.lanes.on_assigned([0, 1])
        await asyncio.sleep(0)
        r.lanes.on_assigned([1])
        r.gate.set()
        await r.until(lambda: set(r.lanes.open) == {1})
        assert set(r.writers) == {1}


async def test_while_a_flush_hangs_nothing_more_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_STALLED_S", 0.01)
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.take(0, 0)
        r.writers[0].go.clear()
        flush = asyncio.create_task(r.lanes.open[0].flush())
        await asyncio.sleep(0.05)
        r.take(0, 1)
        r.take(0, 2)
        assert (r.lanes.open[0].next, r.feed.paused) == (1, {0})
        r.writers[0].go.set()
        await flush
        await r.until(lambda: not r.feed.paused)
        assert r.feed.seeks == [(0, 1)]


async def test_draining_flushes_acknowledges_and_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.take(0, 0)
        await r.lanes.drain()
        r.take(0, 1)
        assert (r.acknowledged, r.lanes.open, r.writers[0].stopped) == ([(0, 0)], {}, True)
