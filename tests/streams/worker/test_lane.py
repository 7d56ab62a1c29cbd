"""A lane without a broker: what it applies, when it flushes, and what it does when a flush fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import pytest

from schemas.errors import BrokerUnavailable, FencedError, FrameError, StateError
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames
from streams.engine.partition import Partition
from streams.engine.signals import COMPLAINT
from streams.frames import Frame, encode
from streams.worker import lane as lane_module
from streams.worker.alignment import Alignment, source_rank
from streams.worker.checkpoint import Checkpoints
from streams.worker.counts import WorkerCounts
from streams.worker.inbox import Delivery
from streams.worker.lane import Lane
from streams.worker.store import LANE_KEY, LaneRecord
from streams.worker.writer import Batch, Writer
from tests.kafka.worker_rig import NOON, frame, order, pause

NAMES = TopicNames()
INTERVAL_S = 0.05
LONG_S = 120.0


class FakeWriter:
    """Keeps what is written; holds or fails it when told to."""

    def __init__(self) -> None:
        self.flushes: list[dict[str, list[tuple[bytes, bytes | None]]]] = []
        self.times: list[float] = []
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None
        self.stopped = False

    async def write(self, outputs: Sequence[Batch], state: Batch) -> None:
        await self.go.wait()
        if self.error is not None:
            raise self.error
        self.times.append(asyncio.get_running_loop().time())
        self.flushes.append({each.topic: [record[:2] for record in each.records] for each in (*outputs, state)})

    async def stop(self) -> None:
        self.stopped = True

    async def flushed(self, count: int) -> float:
        """Wait for so many flushes; return the time of the last."""
        async with asyncio.timeout(LONG_S / 2):
            while len(self.flushes) < count:  # noqa: ASYNC110 (what is waited for has no event)
                await asyncio.sleep(0.005)
        return self.times[count - 1]

    @property
    def record(self) -> LaneRecord:
        """The lane's record of the last flush."""
        return LaneRecord.decode(cast("bytes", dict(self.flushes[-1][NAMES.state])[LANE_KEY]))


class Rig:
    """A lane, what it was given and what it has acknowledged."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.writer = FakeWriter()
        self.partition = Partition(0, DEFAULT_RULES)
        self.alignment = Alignment(source_rank(NAMES), lambda: orjson.loads(self.partition.snapshot())["positions"])
        self.acknowledged: list[int] = []
        self.failures: list[Exception] = []
        self.counts = WorkerCounts()
        self.lane = self.opened(-1)

    def opened(self, saved: int, *, hot_products: int = 1_000) -> Lane:
        """Return a lane over partition and alignment as they are."""
        return Lane(
            NAMES,
            Checkpoints(self.partition, self.alignment, log=0, goes_on=True),
            cast("Writer", self.writer),
            saved=saved,
            interval_s=self.interval_s,
            hot_products=hot_products,
            failed=lambda _, error: self.failures.append(error),
            counts=self.counts,
        )

    def take(self, offset: int, each: Frame, *, behind: bool = False, written_ms: int = 0) -> bool:
        """Give the lane a frame."""
        delivery = Delivery(offset, encode(each), lambda: self.acknowledged.append(offset), written_ms=written_ms)
        return self.lane.take(delivery, behind=behind)


@asynccontextmanager
async def rig(interval_s: float = LONG_S) -> AsyncIterator[Rig]:
    """Yield a rig with an open lane; close it at the end."""
    made = Rig(interval_s)
    yield made
    await made.lane.close()


def slow_down(r: Rig, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let what is collected for a flush cost so much more time."""
    collect = r.lane._collect  # noqa: SLF001 (nothing public takes so long)

    def slow(most: int | None) -> lane_module.Flush:
        time.sleep(seconds)
        return collect(most)

    monkeypatch.setattr(r.lane, "_collect", slow)


async def test_a_frame_is_acknowledged_when_it_is_written_and_not_before() -> None:
    async with rig() as r:
        assert r.take(0, frame([order(1, NOON, "p1")]))
        assert r.take(1, frame([order(2, NOON + 1, "p2")]))
        assert r.acknowledged == []
        await r.lane.flush()
        assert r.acknowledged == [0, 1]
        assert r.writer.record.position == r.lane.saved == 1
        assert [key for key, _ in r.writer.flushes[0][NAMES.state]] == [b"p1", b"p2", LANE_KEY]


