"""The metrics of a worker, of real lanes without a broker."""

from collections.abc import Sequence

import pytest

from schemas.errors import BrokerUnavailable, FencedError
from schemas.rules import DEFAULT_RULES, Rule
from streams.engine.partition import Partition
from streams.engine.signals import COMMAND, COMPLAINT, ORDER, RULES, Signal
from streams.frames import encode
from streams.worker.inbox import Delivery
from streams.worker.lanes import Lanes
from streams.worker.metrics import WorkerCollector, limits
from streams.worker.status import WorkerStatus
from streams.worker.store import Progress
from tests.kafka.worker_rig import NOON, frame, order
from tests.streams.exposition import label_values, of, shown
from tests.streams.worker.test_lanes import Rig, rig

NOON_S = NOON / 1000
WORDS = {"true", "false", "closed", "open", "probation", "applied", "duplicate", "committed", "fenced", "failed"} | {
    "opening", "order", "cancellation", "return", "complaint", "stock_level", "command", "rules",
}  # fmt: skip


class Watched:
    """Lanes, and what a worker that has them shows at five minutes past noon."""

    def __init__(self, lanes: Lanes) -> None:
        self.status = WorkerStatus()
        self.status.lanes, self.status.counts = lanes, lanes.counts
        self.collector = WorkerCollector(self.status, lambda: NOON_S + 300)

    def shown(self) -> dict[str, float]:
        return shown(self.collector)


def complaint(position: int, category: str = "allergy") -> Signal:
    return [COMPLAINT, 0, position * 256, NOON + position, "p-secret", f"c{position}", category, "room of secrets"]


def command(position: int, action: str) -> Signal:
    given = {
        "command_id": f"k{position}", "action": action, "actor": "secret actor", "reason": "secret reason",
        "issued_at": NOON + position, "rule": "secret-rule", "sku_id": None, "expires_at": None,
        "expected_sequence": None,
    }  # fmt: skip
    return [COMMAND, 0, position * 256, NOON + position, "p-secret", given]


def give(r: Rig, offset: int, signals: Sequence[Signal], *, behind: bool = True) -> None:
    r.end = offset + (2 if behind else 1)
    r.lanes.take(0, Delivery(offset, encode(frame(signals)), lambda: None, written_ms=NOON + offset * 1000))


async def flushed(r: Rig) -> None:
    await r.lanes.open[0].flush()


def test_before_there_are_lanes_every_metric_is_there() -> None:
    values = shown(WorkerCollector(WorkerStatus()))
    assert of(values, "livefuse_lanes") == {'state="open"': 0, 'state="opening"': 0}
    assert of(values, "livefuse_flushes_total") == {
        f'outcome="{each}"': 0 for each in ("committed", "failed", "fenced")
    }
    assert not of(values, "livefuse_rules_version")
    assert values["livefuse_unflushed_seconds"] == 0


async def test_signals_by_kind_and_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        rules = DEFAULT_RULES.model_copy(update={"version": 3}).model_dump(mode="json")
        again = order(3, NOON + 3, "p1")
        again[6] = "o1"
        give(r, 0, [order(1, NOON + 1, "p1"), order(2, NOON + 2, "p1"), again, order(2, NOON + 2, "p1")])
        give(r, 1, [complaint(4), [COMPLAINT, 0, 5 * 256, NOON - 7_200_000, "p-secret", "late", "quality", None]])
        give(r, 2, [[RULES, 0, 6 * 256, NOON + 6, "", rules], [RULES, 0, 7 * 256, NOON + 7, "", rules]])
        values = watched.shown()
        signals = {labels: value for labels, value in of(values, "livefuse_signals_total").items() if value}
        assert signals == {
            'kind="order",outcome="applied"': 2,
            'kind="order",outcome="duplicate"': 1,
            'kind="complaint",outcome="applied"': 2,
            'kind="rules",outcome="applied"': 1,
            'kind="rules",outcome="duplicate"': 1,
        }
        assert values["livefuse_signals_repeated_total"] == 1
        late = of(values, "livefuse_late_signals_total")
        assert (late['kind="complaint"'], late['kind="order"']) == (1, 0)
        assert of(values, "livefuse_rule_evaluations_total") == {
            'rule="complaint-surge"': 2,
            'rule="critical-complaints"': 2,
            'rule="oversell"': 2,
            'rule="return-spike"': 2,
        }
        assert values["livefuse_rules_version"] == 3
        assert values["livefuse_products"] == 2


