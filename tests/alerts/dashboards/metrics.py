"""The metrics that dashboards may name, with their labels: those of docs/metrics.md, which is held to the code."""

import re
from pathlib import Path
from typing import Final

# What Prometheus adds to each series.
OF_THE_TARGET: Final = frozenset({"job", "instance"})

_DOCUMENT: Final = Path(__file__).resolve().parents[3] / "docs/metrics.md"
_ROW: Final = re.compile(r"^\| `([a-z_]+)` \|[^|]*\|([a-z_, ]*)\|", re.MULTILINE)


def metrics() -> dict[str, frozenset[str]]:
    """Return the labels of each metric, without those of the target. Histograms: without _bucket, _sum and _count."""
    found = _ROW.findall(_DOCUMENT.read_text(encoding="utf-8"))
    return {name: frozenset(labels.replace(" ", "").split(",")) - {""} for name, labels in found}
