"""What operators may say, and what comes of it. ``docs/semantics.md`` 18 lists the checks in their order."""

from collections.abc import Callable
from typing import Any

from schemas.times import from_ms
from streams.engine.events import Output, fuse_event
from streams.engine.fuse import OPEN, Fuse
from streams.engine.plan import Plan
from streams.engine.state import ALLOWED, PAUSED, Override, ProductState

LONGEST_ALLOW_MS = 24 * 3_600_000

Command = dict[str, Any]


def obey(state: ProductState, command: Command, plan: Plan) -> list[Output]:
    """Carry out a command that is new. The product's clock stands at or after its ``issued_at``."""
    rejected = _reject(state, command) or _ACTIONS[command["action"]][0](state, command)
    if rejected:
        return [_say(state, "command.rejected", command, plan, rejected=rejected)]
    return _ACTIONS[command["action"]][1](state, command, plan)


def _reject(state: ProductState, command: Command) -> str | None:
    expected = command["expected_sequence"]
    if expected is not None and expected != state.sequence:
        return "conflict"
    expires_at = command["expires_at"]
    if expires_at is not None and expires_at <= state.clock:
        return "expired"
    return None


def _say(
    state: ProductState,
    kind: str,
    command: Command,
    plan: Plan,
    *,
    rejected: str | None = None,
    fuse: Fuse | None = None,
    before: str | None = None,
) -> Output:
    cause: dict[str, Any] = {"command_id": command["command_id"], "action": command["action"]}
    if rejected:
        cause["rejected"] = rejected
    elif command["expires_at"] is not None:
        cause["expires_at"] = from_ms(command["expires_at"])
    return fuse_event(
        state, kind, version=plan.version, actor=f"operator:{command['actor']}", reason=command["reason"],
        cause=cause, fuse=fuse, before=before, command=command,
    )  # fmt: skip


def _cannot_allow(state: ProductState, command: Command) -> str | None:
    del state
    if command["expires_at"] is None:
        return "expiry_missing"
    return "expiry_too_far" if command["expires_at"] - command["issued_at"] > LONGEST_ALLOW_MS else None


def _set_override(state: ProductState, command: Command, plan: Plan) -> list[Output]:
    word = PAUSED if command["action"] == "pause" else ALLOWED
    state.override = Override(word, state.clock, command["expires_at"], command["actor"], command["reason"])
    state.reschedule()
    return [_say(state, "override.set", command, plan)]


def _cannot_release(state: ProductState, command: Command) -> str | None:
    del command
    return "nothing_to_release" if state.override is None else None


def _release(state: ProductState, command: Command, plan: Plan) -> list[Output]:
    state.override = None
    state.reschedule()
    return [_say(state, "override.cleared", command, plan)]


def _open_fuses(state: ProductState, command: Command) -> list[Fuse]:
    """Return the open fuses that the command means, by rule id, then SKU."""
    rule_id, sku_id = command["rule"], command["sku_id"]
    return [
        fuse
        for fuse in state.all_fuses()
        if fuse.state == OPEN
        and (rule_id is None or fuse.rule_id == rule_id)
        and (sku_id is None or fuse.sku_id == sku_id or (fuse.sku_id is None and sku_id == state.product_id))
    ]


def _cannot_resume(state: ProductState, command: Command) -> str | None:
    return None if _open_fuses(state, command) else "nothing_open"


def _resume(state: ProductState, command: Command, plan: Plan) -> list[Output]:
    outputs = []
    for fuse in _open_fuses(state, command):
        rule = plan.armed[fuse.rule_id]
        if rule.kind == "oversell":
            fuse.close(state.clock)
        else:
            fuse.enter_probation(state.clock, rule.probation)
        state.forget_until_mark(fuse)
        kind = "fuse.closed" if rule.kind == "oversell" else "fuse.probation"
        outputs.append(_say(state, kind, command, plan, fuse=fuse, before=OPEN))
    state.reschedule()
    return outputs


def _cannot_acknowledge(state: ProductState, command: Command) -> str | None:
    fuses = _open_fuses(state, command)
    if not fuses:
        return "nothing_open"
    return "already_acknowledged" if all(fuse.acknowledged_by for fuse in fuses) else None


def _acknowledge(state: ProductState, command: Command, plan: Plan) -> list[Output]:
    outputs = []
    for fuse in _open_fuses(state, command):
        if fuse.acknowledged_by is None:
            fuse.acknowledged_by = command["actor"]
            outputs.append(_say(state, "fuse.acknowledged", command, plan, fuse=fuse, before=OPEN))
    return outputs


_ACTIONS: dict[
    str,
    tuple[
        Callable[[ProductState, Command], str | None],
        Callable[[ProductState, Command, Plan], list[Output]],
    ],
] = {
    "pause": (lambda _state, _command: None, _set_override),
    "allow": (_cannot_allow, _set_override),
    "release": (_cannot_release, _release),
    "resume": (_cannot_resume, _resume),
    "acknowledge": (_cannot_acknowledge, _acknowledge),
}
"""For each action: why it cannot be done now (or None), and how it is done."""
