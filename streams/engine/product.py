"""One signal and one product: what changes, and what is said about it.

The steps are those of ``docs/semantics.md`` 5: drop a repeat; fire the timers that were due before; move the clock;
take room and category; show the signal to the rules that see the product; let the fuses act on their verdicts.
"""

from typing import Any

from streams.engine.commands import obey
from streams.engine.counts import Counts
from streams.engine.events import Output, fuse_event, replenishment
from streams.engine.fuse import CLOSED, OPEN, Fuse
from streams.engine.memory import MEMORY_MS, REMEMBERED
from streams.engine.plan import Plan
from streams.engine.signals import CANCELLATION, COMMAND, COMPLAINT, ORDER, ORDER_FIELDS, RETURN, STOCK, Signal
from streams.engine.state import ProductState
from streams.engine.verdicts import LATE, Close, Replenish, Verdict


def apply(state: ProductState, signal: Signal, plan: Plan, counts: Counts) -> list[Output] | None:
    """Apply one signal (of any kind but RULES) to its product; return what is said, in order, or None."""
    kind: int = signal[0]
    time: int = signal[3]
    clock = state.clock
    fact: str
    room_id: str | None
    category: str | None = None
    if kind <= CANCELLATION:
        line: int
        order_id: str
        event_id: str | None
        if len(signal) != ORDER_FIELDS:
            raise ValueError(f"an order line has {ORDER_FIELDS} fields, not {len(signal)}")
        line, order_id, event_id = signal[5], signal[6], signal[7]
        room_id, category = signal[10], signal[11]
        memory = 0
        if event_id is not None:
            fact = f"\n{event_id}\n{line}"
        elif kind == ORDER:
            # Most orders have one line. Their id is here already, and is what it is remembered by.
            fact = order_id if line == 1 else f"{order_id}\n{line}"
        else:
            fact = f"{order_id}\n{line}\nc"
    elif kind == STOCK:
        memory = -1
        fact = ""
        room_id = signal[9]
    elif kind == COMPLAINT:
        memory = 2
        fact = signal[5]
        room_id = signal[7]
    elif kind == RETURN:
        memory = 1
        fact = signal[5]
        room_id, category = signal[8], signal[9]
    else:
        room_id = None
        memory = 3
        fact = signal[5]["command_id"]
    now = clock
    if time > now:  # noqa: PLR1730 (as in Partition.apply)
        now = time
    if memory >= 0:
        facts = state.memories[memory]
        known = len(facts)
        # Looked up and remembered in one: where that is in memory the processor must find out, and that takes longest.
        applied = facts.setdefault(fact, now)
        if len(facts) == known:
            if now < applied + MEMORY_MS:
                counts.duplicates[kind] += 1
                return None
            del facts[fact]
            state.traces.pop(memory, None)
            facts[fact] = now
        elif known >= REMEMBERED:
            state.forget_oldest(memory)
    outputs: list[Output] | None = None
    if state.due is not None and state.due < time:
        outputs = fire_timers(state, time - 1, plan)
    state.clock = clock = now
    if room_id is not None and room_id != state.room_id:
        state.room_id = room_id
        if plan.by_room:
            state.plan = None
    if category is not None and category != state.category:
        state.category = category
        if plan.by_category:
            state.plan = None
    if state.plan is not plan:
        state.watch(plan)
    scope, witnesses = state.scope, state.witnesses
    scope.applied[kind] += 1
    if kind == COMMAND:
        return (outputs or []) + obey(state, signal[5], plan)
    for place in scope.seeing[kind]:
        witness = witnesses[place]
        if witness is None:
            witness = state.witness(place)
        if kind == ORDER:
            verdicts = witness.on_order(signal, clock)
        elif kind == STOCK:
            verdicts = witness.on_stock(signal, clock)
        elif kind == RETURN:
            verdicts = witness.on_return(signal, clock)
        elif kind == COMPLAINT:
            verdicts = witness.on_complaint(signal, clock)
        else:
            verdicts = witness.on_cancellation(signal, clock)
        if verdicts is None:
            continue
        if verdicts is LATE:
            counts.late[kind] += 1
            continue
        rule_id = scope.rules[place][0].id
        outputs = (outputs or []) + [_act(state, rule_id, verdict, plan) for verdict in verdicts]
    return outputs


def fire_timers(state: ProductState, until: int, plan: Plan) -> list[Output]:
    """Fire, in order, the product's timers that are due at or before ``until`` (ms)."""
    if state.plan is not plan:
        state.watch(plan)
    outputs = []
    while state.due is not None and state.due <= until:
        due = state.due
        state.clock = max(state.clock, due)
        fuse = next((fuse for fuse in state.all_fuses() if fuse.due == due), None)
        if fuse is not None:
            outputs.append(_fire_fuse(state, fuse, plan))
        else:
            state.override = None
            outputs.append(fuse_event(state, "override.cleared", version=plan.version, actor="timer"))
        state.reschedule()
    return outputs


def close_orphans(state: ProductState, issued_at: int, plan: Plan, before: Plan) -> list[Output]:
    """Close the fuses whose rule is gone, off or of another kind in the new ``plan``."""
    orphans = [
        fuse for fuse in state.all_fuses() if fuse.state != CLOSED and not _same_kind(plan, before, fuse.rule_id)
    ]
    if not orphans:
        return []
    state.clock = max(state.clock, issued_at)
    state.watch(plan)
    outputs = []
    for fuse in orphans:
        fuse_before = fuse.state
        fuse.close(state.clock)
        cause = {"rules_version": plan.version}
        outputs.append(
            fuse_event(
                state, "fuse.closed", version=plan.version, actor="rules", cause=cause, fuse=fuse, before=fuse_before
            )
        )
    state.reschedule()
    return outputs


def _same_kind(plan: Plan, before: Plan, rule_id: str) -> bool:
    rule, old = plan.armed.get(rule_id), before.armed.get(rule_id)
    return rule is not None and old is not None and rule.kind == old.kind


def _fire_fuse(state: ProductState, fuse: Fuse, plan: Plan) -> Output:
    before = fuse.state
    time = state.clock
    if before == OPEN:
        fuse.enter_probation(time, plan.armed[fuse.rule_id].probation)
    else:
        fuse.close(time)
    state.forget_until_mark(fuse)
    kind = "fuse.probation" if before == OPEN else "fuse.closed"
    return fuse_event(state, kind, version=plan.version, actor="timer", fuse=fuse, before=before)


def _act(state: ProductState, rule_id: str, verdict: Verdict, plan: Plan) -> Output:
    if isinstance(verdict, Replenish):
        return replenishment(state, verdict)
    fuse = state.fuse(rule_id, verdict.sku_id)
    before = fuse.state
    cause: dict[str, Any] = verdict.cause
    if isinstance(verdict, Close):
        fuse.close(state.clock)
        state.forget_until_mark(fuse)
        kind = "fuse.closed"
    else:
        rule = plan.armed[rule_id]
        fuse.open_on_trip(
            state.clock, cause=cause, level=verdict.level,
            severity=rule.severity, shadow=rule.shadow, cooldown=rule.cooldown,
        )  # fmt: skip
        kind = "fuse.opened"
    state.reschedule()
    return fuse_event(state, kind, version=plan.version, actor="rule", cause=cause, fuse=fuse, before=before)
