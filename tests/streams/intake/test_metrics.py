"""The metrics of an intake: counts, sources and frames as they are, and nothing of what stands in records."""

import asyncio
from collections.abc import Callable

from aiokafka import TopicPartition

from schemas.topics import TopicNames
from streams.engine.signals import RULES, Signal
from streams.intake.frame_writer import FrameWriter
from streams.intake.metrics import IntakeCollector
from streams.intake.sources import Progress, SourceTable
from streams.intake.status import IntakeStatus
from tests.streams.exposition import label_values, of, shown
from tests.streams.intake.test_frame_writer import Broker
from tests.streams.intake.test_sources import State

NAMES = TopicNames()
ORDERS, RETURNS = TopicPartition(NAMES.orders, 0), TopicPartition(NAMES.returns, 0)
NOON = 1_762_862_400_000
NOON_S = NOON / 1000


def signal(offset: int, source: int = 0, product_id: str = "p") -> Signal:
    return [0, source, offset * 256, NOON + offset, product_id]


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not met():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)


class Rig:
    """An intake without a broker: two sources, a frame writer, and how it is."""

    def __init__(self, *, prompt: bool = True) -> None:
        self.status = IntakeStatus(NAMES.inputs)
        self.broker = Broker(prompt=prompt)
        self.orders, self.returns = State(), State()
        states = {ORDERS: self.orders, RETURNS: self.returns}
        self.table = SourceTable(states, NAMES.inputs, dict.fromkeys(NAMES.inputs, 1), NOON)
        self.writer = FrameWriter("me", 1, 1_000, self.broker.send, self.status.counts)
        self.writer.open(self.table)
        self.status.writer, self.status.table = self.writer, self.table

    def shown(self) -> dict[str, float]:
        return shown(IntakeCollector(self.status))


def test_everything_that_may_come_is_shown_from_the_beginning() -> None:
    values = shown(IntakeCollector(IntakeStatus(NAMES.inputs)))
    assert of(values, "livefuse_records_total") == {
        f'outcome="{outcome}",topic="{topic}"': 0 for topic in NAMES.inputs for outcome in ("used", "refused")
    }
    assert len(of(values, "livefuse_dead_letters_total")) == 5 * len(NAMES.inputs)
    assert values["livefuse_intake_behind"] == 1
    assert not of(values, "livefuse_source_lag_records")


def test_counts_are_shown() -> None:
    rig = Rig()
    counts = rig.status.counts
    counts.records[NAMES.orders] += 10
    counts.refused[NAMES.orders] += 3
    counts.dead_letters[NAMES.orders, "not_json"] += 2
    counts.commits, counts.rebalances, counts.behind, counts.passed = 4, 1, False, NOON + 500
    values = rig.shown()
    records = of(values, "livefuse_records_total")
    assert records[f'outcome="used",topic="{NAMES.orders}"'] == 7
    assert records[f'outcome="refused",topic="{NAMES.orders}"'] == 3
    letters = of(values, "livefuse_dead_letters_total")
    assert letters[f'reason="not_json",topic="{NAMES.orders}"'] == 2
    assert values["livefuse_intake_commits_total"] == 4
    assert values["livefuse_intake_rebalances_total"] == 1
    assert values["livefuse_intake_behind"] == 0
    assert values["livefuse_intake_passed_timestamp_seconds"] == NOON_S + 0.5


def test_lag_is_what_is_unread_or_waits_in_the_merge() -> None:
    rig = Rig()
    rig.orders.answer(NOON, end=9)
    rig.orders.position = 4
    rig.table.push(0, [signal(2), signal(3)])
    assert of(rig.shown(), "livefuse_source_lag_records") == {
        f'topic="{NAMES.orders}"': 7,
        f'topic="{NAMES.returns}"': 0,
    }
    assert of(rig.shown(), "livefuse_source_last_record_timestamp_seconds") == {
        f'topic="{NAMES.orders}"': NOON_S + 0.003
    }
    rig.status.table = None
    assert not of(rig.shown(), "livefuse_source_lag_records")
    assert of(rig.shown(), "livefuse_source_last_record_timestamp_seconds") == {
        f'topic="{NAMES.orders}"': NOON_S + 0.003
    }


async def test_frames_are_counted_and_lag_ends_when_they_are_acknowledged() -> None:
    rig = Rig(prompt=False)
    running = asyncio.create_task(rig.writer.partitions[0].run())
    rig.writer.put([signal(n, n % 2) for n in range(6)], Progress(NOON, live=True))
    await until(lambda: bool(rig.broker.frames))
    rig.writer.put([signal(6, 1)], Progress(NOON, live=True))
    values = rig.shown()
    assert of(values, "livefuse_source_lag_records") == {f'topic="{NAMES.orders}"': 3, f'topic="{NAMES.returns}"': 4}
    assert 0 < values["livefuse_intake_unacknowledged_seconds"] < 10
    assert values["livefuse_frames_written_total"] == 0
    rig.broker.gate.set()
    await until(lambda: rig.status.counts.frames == 2)
    rig.writer.tick(0.0)
    await until(lambda: rig.status.counts.ticks == 1)
    running.cancel()
    values = rig.shown()
    assert of(values, "livefuse_source_lag_records") == {f'topic="{NAMES.orders}"': 0, f'topic="{NAMES.returns}"': 0}
    assert values["livefuse_intake_unacknowledged_seconds"] == 0
    assert values["livefuse_frames_written_total"] == 3
    assert values["livefuse_ticks_written_total"] == 1
    assert (values["livefuse_frame_signals_count"], values["livefuse_frame_signals_sum"]) == (2, 7)
    assert values['livefuse_frame_signals_bucket{le="5.0"}'] == 1
    assert values["livefuse_frame_bytes_count"] == 2
    assert 200 < values["livefuse_frame_bytes_sum"] < 2_000


async def test_labels_do_not_tell_what_stands_in_records_nor_grow_with_it() -> None:
    rig = Rig()
    before = set(rig.shown())
    rig.table.push(0, [signal(number, 0, f"secret-{number}") for number in range(100_000)])
    rules: Signal = [RULES, 1, 0, NOON, "", {"reason": "secret"}]
    rig.writer.put([rules, *rig.table.take()], Progress(NOON, live=True))
    names = {f'livefuse_source_last_record_timestamp_seconds{{topic="{NAMES.orders}"}}'}
    assert set(rig.shown()) == before | names
    reasons = {"empty", "not_json", "invalid", "too_large", "future_timestamp"}
    assert label_values([IntakeCollector(rig.status)]) == {*NAMES.inputs, *reasons, "used", "refused"}


def test_an_intake_is_ready_when_it_has_sources_and_knows_how_far_they_had_been() -> None:
    clock = iter((0.0, 30.0, 40.0))
    status = IntakeStatus(NAMES.inputs, lambda: next(clock))
    assert status.ready() == "it waits for the broker"
    assert status.problems() == []
    assert status.problems() == ["it waits for the broker, for 40 s"]
    rig = Rig()
    assert rig.status.ready() == "it waits for how far its sources had been"
    rig.table.begin({})
    assert (rig.status.ready(), rig.status.problems()) == (None, [])
    rig.status.table = None
    assert rig.status.ready() == "it waits for its group to give it sources"
    rig.status.stopping = True
    assert rig.status.ready() == "it is stopping"
