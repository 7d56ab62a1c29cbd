"""What the board knows of one product, and how it is written as `models.Product`.

    fuse state (the truth) ──▶ told, state_sequence ┐
    fuse events ──▶ paused, event_sequence, last    ├▶ standing: whether and where it is shown ──▶ view: its JSON
    openings and changes of its fuses ──▶ facts     ┘

What is paused is what the newest of the two says. While that is an event, the rest is of before it: the product is not
`sure`. There may be many thousands of entries, so what is to be shown of a state is kept as bytes, and texts that many
entries have are one text.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from schemas.events import Cause, EventType, FuseEvent, FuseState
from schemas.kept import kept_json
from schemas.rules import Severity
from schemas.times import from_ms

Phase = Literal["paused", "partly", "allowed", "open", "probation", "shadow"]
"""How a product is listed: by the first of these that holds. `open`: a fuse is, and what is paused does not show it."""

PHASES: Final[tuple[Phase, ...]] = ("paused", "partly", "allowed", "open", "probation", "shadow")
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")
_WARNING: Final = SEVERITIES.index("warning")
_MOMENTS: Final = frozenset({"as_of", "expires_at"})
_NOTHING: Final[Mapping[str, Any]] = {"paused": {"product": False, "skus": ()}, "override": None, "fuses": ()}
_PHASE_SETS: Final[dict[frozenset[Phase], frozenset[Phase]]] = {}
"""The few there are, so that entries share them."""

FuseKey = tuple[str, str | None]
"""The rule and the SKU of a product's fuse."""


class Change(NamedTuple):
    """The last event of a fuse or product. `at`: milliseconds."""

    type: EventType
    actor: str
    reason: str | None
    at: int

    def shown(self) -> dict[str, Any]:
        """Return it as `models.LastChange`."""
        return {"type": self.type, "actor": self.actor, "reason": self.reason, "occurred_at": from_ms(self.at)}


class Fact(NamedTuple):
    """What events have told of one epoch of a fuse; `opened_at` (ms) is None where its opening was not read."""

    epoch: int
    opened_at: int | None
    room_id: str | None
    last: Change


class Told(NamedTuple):
    """What a state says, as far as it decides where the product is listed. `since`: milliseconds, the newest."""

    paused: bool
    partly: bool
    phases: frozenset[Phase]
    severity: int
    since: int
    rules: tuple[str, ...]
    skus: tuple[str, ...]


class Standing(NamedTuple):
    """The place of a product in the list. Places are compared; the smallest comes first."""

    phase: int
    severity: int
    newest: int
    product_id: str


class Entry:
    """One product. `touched_ms`: the Kafka time of its newest event. `shown`: whether pages have it in their list."""

    __slots__ = (
        "event_paused",
        "event_sequence",
        "event_severity",
        "facts",
        "last",
        "product_id",
        "room_id",
        "shown",
        "standing",
        "state",
        "state_sequence",
        "told",
        "touched_ms",
        "view",
    )

    def __init__(self, product_id: str) -> None:
        self.product_id = product_id
        self.state: bytes | None = None
        self.told: Told | None = None
        self.state_sequence = 0
        self.event_sequence = 0
        self.event_paused: tuple[bool, tuple[str, ...]] = (False, ())
        self.event_severity = _WARNING
        self.room_id: str | None = None
        self.last: Change | None = None
        self.facts: dict[FuseKey, Fact] | None = None
        self.standing: Standing | None = None
        self.view: bytes | None = None
        self.shown = False
        self.touched_ms = 0

    @property
    def sequence(self) -> int:
        """The newest that is known."""
        return max(self.state_sequence, self.event_sequence)

    @property
    def sure(self) -> bool:
        """Whether the state of the newest event is known."""
        return self.state_sequence >= self.event_sequence

    @property
    def phase(self) -> Phase | None:
        """How it is listed; None when there is nothing to say of it."""
        return None if self.standing is None else PHASES[self.standing.phase]

    def take_state(self, state: FuseState | None) -> bool:
        """Take its state in; None when nothing is left to say. Tell whether it was news: an old state never wins."""
        if state is None:
            self.state, self.told = None, None
        elif state.sequence < self.state_sequence:
            return False
        else:
            self.told = _told(state)
            self.state = _kept(state) if self.told.phases else None
            self.state_sequence = state.sequence
            self.room_id = _same(state.room_id)
            self._keep_facts(state)
        self._stand()
        return True

    def take_event(self, event: FuseEvent, known_ms: int) -> None:
        """Take its next event in, or one that is older than its state."""
        self.last = change = Change(event.type, event.actor, event.reason, event.occurred_at)
        self.event_sequence = event.sequence
        self.touched_ms = max(self.touched_ms, known_ms)
        if not self.sure:
            self.event_paused = (event.paused.product, event.paused.skus)
            self.room_id = _same(event.room_id)
            self.event_severity = SEVERITIES.index(event.severity) if event.severity else _WARNING
        if event.rule is not None and event.epoch is not None:
            self._note(event, change)
        self._stand()

    def words(self) -> Iterator[str]:
        """Yield what it is found by: its id, room, rules and SKUs."""
        yield self.product_id
        if self.room_id is not None:
            yield self.room_id
        if self.told is not None:
            yield from self.told.rules
            yield from self.told.skus

    def made(self) -> bytes:
        """Return it as JSON of `models.Product`."""
        if self.view is None:
            self.view = kept_json(self._shown())
        return self.view

    def _note(self, event: FuseEvent, change: Change) -> None:
        facts = self.facts = {} if self.facts is None else self.facts
        key, epoch = (event.rule or "", event.sku_id), event.epoch or 0
        known = facts.get(key)
        if event.type == "fuse.closed":
            facts.pop(key, None)
        elif event.type == "fuse.opened":
            facts[key] = Fact(epoch, event.occurred_at, event.room_id, change)
        elif known is not None and known.epoch == epoch:
            facts[key] = known._replace(last=change)
        else:
            facts[key] = Fact(epoch, None, None, change)

    def _keep_facts(self, state: FuseState) -> None:
        """Let go of what events have told of fuses that are closed now."""
        if self.facts and self.sure:
            alive = {(each.rule, each.sku_id) for each in state.fuses if each.state != "closed"}
            self.facts = {key: fact for key, fact in self.facts.items() if key in alive} or None

    def _stand(self) -> None:
        self.view = None
        told = self.told
        paused, partly = (told.paused, told.partly) if told else (False, False)
        if not self.sure:
            paused, partly = self.event_paused[0], bool(self.event_paused[1])
        phases: set[Phase] = set(told.phases - {"paused", "partly"}) if told else set()
        if paused:
            phases.add("paused")
        if partly:
            phases.add("partly")
        if not phases:
            self.standing = None
            return
        severity, since = (told.severity, told.since) if told else (len(SEVERITIES), 0)
        if not self.sure and self.last is not None and (paused or partly):
            severity, since = min(severity, self.event_severity), max(since, self.last.at)
        self.standing = Standing(min(map(PHASES.index, phases)), severity, -since, self.product_id)

    def _shown(self) -> dict[str, Any]:
        state: Mapping[str, Any] = _NOTHING if self.state is None else orjson.loads(self.state)
        paused = state["paused"]
        if not self.sure:
            paused = {"product": self.event_paused[0], "skus": self.event_paused[1]}
        return {
            "product_id": self.product_id,
            "room_id": self.room_id,
            "sequence": self.sequence,
            "sure": self.sure,
            "paused": paused,
            "override": state["override"],
            "fuses": [self._fuse(each) for each in state["fuses"]],
            "last": None if self.last is None else self.last.shown(),
        }

    def _fuse(self, fuse: dict[str, Any]) -> dict[str, Any]:
        fact = (self.facts or {}).get((fuse["rule"], fuse["sku_id"]))
        if fact is not None and fact.epoch != fuse["epoch"]:
            fact = None
        opened_at = None if fact is None or fact.opened_at is None else from_ms(fact.opened_at)
        if opened_at is None and fuse["state"] == "open":
            # A fuse that is open came to that state by opening.
            opened_at = fuse["since"]
        return {
            **fuse,
            "opened_at": opened_at,
            "room_id": fact.room_id if fact and fact.opened_at is not None else self.room_id,
            "last": fact.last.shown() if fact else None,
        }


