import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from schemas.errors import SendFailed
from schemas.topics import partition_of
from streams.engine.signals import RULES, STOCK, TICK, Signal, tick_before
from streams.frames import Frame, decode
from streams.intake.counts import IntakeCounts
from streams.intake.frame_writer import LARGEST_VALUE_BYTES, MOST_QUEUED, WARN_AFTER_S, FrameWriter
from streams.intake.sources import Progress, SourceTable
from tests.streams.intake.test_sources import State

LIVE = Progress(50, live=True)
PATIENCE_S = 30.0


class Broker:
    """Takes frames; acknowledges them at once, or when it is told to."""

    def __init__(self, *, prompt: bool = True) -> None:
        self.frames: list[tuple[int, Frame]] = []
        self.gate = asyncio.Event()
        if prompt:
            self.gate.set()

    async def send(self, partition: int, value: bytes) -> None:
        self.frames.append((partition, decode(value)))
        await self.gate.wait()

    def of(self, partition: int) -> list[Frame]:
        """Return the frames of a partition."""
        return [frame for number, frame in self.frames if number == partition]


class Rig:
    """A frame writer whose partitions run."""

    def __init__(self, broker: Broker, partitions: int = 1, frame_signals: int = 1_000) -> None:
        self.counts = IntakeCounts()
        self.writer = FrameWriter("me", partitions, frame_signals, broker.send, self.counts)
        self.table = SourceTable({TopicPartition("stock", 0): State()}, ["stock"], {"stock": 2}, 0)
        self.writer.open(self.table)
        self.tasks = [asyncio.create_task(partition.run()) for partition in self.writer.partitions]

    async def settle(self) -> None:
        """Let the writers do what they can. In parts: a machine that stands still for a moment cuts only one short."""
        for _ in range(6):
            await asyncio.sleep(0.005)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def rigs() -> Iterator[list[Rig]]:
    """Yield a list for rigs, which are stopped."""
    made: list[Rig] = []
    yield made
    for rig in made:
        for task in rig.tasks:
            task.cancel()


def signal(offset: int, time: int, product_id: str = "p1", *, kind: int = STOCK) -> Signal:
    return [kind, 0, offset * 256, time, product_id]


async def test_a_signal_goes_at_once_and_alone(broker: Broker, rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(broker))
    rig.writer.put([signal(1, 40)], LIVE)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert broker.of(0) == [Frame("me", ["stock/0"], ["stock/1"], 50, live=True, signals=[[STOCK, 0, 256, 40, "p1"]])]


async def test_what_comes_while_a_frame_is_in_flight_makes_one_frame(rigs: list[Rig]) -> None:
    broker = Broker(prompt=False)
    rigs.append(rig := Rig(broker))
    for offset in range(5):
        rig.writer.put([signal(offset, 40 + offset)], LIVE)
        await rig.settle()
    assert [len(frame.signals) for frame in broker.of(0)] == [1]
    broker.gate.set()
    await rig.settle()
    assert [len(frame.signals) for frame in broker.of(0)] == [1, 4]
    assert rig.counts.signals == 5


async def test_a_frame_claims_no_more_than_what_stands_in_it_or_before(broker: Broker, rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(broker, frame_signals=2))
    rig.writer.put([signal(1, 10), signal(2, 20), signal(3, 30)], LIVE)
    await rig.settle()
    first, second = broker.of(0)
    assert (first.passed, first.live) == (29, False)
    assert (second.passed, second.live) == (50, True)


async def test_products_keep_their_partition_and_rules_go_to_all(broker: Broker, rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(broker, partitions=3))
    products = [f"p{number}" for number in range(20)]
    signals = [signal(offset, 10, product_id) for offset, product_id in enumerate(products)]
    rig.writer.put([*signals, signal(99, 20, "", kind=RULES)], LIVE)
    await rig.settle()
    for number in range(3):
        found = [signal[4] for frame in broker.of(number) for signal in frame.signals]
        assert found == [*(each for each in products if partition_of(each, 3) == number), ""]


async def test_a_tick_stands_in_front_of_a_late_signal(broker: Broker, rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(broker, partitions=2))
    late = [tick_before(40), signal(2, 15), tick_before(45), signal(3, 30, "", kind=RULES)]
    rig.writer.put([signal(1, 40), *late], LIVE)
    await rig.settle()
    for number in range(2):
        signals = [signal for frame in broker.of(number) for signal in frame.signals]
        own = [[STOCK, 0, 256, 40, "p1"], [TICK, 0, 0, 39, ""], [STOCK, 0, 512, 15, "p1"]]
        expected = own if partition_of("p1", 2) == number else []
        assert signals == [*expected, [TICK, 0, 0, 44, ""], [RULES, 0, 768, 30, ""]]
    # Ticks are no signals; a rule set is one in each partition.
    assert (rig.counts.signals, rig.counts.frame_signals.sum, rig.counts.ticks) == (4, 4, 0)


