"""The rule kinds. To add one: write its file, and its line here (and its limits in ``schemas.rules``).

A kind is a class that keeps the evidence of one product for one rule. It has ``arm(limits, fuses)``, ``encode``,
``decode``, ``forget_until(mark)``, ``nearness(clock)``, and an ``on_...`` method for each kind of signal that it
wants to see; those get the signal and the product's clock and return verdicts, LATE, or None.
"""

from typing import Any, Final

from streams.engine import complaint_surge, oversell, return_spike

Evidence = complaint_surge.ComplaintSurge | return_spike.ReturnSpike | oversell.Oversell

EVIDENCE: Final[dict[str, type[Evidence]]] = {
    "complaint_surge": complaint_surge.ComplaintSurge,
    "return_spike": return_spike.ReturnSpike,
    "oversell": oversell.Oversell,
}
LIMITS: Final[dict[str, Any]] = {
    "complaint_surge": complaint_surge.Limits,
    "return_spike": return_spike.Limits,
    "oversell": oversell.Limits,
}
