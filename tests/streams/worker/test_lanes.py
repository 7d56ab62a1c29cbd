"""All lanes of a worker, without a broker: who is open when, which frames are read again, and what ends the process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
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
from streams.worker.checkpoint import Checkpoints
from streams.worker.counts import WorkerCounts
from streams.worker.inbox import Delivery
from streams.worker.lane import Lane
from streams.worker.lanes import Lanes
from streams.worker.writer import Writer
from tests.kafka.worker_rig import NOON, frame, order
from tests.streams.worker.test_lane import LONG_S, FakeWriter

PAUSE_S = 0.05


def value(offset: int) -> bytes:
    return encode(frame([order(offset, NOON + offset, "p")]))


class Rig:
    """Lanes over a log of ``end`` frames that begins at ``start``. A partition opens at the position in ``saved``.

    ``errors`` fail the next openings, ``read_errors`` the next readings.
    """

    def __init__(self, *, keep: bool) -> None:
        self.start = 0
        self.end: int | None = None
        self.saved: dict[int, int] = {}
        self.errors: list[Exception] = []
        self.read_errors: list[Exception] = []
        self.reads: list[tuple[int, int, int]] = []
        self.writers: dict[int, FakeWriter] = {}
        self.ended: list[Exception] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.lanes = Lanes(
            self.open,
            self.frames,
            lambda number, offset: self.acknowledged.append((number, offset)),
            lambda _: self.end,
            self.ended.append,
            WorkerCounts(),
            keep=keep,
        )

    async def open(self, number: int, failed: Callable[[Lane, Exception], None]) -> Lane:
        """Open as told."""
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        writer = self.writers[number] = FakeWriter()
        saved = self.saved.get(number, -1)
        alignment = Alignment(source_rank(TopicNames()), dict)
        alignment.skip_to(saved + 1)
        partition = Partition(number, DEFAULT_RULES, counts=self.lanes.counts.engine)
        return Lane(
            TopicNames(),
            Checkpoints(partition, alignment, log=0, goes_on=True),
            cast("Writer", writer),
            saved=saved,
            interval_s=LONG_S,
            hot_products=1_000,
            failed=failed,
            counts=self.lanes.counts,
        )

    async def frames(self, number: int, first: int, until: int) -> AsyncGenerator[tuple[int, bytes | None, int], None]:
        """Read the log."""
        self.reads.append((number, first, until))
        if self.read_errors:
            raise self.read_errors.pop(0)
        for offset in range(max(first, self.start), until):
            yield offset, value(offset), NOON

    def take(self, number: int, *offsets: int) -> None:
        """Give good frames."""
        for offset in offsets:
            self.lanes.take(
                number,
                Delivery(offset, value(offset), lambda offset=offset: self.acknowledged.append((number, offset))),  # type: ignore[misc]
            )

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(LONG_S / 2):
            while not met():  # noqa: ASYNC110 (what is waited for has no event)
                await asyncio.sleep(0.005)

    async def next_is(self, number: int, offset: int) -> None:
        """Wait until the lane has applied everything before an offset."""
        await self.until(lambda: number in self.lanes.open and self.lanes.open[number].next == offset)

    async def open_lanes(self, *numbers: int) -> None:
        """Assign partitions and wait for their lanes."""
        self.lanes.on_assigned(numbers)
        await self.until(lambda: set(self.lanes.open) == set(numbers))


@asynccontextmanager
async def rig(monkeypatch: pytest.MonkeyPatch, *, keep: bool = True) -> AsyncIterator[Rig]:
    """Yield lanes whose pauses are short."""
    for name in ("_FENCED_PAUSE_S", "_RETRY_PAUSE_S", "_WATCH_S", "_SILENCE_S"):
        monkeypatch.setattr(lanes_module, name, PAUSE_S)
    made = Rig(keep=keep)
    yield made
    await made.lanes.drain()


async def test_frames_that_come_while_a_lane_opens_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        r.saved[0] = 4
        r.gate.clear()
        r.lanes.on_assigned([0])
        r.take(0, 3, 4, 5, 6)
        r.gate.set()
        await r.next_is(0, 7)
        assert (r.reads, r.acknowledged) == ([], [(0, 3), (0, 4)])


async def test_frames_that_were_not_delivered_are_read_and_those_behind_them_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.take(0, 0, 3, 4, 7)
        assert r.lanes.open[0].next == 1
        await r.next_is(0, 8)
        assert r.reads == [(0, 1, 3), (0, 5, 7)]
        await r.lanes.open[0].flush()
        assert r.acknowledged == [(0, offset) for offset in range(8)]
        assert r.lanes.counts.frames_read == 4


async def test_frames_that_nobody_delivers_are_read_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.end = 3
        watch = asyncio.create_task(r.lanes.watch())
        await r.next_is(0, 3)
        assert r.reads == [(0, 0, 3)]
        watch.cancel()


async def test_reading_is_tried_again_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.read_errors = [BrokerUnavailable("x")]
        r.take(0, 2)
        await r.next_is(0, 3)
        assert (r.reads, r.lanes.counts.gap_frames) == ([(0, 0, 2)] * 2, 0)


async def test_frames_that_retention_took_are_counted_and_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.start = 7
        r.take(0, 9)
        await r.next_is(0, 10)
        assert r.lanes.counts.gap_frames == 7


async def test_a_hole_in_front_of_a_frame_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.start = 3
        r.take(0, 3)
        await r.next_is(0, 4)
        assert r.lanes.counts.gap_frames == 3


async def test_frames_without_room_in_the_inbox_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "LIMIT_BYTES", len(value(0) + value(1)))
    async with rig(monkeypatch) as r:
        r.gate.clear()
        r.lanes.on_assigned([0])
        r.take(0, *range(6))
        r.gate.set()
        await r.next_is(0, 6)
        assert r.reads == [(0, 2, 6)]
        await r.lanes.open[0].flush()
        await r.until(lambda: not r.lanes._inboxes[0])  # noqa: SLF001 (nothing comes after that)
        assert r.acknowledged == [(0, offset) for offset in range(6)]


async def test_a_fenced_lane_opens_again_after_a_pause_and_finds_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0, 1, 2, 3)
        r.writers[0].error = FencedError("x")
        await r.lanes.open[0].flush()
        assert set(r.lanes.open) == {1}
        r.take(0, 4)
        r.saved[0] = 2
        await r.next_is(0, 5)
        assert (r.reads, r.lanes.counts.fenced, r.ended) == ([], 1, [])
        assert r.acknowledged == [(0, 0), (0, 1), (0, 2)]


async def test_the_pause_of_a_fenced_lane_ends_when_the_group_gives_it_the_partition_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig(monkeypatch) as r:
        monkeypatch.setattr(lanes_module, "_FENCED_PAUSE_S", 2 * LONG_S)
        await r.open_lanes(0)
        r.take(0, 0)
        r.writers[0].error = FencedError("x")
        await r.lanes.on_revoked()
        await r.open_lanes(0)
        assert (r.lanes.counts.fenced, r.ended) == (1, [])


async def test_no_lane_begins_to_open_while_the_group_gives_out_the_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0, 1)
        r.take(0, 0)
        fenced = r.writers[0]
        fenced.error = FencedError("x")
        await r.lanes.on_revoked()
        assert set(r.lanes.open) == {1}
        await asyncio.sleep(3 * PAUSE_S)
        assert r.writers[0] is fenced
        # Another one has it now.
        r.lanes.on_assigned([1])
        await asyncio.sleep(3 * PAUSE_S)
        assert r.writers[0] is fenced


async def test_a_group_that_never_gives_out_its_partitions_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes_module, "_LONGEST_GIVING_S", PAUSE_S)
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.take(0, 0)
        fenced = r.writers[0]
        fenced.error = FencedError("x")
        await r.lanes.on_revoked()
        await r.until(lambda: 0 in r.lanes.open)
        assert r.writers[0] is not fenced


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
        r.lanes.take(0, Delivery(0, b"{", lambda: r.acknowledged.append((0, 0))))
        await r.until(lambda: bool(r.ended))
        assert isinstance(r.ended[0], FrameError)
        r.take(1, 0)
        assert r.lanes.open[1].next == 1
        await r.lanes.drain()
        assert r.acknowledged == [(1, 0)]


async def test_an_error_in_the_engine_ends_the_process_and_nothing_half_applied_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        bad = frame([order(1, NOON, "p"), order(2, NOON, "p")[:7]])
        r.lanes.take(0, Delivery(0, encode(bad), lambda: r.acknowledged.append((0, 0))))
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
        assert set(r.lanes.open) == r.lanes.assigned == {0}


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
        r.take(0, 1, 2)
        assert r.lanes.open[0].next == 1
        r.writers[0].go.set()
        await flush
        await r.next_is(0, 3)
        assert r.reads == []


async def test_draining_flushes_acknowledges_and_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        await r.open_lanes(0)
        r.take(0, 0)
        await r.lanes.drain()
        r.take(0, 1)
        assert (r.acknowledged, r.lanes.open, r.writers[0].stopped) == ([(0, 0)], {}, True)
