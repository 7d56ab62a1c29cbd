"""Exercises: products that exist only to see that a page arrives. Everything that is said of them says so first."""

from typing import Final

DRILL_PREFIX: Final = "livefuse-drill-"
"""The beginning of the ids of such products. No product of a shop begins so."""


def is_drill(product_id: str) -> bool:
    """Tell whether a product belongs to an exercise."""
    return product_id.startswith(DRILL_PREFIX)
