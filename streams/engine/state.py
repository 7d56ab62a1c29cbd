"""What is remembered of one product."""

from typing import Final

from streams.engine.evidence import Evidence
from streams.engine.fuse import CLOSED, OPEN, Fuse
from streams.engine.kinds import Kind
from streams.engine.memory import Trace
from streams.engine.oversell import Oversell
from streams.engine.plan import NOWHERE, Plan

_NONE: Final[dict[str | None, Fuse]] = {}
"""The fuses of a rule that has never opened one, of all products; nothing is ever put into it."""

Memories = tuple[dict[str, int], dict[str, int], dict[str, int], dict[str, int]]

PAUSED = "paused"
ALLOWED = "allowed"


class Override:
    """An operator's word on a product. ``until`` is when it ends (ms), or None; ``since`` when it was given."""

    __slots__ = ("actor", "reason", "since", "state", "until")

    def __init__(self, state: str, since: int, until: int | None, actor: str, reason: str) -> None:
        self.state = state
        self.since = since
        self.until = until
        self.actor = actor
        self.reason = reason


class ProductState:
    """One product: clock, duplicates, evidence, fuses, override. Times in ms since 1970.

    ``sequence`` counts the product's events, ``requests`` its replenishment requests. ``memories`` hold, for each
    kind of fact (order lines with cancellations, returns, complaints, commands), the facts applied lately by
    identity, each with the clock at which it was applied, oldest first; ``traces`` are those of memories with many.
    ``due`` is the earliest timer. ``witnesses`` are the evidence of the rules of
    ``scope``, in the same places, None until it is asked for: most products are touched for one signal, which most
    rules do not see. ``dirty``: changed since it was stored. What comes after "derived" is not stored.
    """

    __slots__ = (
        "product_id", "clock", "sequence", "requests", "room_id", "category",
        "memories", "evidence", "fuses", "override",
        # derived
        "dirty", "due", "plan", "scope", "traces", "witnesses",
    )  # fmt: skip

    def __init__(self, product_id: str) -> None:
        self.product_id = product_id
        self.clock = 0
        self.sequence = 0
        self.requests = 0
        self.room_id: str | None = None
        self.category: str | None = None
        self.memories: Memories = ({}, {}, {}, {})
        self.evidence: dict[str, tuple[Kind, Evidence]] = {}
        self.fuses: dict[str, dict[str | None, Fuse]] = {}
        self.override: Override | None = None
        self.dirty = False
        self.due: int | None = None
        self.traces: dict[int, Trace] = {}
        self.plan: Plan | None = None
        self.scope = NOWHERE
        self.witnesses: list[Evidence | None] = []

    def watch(self, plan: Plan) -> None:
        """Find the rules that see the product now; drop evidence of rules that are gone."""
        self.plan = plan
        armed = plan.armed
        evidence = self.evidence
        gone = []
        for rule_id, (kind, known) in evidence.items():
            rule = armed.get(rule_id)
            if rule is None or rule.since != known.since or rule.made is not kind:
                gone.append(rule_id)
        for rule_id in gone:
            del evidence[rule_id]
        scope = self.scope = plan.scope(self.product_id, self.room_id, self.category)
        self.witnesses = [None] * len(scope.rules)

    def witness(self, place: int) -> Evidence:
        """Return the evidence of a rule of the scope, linked to its limits and its fuses."""
        witness = self.witnesses[place]
        if witness is None:
            rule, limits = self.scope.rules[place]
            found = self.evidence.get(rule.id)
            if found is None:
                found = self.evidence[rule.id] = (rule.made, rule.made.evidence(rule.since))
            witness = self.witnesses[place] = found[1]
            witness.arm(limits, self.fuses.get(rule.id, _NONE))
        return witness

    def fuse(self, rule_id: str, sku_id: str | None) -> Fuse:
        """Return a fuse of a rule that sees the product; a new one is closed."""
        fuses = self.fuses.get(rule_id)
        if fuses is None:
            fuses = self.fuses[rule_id] = self.evidence[rule_id][1].fuses = {}
        fuse = fuses.get(sku_id)
        if fuse is None:
            fuse = fuses[sku_id] = Fuse(rule_id, sku_id)
        return fuse

    def seeing(self) -> list[tuple[str, Evidence]]:
        """Return the evidence of the rules that see the product now and know something of it, by rule id."""
        return [
            (rule.id, self.witness(place))
            for place, (rule, _) in enumerate(self.scope.rules)
            if rule.id in self.evidence
        ]

    def forget_oldest(self, memory: int) -> None:
        """Forget the oldest fact of a memory."""
        trace = self.traces.get(memory)
        if trace is None:
            trace = self.traces[memory] = Trace()
        trace.forget_oldest(self.memories[memory])

    def all_fuses(self) -> list[Fuse]:
        """Return every fuse that was ever open, by rule id, then SKU (none first)."""
        found: list[Fuse] = []
        for rule_id in sorted(self.fuses):
            fuses = self.fuses[rule_id]
            if fuses:
                found += sorted(fuses.values(), key=lambda fuse: (fuse.sku_id is not None, fuse.sku_id or ""))
        return found

    def reschedule(self) -> None:
        """Find the earliest timer again, after a fuse or the override has changed."""
        dues = [fuse.due for fuses in self.fuses.values() for fuse in fuses.values() if fuse.due is not None]
        if self.override is not None and self.override.until is not None:
            dues.append(self.override.until)
        self.due = min(dues, default=None)

    def forget_until_mark(self, fuse: Fuse) -> None:
        """Let the rule of a fuse that has entered probation or closed forget what its mark covers."""
        if fuse.rule_id in self.evidence:
            self.evidence[fuse.rule_id][1].forget_until(fuse.mark)

    @property
    def is_settled(self) -> bool:
        """Whether no timer runs and every fuse is closed: a rule set or a tick can change nothing."""
        if self.due is not None:
            return False
        for fuses in self.fuses.values():
            for fuse in fuses.values():
                if fuse.state != CLOSED:
                    return False
        return True

    def paused(self) -> tuple[bool, list[str]]:
        """Return what is paused now: the product, and which SKUs."""
        if self.override is not None and self.override.state == ALLOWED:
            return False, []
        whole = self.override is not None
        skus = set()
        for fuses in self.fuses.values():
            for fuse in fuses.values():
                if fuse.state == OPEN and not fuse.shadow:
                    if fuse.sku_id is None:
                        whole = True
                    else:
                        skus.add(fuse.sku_id)
        if skus and not whole:
            stocked = {
                self.product_id if name is None else name
                for _, evidence in self.evidence.values()
                if isinstance(evidence, Oversell)
                for name in evidence.stocked()
            }
            whole = bool(stocked) and stocked <= skus
        return whole, sorted(skus)