async def test_fuses_are_shown_at_once_and_their_transitions_when_they_are_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        opened = 'from="closed",rule="critical-complaints",shadow="false",to="open"'
        assert of(watched.shown(), "livefuse_fuse_transitions_total")[opened] == 0
        give(r, 0, [complaint(number) for number in range(6)])
        values = watched.shown()
        assert of(values, "livefuse_fuses_open")['rule="critical-complaints",shadow="false"'] == 1
        assert of(values, "livefuse_fuse_transitions_total")[opened] == 0
        await flushed(r)
        values = watched.shown()
        assert {labels: value for labels, value in of(values, "livefuse_fuse_transitions_total").items() if value} == {
            opened: 1
        }
        assert of(values, "livefuse_fuses_open")['rule="complaint-surge",shadow="false"'] == 0
        give(r, 1, [command(7, "resume"), command(8, "release")])
        await flushed(r)
        values = watched.shown()
        assert values["livefuse_commands_rejected_total"] == 2


async def test_a_fuse_in_shadow_is_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        shadow = [rule.model_copy(update={"mode": "shadow"}) for rule in DEFAULT_RULES.rules]
        rules = DEFAULT_RULES.model_copy(update={"version": 1, "rules": tuple(shadow)}).model_dump(mode="json")
        give(r, 0, [[RULES, 0, 0, NOON, "", rules], *(complaint(number) for number in range(1, 7))])
        await flushed(r)
        values = watched.shown()
        opened = 'from="closed",rule="critical-complaints",shadow="true",to="open"'
        assert of(values, "livefuse_fuse_transitions_total")[opened] == 1
        assert of(values, "livefuse_fuses_open") == {
            f'rule="{rule.id}",shadow="true"': rule.id == "critical-complaints" for rule in DEFAULT_RULES.rules
        }


async def test_replenishment_requests_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        stock: Signal = [4, 0, 256, NOON, "p1", None, 400, 0, None, None, None]
        sale: Signal = [ORDER, 0, 513, NOON + 100, "p1", 1, "o1", None, 60, None, None, None]
        give(r, 0, [stock, sale])
        await flushed(r)
        assert watched.shown()["livefuse_replenishment_requests_total"] == 1


async def test_lag_of_lanes_in_frames_in_age_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0, 1)
        give(r, 0, [order(1, NOON + 60_000, "p1")])
        values = watched.shown()
        assert of(values, "livefuse_lanes") == {'state="open"': 2, 'state="opening"': 0}
        assert of(values, "livefuse_lane_behind_frames") == {'partition="0"': 1, 'partition="1"': 2}
        # No frame of partition 1 has been seen, so nobody knows how old the oldest one is.
        assert of(values, "livefuse_log_lag_seconds") == {'partition="0"': 300}
        assert of(values, "livefuse_event_time_lag_seconds") == {'partition="0"': 240}
        assert of(values, "livefuse_held_signals") == {'partition="0"': 0, 'partition="1"': 0}
        give(r, 1, [order(2, NOON + 120_000, "p1")], behind=False)
        values = watched.shown()
        assert of(values, "livefuse_lane_behind_frames")['partition="0"'] == 0
        assert of(values, "livefuse_log_lag_seconds")['partition="0"'] == 0
        assert of(values, "livefuse_event_time_lag_seconds")['partition="0"'] == 180
        r.end = 3
        # It had caught up a moment ago, so what it has not applied is not older than that.
        assert 0 <= of(watched.shown(), "livefuse_log_lag_seconds")['partition="0"'] < 60


