"""The rule kinds. To add one: write its file, and its line here (and its limits in ``schemas``).

A kind has two classes. ``Limits(rule, limits)`` is a rule's limits for one scope, ready to compare. The other keeps
the evidence of one product for one rule; besides what :class:`Evidence` lists, it has an ``on_...`` method for each
kind of signal that it wants to see (``on_order``, ``on_cancellation``, ``on_return``, ``on_complaint``,
``on_stock``). Those get the signal and the product's clock, and return verdicts, LATE, or None.
"""

from typing import Any, Final, NamedTuple, Protocol

from streams.engine import complaint_surge, oversell, return_spike
from streams.engine.fuse import Fuse
from streams.engine.verdicts import Nearness


class Evidence(Protocol):
    """What one rule knows of one product. ``since``: the version of the rule set with which it began."""

    since: int

    def __init__(self, since: int) -> None: ...

    def arm(self, limits: Any, fuses: dict[str | None, Fuse]) -> None:
        """Take the limits in force, and the fuses of this rule by SKU."""

    def forget_until(self, mark: int) -> None:
        """Let nothing that is known at ``mark`` (ms) trip the fuse again."""

    def nearness(self, clock: int) -> Nearness | None:
        """Tell how near the limit is, for the watch list; None when nothing counts."""

    def encode(self, clock: int) -> list[Any] | None:
        """Return the evidence as a JSON array, times relative to the clock; None when there is none."""

    def decode(self, data: list[Any], clock: int) -> None:
        """Take back what :meth:`encode` returned."""


class Kind(NamedTuple):
    """A rule kind. ``code`` stands for it in stored states and never changes its meaning."""

    code: str
    evidence: type[Evidence]
    limits: type[Any]


KINDS: Final[dict[str, Kind]] = {
    "complaint_surge": Kind("c", complaint_surge.ComplaintSurge, complaint_surge.Limits),
    "return_spike": Kind("r", return_spike.ReturnSpike, return_spike.Limits),
    "oversell": Kind("o", oversell.Oversell, oversell.Limits),
}
BY_CODE: Final = {kind.code: kind for kind in KINDS.values()}
