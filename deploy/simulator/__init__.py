"""A livestream sale made up from a seed: orders, returns, complaints, stock levels, labelled incidents and traps.

An incident must open a fuse of the default rules, at the time that its label says; a trap looks like one and must not;
nothing else may. Everything is a pure function of the `SaleConfig`: the same config gives the same bytes.
"""

from deploy.simulator.capture import CaptureRecord
from deploy.simulator.config import SaleConfig
from deploy.simulator.labels import Label
from deploy.simulator.sale import Sale, simulate

__all__ = ["CaptureRecord", "Label", "Sale", "SaleConfig", "simulate"]
