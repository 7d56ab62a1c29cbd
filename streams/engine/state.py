"""What is remembered of one product."""

from collections.abc import Iterator
from itertools import islice

from streams.engine.evidence import Evidence
from streams.engine.fuse import CLOSED, OPEN, Fuse
from streams.engine.kinds import KINDS, Kind
from streams.engine.oversell import Oversell
from streams.engine.plan import NOWHERE, Plan

REMEMBERED = 1_024
"""How many facts of a kind are remembered."""
MEMORY_MS = 60 * 60_000
"""How much later, by the product's clock, a repeat of a fact is still recognised."""

_FOUND_AT_ONCE = 256

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
    identity, each with the clock at which it was applied, oldest first; ``leaving`` are, by memory, the facts that it
    will forget next, the oldest last. ``due`` is the earliest timer. ``witnesses`` are the evidence of the rules of
    ``scope``, in the same places. ``dirty``: changed since it was stored. What comes after "derived" is not stored.
    """

    __slots__ = (
        "product_id", "clock", "sequence", "requests", "room_id", "category",
        "memories", "evidence", "fuses", "override",
        # derived
        "dirty", "due", "leaving", "plan", "scope", "witnesses",
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
        self.leaving: dict[int, list[str]] = {}
        self.plan: Plan | None = None
        self.scope = NOWHERE
        self.witnesses: tuple[Evidence, ...] = ()

    def watch(self, plan: Plan) -> None:
        """Link the evidence of the rules that see the product now; drop evidence of rules that are gone."""
        self.plan = plan
        armed = plan.armed
        self.evidence = {
            rule_id: (kind, evidence)
            for rule_id, (kind, evidence) in self.evidence.items()
            if rule_id in armed and armed[rule_id].since == evidence.since and KINDS[armed[rule_id].kind] is kind
        }
        scope = self.scope = plan.scope(self.product_id, self.room_id, self.category)
        witnesses = []
        for rule, limits in scope.rules:
            if rule.id not in self.evidence:
                kind = KINDS[rule.kind]
                self.evidence[rule.id] = (kind, kind.evidence(rule.since))
            evidence = self.evidence[rule.id][1]
            evidence.arm(limits, self.fuses.setdefault(rule.id, {}))
            witnesses.append(evidence)
        self.witnesses = tuple(witnesses)

    def seeing(self) -> Iterator[tuple[str, Evidence]]:
        """Yield the evidence of the rules that see the product now, by rule id."""
        for (rule, _), evidence in zip(self.scope.rules, self.witnesses, strict=True):
            yield rule.id, evidence

    def forget_oldest(self, memory: int) -> None:
        """Forget the oldest fact of a memory.

        A dict is slow to find its first key where many before it are gone; so a number of them are found at once.
        """
        facts = self.memories[memory]
        leaving = self.leaving.get(memory)
        if not leaving:
            leaving = self.leaving[memory] = list(islice(facts, _FOUND_AT_ONCE))
            leaving.reverse()
        del facts[leaving.pop()]

    def all_fuses(self) -> Iterator[Fuse]:
        """Yield every fuse that was ever open, by rule id, then SKU (none first)."""
        for rule_id in sorted(self.fuses):
            fuses = self.fuses[rule_id]
            yield from sorted(fuses.values(), key=lambda fuse: (fuse.sku_id is not None, fuse.sku_id or ""))

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
        return self.due is None and all(
            fuse.state == CLOSED for fuses in self.fuses.values() for fuse in fuses.values()
        )

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
