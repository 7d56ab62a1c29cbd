"""The fuse machine: one circuit breaker of one (product, rule, SKU or none).

::

    closed ──trip──▶ open ──resume, or cool-down over──▶ probation ──quiet for its time──▶ closed
                      ▲ └──── evidence, resume (over-sell), rule gone ──▶ closed                │
                      └───────────────────── trip (tighter limit) ◀───── probation             ┘

The transitions named here are the only ones; anything else is a programming error and raises. Times are milliseconds.
"""

from typing import Any, Final

CLOSED: Final = "closed"
OPEN: Final = "open"
PROBATION: Final = "probation"

DAY_MS: Final = 86_400_000
LONGEST_COOLDOWN_MS: Final = 8 * 3_600_000
BEGINNING: Final = 0
"""A mark before every valid event time."""

TRANSITIONS: Final = frozenset(
    {(CLOSED, OPEN), (PROBATION, OPEN), (OPEN, PROBATION), (OPEN, CLOSED), (PROBATION, CLOSED)}
)


class Fuse:
    """State of one fuse.

    ``epoch`` counts openings. ``since`` is when the present state was entered. ``mark``: evidence up to this time
    may not trip the fuse. ``due``: when a timer takes it on, or None. ``openings``: the openings of the last 24 h.
    ``cause``, ``shadow`` and ``severity`` are those of the last opening. ``level``: the over-sell level at
    that opening.
    """

    __slots__ = (
        "acknowledged_by",
        "cause",
        "level",
        "due",
        "epoch",
        "mark",
        "openings",
        "rule_id",
        "severity",
        "shadow",
        "since",
        "sku_id",
        "state",
    )

    def __init__(self, rule_id: str, sku_id: str | None) -> None:
        self.rule_id = rule_id
        self.sku_id = sku_id
        self.state = CLOSED
        self.epoch = 0
        self.since = BEGINNING
        self.mark = BEGINNING
        self.due: int | None = None
        self.openings: list[int] = []
        self.cause: dict[str, Any] = {}
        self.shadow = False
        self.severity = "warning"
        self.level = 0
        self.acknowledged_by: str | None = None

    def open_on_trip(
        self, time: int, *, cause: dict[str, Any], level: int, severity: str, shadow: bool, cooldown: int | None
    ) -> None:
        """Open. ``cooldown`` is the rule's (ms) if the fuse recovers by itself, else None."""
        self._enter(OPEN, time)
        self.openings = [opening for opening in self.openings if opening > time - DAY_MS]
        if cooldown is not None:
            self.due = time + min(cooldown << min(len(self.openings), 16), LONGEST_COOLDOWN_MS)
        self.openings.append(time)
        self.epoch += 1
        self.cause = cause
        self.level = level
        self.severity = severity
        self.shadow = shadow
        self.acknowledged_by = None

    def enter_probation(self, time: int, probation: int) -> None:
        """Try again under a tighter limit, for ``probation`` ms."""
        self._enter(PROBATION, time)
        self.mark = time
        self.due = time + probation

    def close(self, time: int) -> None:
        """Close, from open or probation."""
        self._enter(CLOSED, time)
        self.mark = time

    def _enter(self, state: str, time: int) -> None:
        if (self.state, state) not in TRANSITIONS:
            msg = f"fuse {self.rule_id}/{self.sku_id} cannot go from {self.state} to {state}"
            raise ValueError(msg)
        self.state = state
        self.since = time
        self.due = None

    def encode(self) -> list[Any]:
        """Return the fuse as a JSON array (see codec)."""
        return [
            self.rule_id, self.sku_id, self.state, self.epoch, self.since, self.mark, self.due, self.openings,
            self.cause, self.shadow, self.severity, self.level, self.acknowledged_by,
        ]  # fmt: skip

    @classmethod
    def decode(cls, data: list[Any]) -> "Fuse":
        """Inverse of :meth:`encode`."""
        fuse = cls(data[0], data[1])
        (
            fuse.state, fuse.epoch, fuse.since, fuse.mark, fuse.due, fuse.openings,
            fuse.cause, fuse.shadow, fuse.severity, fuse.level, fuse.acknowledged_by,
        ) = data[2:]  # fmt: skip
        return fuse