async def test_a_frame_that_waits_for_its_lane_to_open_has_an_age(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        r.gate.clear()
        r.lanes.on_assigned([0])
        give(r, 0, [order(1, NOON, "p1")])
        watched.status.recovery[0] = Progress(states=70, ratio=0.25)
        values = watched.shown()
        assert of(values, "livefuse_lanes") == {'state="open"': 0, 'state="opening"': 1}
        assert of(values, "livefuse_log_lag_seconds") == {'partition="0"': 300}
        assert not of(values, "livefuse_lane_behind_frames")
        assert of(values, "livefuse_recovery_ratio") == {'partition="0"': 0.25}
        assert of(values, "livefuse_recovery_states") == {'partition="0"': 70}
        assert watched.status.ready() == "the lanes of the partitions 0 are not open yet"
        r.gate.set()
        await r.next_is(0, 1)
        assert of(watched.shown(), "livefuse_recovery_ratio") == {'partition="0"': 1}
        assert watched.status.ready() is None


async def test_signals_that_wait_for_another_intake_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        r.end = 1
        shared = frame([order(1, NOON, "p1")])._replace(others=["live.returns/0"])
        r.lanes.take(0, Delivery(0, encode(shared), lambda: None))
        assert of(watched.shown(), "livefuse_held_signals") == {'partition="0"': 1}


async def test_flushes_are_timed_and_told_apart_by_how_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        give(r, 0, [order(1, NOON, "p1")])
        before = watched.shown()
        assert before["livefuse_unflushed_seconds"] > 0
        assert before["livefuse_checkpoint_behind_bytes"] > 0
        assert before["livefuse_apply_seconds_count"] == 1
        assert before["livefuse_flush_seconds_count"] == 0
        await flushed(r)
        values = watched.shown()
        assert values["livefuse_unflushed_seconds"] == 0
        assert values["livefuse_checkpoint_behind_bytes"] == 0
        assert values["livefuse_flush_seconds_count"] == 1
        assert 0 < values["livefuse_flush_seconds_sum"] < 10
        assert values['livefuse_flush_seconds_bucket{le="+Inf"}'] == 1
        for offset, error in ((1, FencedError("another has it")), (2, BrokerUnavailable("away"))):
            r.writers[0].error = error
            r.saved[0] = offset - 1
            give(r, offset, [order(offset + 1, NOON, "p1")])
            await flushed(r)
            await r.next_is(0, offset + 1)
        assert of(watched.shown(), "livefuse_flushes_total") == {
            'outcome="committed"': 1,
            'outcome="fenced"': 1,
            'outcome="failed"': 1,
        }


async def test_frames_that_are_gone_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        r.start = 7
        give(r, 9, [order(9, NOON, "p1")])
        await r.next_is(0, 10)
        assert watched.shown()["livefuse_gap_frames_total"] == 7


async def test_limits_in_force_are_numbers_in_base_units(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        values = of(watched.shown(), "livefuse_rule_limit")
    expected = {
        ("complaint-surge", "more_than"): 50,
        ("complaint-surge", "window_seconds"): 3_600,
        ("critical-complaints", "more_than"): 5,
        ("return-spike", "rise"): 0.1,
        ("return-spike", "min_units"): 30,
        ("return-spike", "history"): 168,
        ("oversell", "floor"): 0,
        ("oversell", "reaction_seconds"): 3,
        ("oversell", "history_seconds"): 900,
        ("oversell", "safety_stock"): 500,
        ("oversell", "cover_seconds"): 3_600,
        ("oversell", "probation_factor"): 0.5,
    }
    for (rule, limit), value in expected.items():
        assert values[f'limit="{limit}",rule="{rule}"'] == value
    assert not [labels for labels in values if "categories" in labels or "rate_windows" in labels]


def test_the_cooldown_of_a_rule_is_a_limit_only_where_it_counts() -> None:
    manual = DEFAULT_RULES.rules[1]
    assert "cooldown_seconds" not in limits(manual)
    auto = Rule.model_validate(manual.model_dump() | {"recovery": "auto"})
    assert limits(auto)["cooldown_seconds"] == 1_800


async def test_labels_are_of_rules_and_partitions_and_do_not_grow_with_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        await r.open_lanes(0)
        give(r, 0, [complaint(number) for number in range(6)] + [command(7, "pause"), command(8, "release")])
        await flushed(r)
        before = set(watched.shown())
        allowed = WORDS | {rule.id for rule in DEFAULT_RULES.rules} | {"0"}
        names = {name for rule in DEFAULT_RULES.rules for name in limits(rule)}
        assert label_values([watched.collector]) <= allowed | names
        partition: Partition = r.lanes.open[0].partition
        partition.apply(["live.orders/0"], [order(n, NOON + n, f"many-{n}") for n in range(10, 100_010)])
        assert watched.shown()["livefuse_products"] == 100_001
        assert set(watched.shown()) == before


async def test_a_worker_is_ready_when_all_its_lanes_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((0.0, 30.0, 40.0))
    status = WorkerStatus(lambda: next(clock))
    assert (status.ready(), status.problems()) == ("it waits for the broker", [])
    assert status.problems() == ["it waits for the broker, for 40 s"]
    async with rig(monkeypatch) as r:
        watched = Watched(r.lanes)
        assert watched.status.ready() == "it waits for its group to give it partitions"
        await r.open_lanes()
        assert (watched.status.ready(), watched.status.problems()) == (None, [])
        await r.open_lanes(0)
        assert watched.status.ready() is None
        await r.lanes.drain()
        assert watched.status.ready() == "it is stopping"
