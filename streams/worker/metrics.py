"""The metrics of a worker, made of what it counts when Prometheus asks. ``docs/metrics.md`` lists them.

Labels are ids of rules, numbers of partitions and words of this file: never a product, never a text of anybody's.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from schemas.rules import Rule
from streams.engine.fuse import TRANSITIONS
from streams.engine.plan import ArmedRule, Plan
from streams.engine.signals import RULES
from streams.families import counter, counters, gauge, gauges, histogram, yes
from streams.worker.counts import Transition
from streams.worker.lane import Lane
from streams.worker.lanes import Lanes
from streams.worker.status import WorkerStatus

KINDS: Final = ("order", "cancellation", "return", "complaint", "stock_level", "command", "rules")
"""The kinds of signals, by their numbers."""

_BY_RULES: Final = KINDS[:5]
"""Those that rules are shown."""

Values = dict[tuple[str, ...], float]


class WorkerCollector(Collector):
    """Shows a worker to Prometheus; between two questions that costs nothing. ``clock``: the wall clock, in seconds."""

    def __init__(self, status: WorkerStatus, clock: Callable[[], float] = time.time) -> None:
        self._status = status
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield the present values."""
        lanes = self._status.lanes
        open_lanes = dict(lanes.open) if lanes is not None else {}
        plan = min((lane.partition.plan for lane in open_lanes.values()), key=lambda plan: plan.version, default=None)
        armed = list(plan.armed.values()) if plan is not None else []
        yield from self._signals()
        yield from self._said(armed)
        yield from _fuses(open_lanes, armed)
        yield from self._flushes()
        yield from self._lanes(lanes, open_lanes)
        yield from self._recovery(lanes, open_lanes)
        yield from _rules(plan)

    def _signals(self) -> Iterator[Metric]:
        counts, engine = self._status.counts, self._status.counts.engine
        duplicates = list(engine.duplicates)
        duplicates[RULES] += engine.old_rule_sets
        outcomes: Values = {(kind, "applied"): each for kind, each in zip(KINDS, engine.applied, strict=True)}
        outcomes |= {(kind, "duplicate"): each for kind, each in zip(KINDS, duplicates, strict=True)}
        yield counters("livefuse_signals", "Signals by what became of them.", ["kind", "outcome"], outcomes)
        yield counter("livefuse_signals_repeated", "Signals whose position had been applied before.", engine.repeated)
        late: Values = {(kind,): each for kind, each in zip(_BY_RULES, engine.late, strict=False)}
        yield counters("livefuse_late_signals", "Times that a signal was too late for a rule.", ["kind"], late)
        shown: Values = {(rule,): each for rule, each in engine.evaluations().items()}
        yield counters("livefuse_rule_evaluations", "Signals that a rule was shown.", ["rule"], shown)
        yield counter("livefuse_gap_frames", "Frames that were gone before they were applied.", counts.gap_frames)

    def _said(self, armed: list[ArmedRule]) -> Iterator[Metric]:
        counts = self._status.counts
        # Those that may come are there from the beginning, or the first of each would not show as an increase.
        transitions = Counter(
            {Transition(rule.id, before, after, rule.shadow): 0 for rule in armed for before, after in TRANSITIONS}
        )
        transitions.update(counts.transitions)
        yield counters(
            "livefuse_fuse_transitions",
            "Transitions of fuses that are committed.",
            ["rule", "from", "to", "shadow"],
            {(each.rule, each.before, each.after, yes(each.shadow)): value for each, value in transitions.items()},
        )
        yield counter("livefuse_replenishment_requests", "Requests for stock, committed.", counts.replenishments)
        yield counter("livefuse_commands_rejected", "Commands of operators that were refused.", counts.rejected)

    def _flushes(self) -> Iterator[Metric]:
        counts = self._status.counts
        yield histogram("livefuse_flush_seconds", "From the beginning of a flush to its commit.", counts.flush)
        yield histogram("livefuse_apply_seconds", "What applying a frame took.", counts.apply)
        outcomes: Values = {
            ("committed",): counts.flushes,
            ("fenced",): counts.fenced,
            ("failed",): counts.failed,
        }
        yield counters("livefuse_flushes", "Flushes by how they ended.", ["outcome"], outcomes)

    def _lanes(self, lanes: Lanes | None, open_lanes: dict[int, Lane]) -> Iterator[Metric]:
        now_s = self._clock()
        assigned = lanes.assigned if lanes is not None else frozenset()
        states: Values = {("open",): len(open_lanes), ("opening",): len(assigned - open_lanes.keys())}
        yield gauges("livefuse_lanes", "Partitions of this worker by the state of their lane.", ["state"], states)
        behind: Values = {}
        waiting: Values = {}
        if lanes is not None:
            behind = {(str(number),): each for number, each in lanes.behind().items() if each is not None}
            waiting = {(str(number),): each for number, each in lanes.waiting_s(now_s).items()}
        yield gauges("livefuse_lane_behind_frames", "Frames that are not applied yet.", ["partition"], behind)
        yield gauges(
            "livefuse_log_lag_seconds",
            "Age of the oldest frame that is not applied, 0 if none.",
            ["partition"],
            waiting,
        )
        yield gauges(
            "livefuse_event_time_lag_seconds",
            "Wall clock less the time of the lane.",
            ["partition"],
            {
                (str(number),): now_s - lane.partition.log_time / 1000
                for number, lane in open_lanes.items()
                if lane.partition.log_time
            },
        )
        yield gauges(
            "livefuse_held_signals",
            "Signals that wait for another intake.",
            ["partition"],
            {(str(number),): lane.held for number, lane in open_lanes.items()},
        )
        yield gauge(
            "livefuse_unflushed_seconds",
            "Age of the oldest change since which no flush was committed, 0 if none.",
            max((lane.unflushed_s for lane in open_lanes.values()), default=0.0),
        )
        yield gauge(
            "livefuse_checkpoint_behind_bytes",
            "Frames behind the last checkpoints, which whoever takes the lanes over would apply again.",
            sum(lane.behind_checkpoint_bytes for lane in open_lanes.values()),
        )
        yield gauge(
            "livefuse_products",
            "Products with a state in open lanes.",
            sum(len(lane.partition) for lane in open_lanes.values()),
        )

    def _recovery(self, lanes: Lanes | None, open_lanes: dict[int, Lane]) -> Iterator[Metric]:
        numbers = sorted(lanes.assigned) if lanes is not None else []
        progress = {number: self._status.progress(number) for number in numbers}
        states: Values = {(str(number),): each.states for number, each in progress.items()}
        ratios: Values = {
            (str(number),): 1.0 if number in open_lanes else each.ratio for number, each in progress.items()
        }
        yield gauges("livefuse_recovery_states", "States read when the lane last opened.", ["partition"], states)
        yield gauges("livefuse_recovery_ratio", "How much of its states is read, 1 when open.", ["partition"], ratios)