async def test_a_quiet_partition_ticks_and_a_busy_one_does_not(rigs: list[Rig]) -> None:
    broker = Broker()
    rigs.append(rig := Rig(broker, partitions=2))
    busy = partition_of("p1", 2)
    rig.writer.put([signal(1, 10)], LIVE)
    await rig.settle()
    rig.writer.tick(0.02)
    await rig.settle()
    assert [len(frame.signals) for frame in broker.of(busy)] == [1, 0]
    assert [len(frame.signals) for frame in broker.of(1 - busy)] == [0]
    rig.writer.tick(10)
    await rig.settle()
    assert rig.counts.ticks == 2


async def test_there_are_no_ticks_without_sources(broker: Broker, rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(broker))
    rig.writer.close()
    rig.writer.tick(0)
    await rig.settle()
    assert broker.frames == []


async def test_what_was_live_long_ago_is_not_live(
    broker: Broker, rigs: list[Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rigs.append(rig := Rig(broker))
    rig.writer.put([], LIVE)
    monkeypatch.setattr("streams.intake.frame_writer.STALE_S", 0.0)
    rig.writer.tick(0)
    await rig.settle()
    assert not broker.of(0)[0].live


async def test_a_frame_that_is_too_large_is_cut(broker: Broker, rigs: list[Rig]) -> None:
    rigs.append(rig := Rig(broker))
    large = "x" * (LARGEST_VALUE_BYTES // 3)
    rig.writer.put([signal(offset, 10, large) for offset in range(5)], LIVE)
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(frame.signals) for frame in broker.of(0)) < 5:  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)
    await rig.settle()
    positions = [[signal[2] // 256 for signal in frame.signals] for frame in broker.of(0)]
    assert [each for frame in positions for each in frame] == [0, 1, 2, 3, 4]
    assert max(map(len, positions)) == 2


async def test_acknowledgements_are_told_by_marks(rigs: list[Rig]) -> None:
    broker = Broker(prompt=False)
    rigs.append(rig := Rig(broker))
    before = rig.writer.marks()
    rig.writer.put([signal(1, 10)], LIVE)
    marks = rig.writer.marks()
    await rig.settle()
    assert rig.writer.reached(before)
    assert not rig.writer.reached(marks)
    broker.gate.set()
    await rig.settle()
    assert rig.writer.reached(marks)


async def test_what_is_dropped_does_not_count(rigs: list[Rig]) -> None:
    broker = Broker(prompt=False)
    rigs.append(rig := Rig(broker))
    rig.writer.put([signal(1, 10)], LIVE)
    await rig.settle()
    rig.writer.put([signal(2, 20)], LIVE)
    rig.writer.close()
    broker.gate.set()
    await rig.settle()
    assert rig.writer.reached(rig.writer.marks())
    assert len(broker.frames) == 1


async def test_too_much_makes_the_reader_wait(rigs: list[Rig]) -> None:
    broker = Broker(prompt=False)
    rigs.append(rig := Rig(broker, frame_signals=MOST_QUEUED))
    rig.writer.put([signal(offset, 10) for offset in range(MOST_QUEUED + 1)], LIVE)
    waiting = asyncio.create_task(rig.writer.room())
    await rig.settle()
    assert not waiting.done()
    broker.gate.set()
    await asyncio.wait_for(waiting, PATIENCE_S)


async def test_frames_that_hang_are_told_of_once_in_a_while(
    rigs: list[Rig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("streams.intake.frame_writer.time", SimpleNamespace(monotonic=lambda: now_s))
    rigs.append(rig := Rig(Broker(prompt=False), partitions=2))
    rig.writer.tick(0)
    await rig.settle()
    now_s += WARN_AFTER_S
    rig.writer.warn()
    assert caplog.messages == []
    now_s += 0.1
    rig.writer.warn()
    rig.writer.warn()
    (message,) = caplog.messages
    assert message.startswith("frame.waiting partitions [0, 1] ")


async def test_nothing_is_written_behind_a_frame_that_failed() -> None:
    sent = []

    async def refuse(_: int, value: bytes) -> None:
        sent.append(value)
        raise SendFailed("the disk is full")

    writer = FrameWriter("me", 1, 1, refuse, IntakeCounts())
    writer.open(SourceTable({TopicPartition("stock", 0): State()}, ["stock"], {"stock": 1}, 0))
    writer.put([signal(1, 10), signal(2, 20)], LIVE)
    with pytest.raises(SendFailed):
        await asyncio.wait_for(writer.partitions[0].run(), PATIENCE_S)
    assert len(sent) == 1
    assert not writer.reached(writer.marks())
