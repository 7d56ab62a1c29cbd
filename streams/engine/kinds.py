"""The rule kinds. To add one: write its file, and its line here (and its limits in ``schemas``).

A kind has two classes. ``Limits(rule, limits)`` is a rule's limits for one scope, ready to compare. The other keeps
the evidence of one product for one rule: an :class:`Evidence` with an ``on_...`` method for each kind of signal that it
wants to see.
"""

from typing import Any, Final, NamedTuple

from streams.engine import complaint_surge, oversell, return_spike
from streams.engine.evidence import Evidence


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