async def test_a_frame_that_was_seen_is_passed_over_and_one_that_is_not_next_is_refused() -> None:
    async with rig() as r:
        r.take(0, frame([pause(1, NOON, "p1")]))
        assert not r.take(2, frame([pause(3, NOON, "p1")]))
        await r.lane.flush()
        assert r.take(0, frame([pause(1, NOON, "p1")]))
        assert r.acknowledged == [0, 0]
        assert (r.lane.next, r.counts.events) == (1, 1)


async def test_a_fuse_event_is_flushed_at_once_when_the_lane_has_caught_up() -> None:
    async with rig(LONG_S) as r:
        r.take(0, frame([order(1, NOON, "p1")], live=True))
        r.take(1, frame([pause(2, NOON, "p1")], live=True))
        await r.writer.flushed(1)
        assert [key for key, _ in r.writer.flushes[0][NAMES.fuse_events]] == [b"p1"]


async def test_while_behind_a_fuse_event_waits_for_the_interval() -> None:
    async with rig(INTERVAL_S) as r:
        began = asyncio.get_running_loop().time()
        r.take(0, frame([pause(1, NOON, "p1")]), behind=True)
        assert await r.writer.flushed(1) - began >= INTERVAL_S * 0.99


async def test_ticks_alone_are_saved_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_IDLE_S", 3 * INTERVAL_S)
    async with rig(0.0) as r:
        began = asyncio.get_running_loop().time()
        r.take(0, frame([], passed=NOON))
        assert await r.writer.flushed(1) - began >= 3 * INTERVAL_S * 0.99
        assert r.acknowledged == [0]


async def test_a_lane_waits_the_longer_the_more_its_states_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(0.0) as r:
        r.counts.lanes = 3
        slow_down(r, monkeypatch, 0.02)
        r.take(0, frame([order(1, NOON, "p1")], live=True))
        await r.writer.flushed(1)
        r.take(1, frame([order(2, NOON, "p1")], live=True))
        assert await r.writer.flushed(2) - await r.writer.flushed(1) >= 4 * 3 * 0.02 * 0.99


async def test_behind_events_are_written_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_BEHIND_REST_S", 6 * INTERVAL_S)
    async with rig(0.0) as r:
        r.take(0, frame([pause(1, NOON, "p1")]), behind=True)
        first = await r.writer.flushed(1)
        r.take(1, frame([pause(2, NOON, "p1")]), behind=True)
        assert await r.writer.flushed(2) - first >= 6 * INTERVAL_S * 0.99