def _fuses(open_lanes: dict[int, Lane], armed: list[ArmedRule]) -> Iterator[Metric]:
    fuses = Counter({(rule.id, rule.shadow): 0 for rule in armed})
    for lane in open_lanes.values():
        fuses.update({which: number for which, number in lane.partition.open_fuses.items() if number})
    found: Values = {(rule, yes(shadow)): number for (rule, shadow), number in fuses.items()}
    yield gauges("livefuse_fuses_open", "Open fuses of the open lanes.", ["rule", "shadow"], found)


def _rules(plan: Plan | None) -> Iterator[Metric]:
    values: Values = {}
    if plan is not None:
        values = {
            (armed.id, name): value for armed in plan.armed.values() for name, value in limits(armed.rule).items()
        }
    yield gauges("livefuse_rule_limit", "Limits in force, without overrides.", ["rule", "limit"], values)
    versions: Values = {} if plan is None else {(): plan.version}
    yield gauges("livefuse_rules_version", "Version of the rule set in force in all open lanes.", [], versions)


def limits(rule: Rule) -> dict[str, float]:
    """Return the limits of a rule that are one number each, by name; durations in seconds, named so."""
    given = {name: getattr(rule.limits, name) for name in type(rule.limits).model_fields}
    given |= {"probation": rule.probation, "probation_factor": rule.probation_factor}
    if rule.recovery == "auto":
        given["cooldown"] = rule.cooldown
    found = {}
    for name, value in given.items():
        if isinstance(value, timedelta):
            found[f"{name.removesuffix('_time')}_seconds"] = value.total_seconds()
        elif isinstance(value, int | float | Decimal):
            found[name] = float(value)
    return found