def _kept(state: FuseState) -> bytes:
    """Return what is to be shown of a state, as JSON."""
    said = state.override
    return kept_json(
        {
            "paused": {"product": state.paused.product, "skus": state.paused.skus},
            "override": None
            if said is None
            else {
                "state": said.state,
                "until": _text(said.until),
                "actor": said.actor,
                "reason": said.reason,
                "since": _text(said.since),
            },
            "fuses": [
                {
                    "rule": fuse.rule,
                    "kind": _kind(fuse.cause),
                    "sku_id": fuse.sku_id,
                    "state": fuse.state,
                    "epoch": fuse.epoch,
                    "shadow": fuse.shadow,
                    "severity": fuse.severity,
                    "since": _text(fuse.since),
                    "due": _text(fuse.due),
                    "acknowledged_by": fuse.acknowledged_by,
                    "cause": _cause(fuse.cause),
                }
                for fuse in state.fuses
                if fuse.state != "closed"
            ],
        }
    )


def _cause(cause: Cause) -> dict[str, Any]:
    """Return a cause as it came: what was left out stays so."""
    given = cause.model_fields_set
    found = {name: value for name, value in cause if name in given}
    for name in _MOMENTS & given:
        found[name] = _text(found[name])
    return found


def _text(time_ms: int | None) -> str | None:
    return None if time_ms is None else from_ms(time_ms)


def _same(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


def _told(state: FuseState) -> Told:
    alive = [each for each in state.fuses if each.state != "closed"]
    phases: set[Phase] = {
        "shadow" if each.shadow else "open" if each.state == "open" else "probation" for each in alive
    }
    if state.paused.product:
        phases.add("paused")
    if state.paused.skus:
        phases.add("partly")
    if state.override is not None:
        phases.add("paused" if state.override.state == "paused" else "allowed")
    found = frozenset(phases)
    severities = [SEVERITIES.index(each.severity) for each in alive if not each.shadow] or (
        [_WARNING] if state.override else [SEVERITIES.index(each.severity) for each in alive]
    )
    times = [each.since for each in alive] + ([state.override.since] if state.override else [])
    return Told(
        state.paused.product,
        bool(state.paused.skus),
        _PHASE_SETS.setdefault(found, found),
        min(severities, default=_WARNING),
        max(times, default=0),
        tuple(sorted({sys.intern(each.rule) for each in alive})),
        tuple(sorted({each.sku_id for each in alive if each.sku_id is not None})),
    )


def _kind(cause: Cause) -> str:
    """Return the kind of the rule, as what it measured shows. The state does not name it."""
    if cause.level is not None:
        return "oversell"
    return "return_spike" if cause.R is not None else "complaint_surge"