async def test_an_event_does_not_shorten_the_rest_of_states(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first flush is followed by a rest that is longer than the test; what an event's state costs comes on top.
    monkeypatch.setattr(lane_module, "_STATE_BYTES_PER_S", 1.0)
    monkeypatch.setattr(lane_module, "_LONGEST_REST_S", 100 * LONG_S)
    async with rig(0.0) as r:
        r.counts.lanes = 1
        r.take(0, frame([order(1, NOON, "p1"), order(2, NOON, "p2")], live=True))
        await r.writer.flushed(1)
        await asyncio.sleep(0)
        rest = r.lane._paced_until  # noqa: SLF001 (nothing else tells)
        r.take(1, frame([pause(3, NOON, "p2")], live=True))
        await r.writer.flushed(2)
        await asyncio.sleep(0)
        assert r.lane._paced_until == rest  # noqa: SLF001


async def test_states_are_written_however_many_events_come(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(0.0) as r:
        r.counts.lanes = 4
        slow_down(r, monkeypatch, 0.002)
        r.take(0, frame([order(1, NOON, "p1"), order(2, NOON, "p2")], live=True))
        await r.writer.flushed(1)
        offset = 0
        async with asyncio.timeout(LONG_S / 2):
            while r.lane.saved < 20:
                offset += 1
                r.take(offset, frame([order(3 * offset, NOON, "p1"), pause(3 * offset + 1, NOON, "p2")], live=True))
                await asyncio.sleep(0.01)
        assert len(r.writer.flushes) > 20


async def test_a_quick_flush_tells_everything_and_stores_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_PIECE_BYTES", 1)
    async with rig() as r:
        r.take(0, frame([order(1, NOON, "p1"), order(2, NOON, "p2"), pause(3, NOON, "p3")], live=False))
        await r.lane.flush(quick=True)
        assert (r.acknowledged, r.lane.told, r.lane.saved) == ([0], 0, -1)
        assert [key for key, _ in r.writer.flushes[0][NAMES.fuse_events]] == [b"p3"]
        assert len(r.writer.flushes[0][NAMES.state]) == 2
        await r.lane.flush()
        assert r.lane.saved == 0


async def test_what_changed_before_the_last_piece_is_written_though_nothing_more_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_module, "_PIECE_BYTES", 1)
    async with rig(0.0) as r:
        write, begun = r.writer.write, 0

        async def later(outputs: Sequence[Batch], state: Batch) -> None:
            nonlocal begun
            begun += 1
            if begun == 1:
                # Its flush is planned for when the last piece goes, which is not of its checkpoint.
                r.take(1, frame([order(3, NOON, "p9")], live=True))
            await write(outputs, state)

        monkeypatch.setattr(r.writer, "write", later)
        r.take(0, frame([order(1, NOON, "p1"), order(2, NOON, "p2")], live=True))
        await r.writer.flushed(3)
        assert [LANE_KEY in dict(flush[NAMES.state]) for flush in r.writer.flushes] == [False, True, True]
        assert b"p9" in dict(r.writer.flushes[2][NAMES.state])
        assert r.writer.record.position == 1


async def test_the_record_knows_who_is_on_the_list_that_is_written_with_it() -> None:
    async with rig() as r:
        complaints = [[COMPLAINT, 0, n * 256, NOON + n, "p1", f"c{n}", "other", None] for n in range(1, 30)]
        r.take(0, frame(complaints, live=True))
        await r.lane.flush()
        assert NAMES.watchlist in r.writer.flushes[-1]
        assert orjson.loads(r.writer.record.partition)["near"] == ["p1"]


async def test_behind_states_alone_are_written_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_LONGEST_REST_S", 6 * INTERVAL_S)
    async with rig(0.0) as r:
        r.take(0, frame([order(1, NOON, "p1")]), behind=True)
        first = await r.writer.flushed(1)
        r.take(1, frame([order(2, NOON, "p1")]), behind=True)
        assert await r.writer.flushed(2) - first >= 6 * INTERVAL_S * 0.99


@pytest.mark.parametrize("why", ["an event", "many bytes", "caught up"])
async def test_what_ends_the_rest_of_states_alone(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # So long that the second flush would never be seen.
    monkeypatch.setattr(lane_module, "_LONGEST_REST_S", 100 * LONG_S)
    monkeypatch.setattr(lane_module, "_REST_OF_STATES", 0.0)
    monkeypatch.setattr(lane_module, "_MANY_BYTES", 3 * len(encode(frame([order(1, NOON, "p1")]))) // 2)
    async with rig(0.0) as r:
        r.take(0, frame([order(1, NOON, "p1")]), behind=True)
        await r.writer.flushed(1)
        r.take(1, frame([order(2, NOON, "p1")]), behind=True)
        due = r.lane._due  # noqa: SLF001 (no flush will come for a long time, nothing else tells so)
        assert due is not None
        assert due.when() > asyncio.get_running_loop().time() + LONG_S
        last = {
            "an event": [pause(3, NOON, "p1")],
        }.get(why, [order(3, NOON, "p1")])
        if why != "many bytes":
            monkeypatch.setattr(lane_module, "_MANY_BYTES", 1 << 30)
        r.take(2, frame(last, live=why == "caught up"), behind=why != "caught up")
        await r.writer.flushed(2)
        written = r.writer.flushes[1]
        assert (NAMES.fuse_events in written) == (why == "an event")
        if why == "an event":
            assert [key for key, _ in written[NAMES.state]] == [b"p1"]
        else:
            assert r.writer.record.position == 2


@pytest.mark.parametrize("intake", ["caught up", "behind by seconds"])
async def test_in_a_sale_a_fuse_event_does_not_wait_for_the_rest_of_states(
    intake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that the second flush would never be seen.
    monkeypatch.setattr(lane_module, "_LONGEST_REST_S", 100 * LONG_S)
    monkeypatch.setattr(lane_module, "_REST_OF_STATES", 1e9)
    now_ms = int(time.time() * 1000)
    # Old records may come at their own pace, too: then the intake is caught up.
    live, time_ms = (True, NOON) if intake == "caught up" else (False, now_ms - 10_000)
    async with rig(0.0) as r:
        r.counts.lanes = 1
        r.take(0, frame([order(1, time_ms, "p1")], live=live), behind=True, written_ms=now_ms)
        await r.writer.flushed(1)
        r.take(1, frame([order(2, time_ms, "p1")], live=live), behind=True, written_ms=now_ms)
        due = r.lane._due  # noqa: SLF001 (as above)
        assert due is not None
        assert due.when() > asyncio.get_running_loop().time() + LONG_S
        r.take(2, frame([pause(3, time_ms, "p2")], live=live), behind=True, written_ms=now_ms)
        await r.writer.flushed(2)
        assert [key for key, _ in r.writer.flushes[1][NAMES.fuse_events]] == [b"p2"]
        assert [key for key, _ in r.writer.flushes[1][NAMES.state]] == [b"p2"]


async def test_an_event_does_not_wait_for_states_and_its_frame_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_LONGEST_REST_S", 100 * LONG_S)
    monkeypatch.setattr(lane_module, "_STATE_BYTES_PER_S", 1e-9)
    async with rig(0.0) as r:
        r.counts.lanes = 1
        r.take(0, frame([order(n, NOON, f"p{n}") for n in range(1, 6)], live=True))
        await r.writer.flushed(1)
        r.take(1, frame([order(6, NOON, "p1")], live=True))
        r.take(2, frame([pause(7, NOON, "p2")], live=True))
        await r.writer.flushed(2)
        await asyncio.sleep(0)
        assert (r.acknowledged, r.lane.told, r.lane.saved) == ([0, 1, 2], 2, 0)
        await r.lane.flush()
        assert (r.lane.saved, r.writer.record.position) == (2, 2)


async def test_states_are_written_piece_by_piece_though_nothing_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_PIECE_BYTES", 1)
    async with rig(0.0) as r:
        r.take(0, frame([order(n, NOON, f"p{n}") for n in range(1, 6)], live=True))
        await r.writer.flushed(5)
        assert [len(flush[NAMES.state]) for flush in r.writer.flushes] == [1, 1, 1, 1, 2]
        await asyncio.sleep(0)
        assert (r.lane.saved, r.writer.record.position) == (0, 0)


async def test_a_lane_is_behind_with_its_intake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_LONGEST_REST_S", 6 * INTERVAL_S)
    now_ms = int(time.time() * 1000)
    async with rig(0.0) as r:
        r.take(0, frame([order(1, now_ms - 120_000, "p1")]), written_ms=now_ms)
        first = await r.writer.flushed(1)
        r.take(1, frame([order(2, now_ms - 120_000, "p1")]), written_ms=now_ms)
        assert await r.writer.flushed(2) - first >= 6 * INTERVAL_S * 0.99


async def test_what_comes_during_a_flush_belongs_to_the_next_one() -> None:
    async with rig() as r:
        r.writer.go.clear()
        r.take(0, frame([order(1, NOON, "p1")]))
        flush = asyncio.create_task(r.lane.flush())
        await asyncio.sleep(0)
        r.take(1, frame([order(2, NOON, "p1")]))
        r.writer.go.set()
        await flush
        assert (r.acknowledged, r.writer.record.position) == ([0], 0)
        await r.lane.flush()
        assert (r.acknowledged, r.writer.record.position) == ([0, 1], 1)


@pytest.mark.parametrize("error", [FencedError("x"), BrokerUnavailable("x"), ValueError("x")])
async def test_after_a_failed_flush_the_lane_is_closed_and_acknowledges_nothing(error: Exception) -> None:
    async with rig() as r:
        r.writer.error = error
        r.take(0, frame([pause(1, NOON, "p1")], live=True))
        async with asyncio.timeout(LONG_S / 2):
            while not r.failures:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.005)
        assert (r.failures, r.lane.closed, r.writer.stopped, r.acknowledged) == ([error], True, True, [])
        await r.lane.flush()
        assert r.failures == [error]


async def test_a_lane_that_is_closed_while_it_writes_has_not_failed() -> None:
    async with rig() as r:
        r.writer.go.clear()
        r.take(0, frame([pause(1, NOON, "p1")]))
        flush = asyncio.create_task(r.lane.flush())
        await asyncio.sleep(0)
        await r.lane.close()
        # As a writer does that was stopped.
        r.writer.error = BrokerUnavailable("x")
        r.writer.go.set()
        await flush
        assert (r.failures, r.acknowledged, r.counts.flushes) == ([], [], 0)


async def test_a_record_that_is_no_frame_is_named_and_leaves_the_lane_as_it_was() -> None:
    async with rig() as r:
        r.take(0, frame([pause(1, NOON, "p1")]))
        with pytest.raises(FrameError, match=r"livefuse\.signals\[0\]@1: not a frame"):
            r.lane.take(Delivery(1, b"{", list), behind=False)
        with pytest.raises(FrameError):
            r.lane.take(Delivery(1, None, list), behind=False)
        await r.lane.flush()
        assert r.writer.record.position == 0


async def test_frames_with_held_signals_stay_unacknowledged_and_are_read_again_by_a_successor() -> None:
    other = "live.returns/0"
    held = Frame("a", ["live.orders/0"], [other], NOON + 9, live=False, signals=[pause(1, NOON, "p1")])
    passed = Frame("b", [other], ["live.orders/0"], NOON + 5, live=False, signals=[])
    async with rig() as r:
        r.take(0, held)
        await r.lane.flush()
        assert (r.acknowledged, r.writer.record.position, r.lane.held) == ([], -1, 1)
        record = r.writer.record
        r.take(1, passed)
        await r.lane.flush()
        assert (r.acknowledged, r.counts.events) == ([0, 1], 1)
        first = r.writer.flushes[-1][NAMES.fuse_events]
    async with rig() as r:
        r.partition.restore(record.partition)
        r.alignment.restore(record.position, record.alignment)
        r.lane = r.opened(record.position)
        r.take(0, held)
        assert r.alignment.held == 1
        r.take(1, passed)
        await r.lane.flush()
        assert r.writer.flushes[-1][NAMES.fuse_events] == first


async def test_while_frames_are_read_again_nothing_is_saved() -> None:
    async with rig() as r:
        r.alignment.restore(-1, {"frontier": 1, "sources": []})
        r.take(0, frame([]))
        await r.lane.flush()
        assert r.writer.flushes == []
        r.take(1, frame([]))
        await r.lane.flush()
        assert r.writer.record.position == 1


async def test_a_flush_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "_STALLED_S", 0.01)
    async with rig() as r:
        r.writer.go.clear()
        r.take(0, frame([pause(1, NOON, "p1")]))
        flush = asyncio.create_task(r.lane.flush())
        await asyncio.sleep(0.05)
        assert r.lane.stalled
        r.writer.go.set()
        await flush
        assert not r.lane.stalled


async def test_many_products_are_not_kept_decoded_until_the_rest_is_over() -> None:
    async with rig() as r:
        await r.lane.close()
        r.lane = r.opened(-1, hot_products=4)
        for offset in range(3):
            first = 5 * offset
            r.take(offset, frame([order(n, NOON + n, f"p{n}") for n in range(first + 1, first + 6)]), behind=True)
            await r.writer.flushed(offset + 1)
        assert r.partition.crowding <= 1


async def test_a_lane_with_too_many_products_is_busy_until_the_flush_is_over() -> None:
    async with rig() as r:
        await r.lane.close()
        r.lane = r.opened(-1, hot_products=2)
        r.writer.go.clear()
        r.take(0, frame([order(1, NOON, "p1")]), behind=True)
        flush = asyncio.create_task(r.lane.flush())
        await asyncio.sleep(0)
        busy = [r.lane.busy]
        r.take(1, frame([order(n, NOON + n, f"p{n}") for n in range(2, 7)]), behind=True)
        busy.append(r.lane.busy)
        r.writer.go.set()
        await flush
        assert [*busy, r.lane.busy] == [False, True, False]


def test_the_lanes_record_comes_back() -> None:
    record = LaneRecord(41, {"frontier": 44, "sources": [["live.orders/0", 1, 2, 3]]}, b'{"v":1}')
    assert LaneRecord.decode(record.encode()) == record


@pytest.mark.parametrize(
    "value", [b"", b"\x01", b"\x01\x00\x00\x00\x09{}", b"\x02\x00\x00\x00\x02{}", b"\x01\x00\x00\x00\x02{}"]
)
def test_a_damaged_record_of_a_lane_is_an_error(value: Any) -> None:
    with pytest.raises(StateError):
        LaneRecord.decode(value)
