"""What every kind of rule is made of: the evidence of one product for one rule."""

from typing import Any

from streams.engine.fuse import Fuse
from streams.engine.signals import Signal
from streams.engine.verdicts import Nearness, Verdict


class Evidence:
    """What one rule knows of one product. ``since``: the version of the rule set with which it began.

    A kind overrides the ``on_...`` methods of the signals that it wants to see, and all that come after them. They get
    the signal and the product's clock (ms), and return verdicts, LATE, or None.
    """

    __slots__ = ("fuses", "since")
    fuses: dict[str | None, Fuse]

    def __init__(self, since: int) -> None:
        self.since = since

    def on_order(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """See an order line."""
        raise NotImplementedError

    def on_cancellation(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """See a cancelled order line."""
        raise NotImplementedError

    def on_return(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """See a return."""
        raise NotImplementedError

    def on_complaint(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """See a complaint."""
        raise NotImplementedError

    def on_stock(self, signal: Signal, clock: int) -> tuple[Verdict, ...] | None:
        """See a stock level."""
        raise NotImplementedError

    def arm(self, limits: Any, fuses: dict[str | None, Fuse]) -> None:
        """Take the limits in force, and the fuses of this rule by SKU."""
        raise NotImplementedError

    def forget_until(self, mark: int) -> None:
        """Let nothing that is known at ``mark`` (ms) trip the fuse again."""
        raise NotImplementedError

    def nearness(self, clock: int) -> Nearness | None:
        """Tell how near the limit is, for the watch list; None when nothing counts."""
        raise NotImplementedError

    def encode(self, clock: int) -> list[Any] | None:
        """Return the evidence as a JSON array, times relative to the clock; None when there is none."""
        raise NotImplementedError

    def decode(self, data: list[Any], clock: int) -> None:
        """Take back what :meth:`encode` returned."""
        raise NotImplementedError
