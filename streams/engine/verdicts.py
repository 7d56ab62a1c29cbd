"""What a rule may say about a signal that it was shown."""

from typing import Any, Final, NamedTuple


class Trip(NamedTuple):
    """Open the fuse of ``sku_id`` (None: of the product). ``level``: the over-sell level that tripped it."""

    sku_id: str | None
    cause: dict[str, Any]
    level: int = 0


class Close(NamedTuple):
    """The evidence is gone: close the open fuse of ``sku_id``."""

    sku_id: str | None
    cause: dict[str, Any]


class Replenish(NamedTuple):
    """Ask for more stock; fields as in ``livefuse.replenishment``."""

    sku_id: str | None
    available: int
    safety_stock: int
    rate_per_second: float
    seconds_left: float | None
    suggested_quantity: int


class Nearness(NamedTuple):
    """How near a product is to a limit: 0 to 1, 1 being the limit; ``more`` as the watch list has it.

    What is a whole number is written as one: compiled, a ``float`` alone would make 3.0 of 3.
    """

    nearness: float
    measured: int | float
    limit: int | float
    sku_id: str | None = None
    more: dict[str, Any] | None = None


Verdict = Trip | Close | Replenish
LATE: Final[tuple[Verdict, ...]] = ()
"""The signal is older than the rule's reach and was ignored. Compared by identity; every other verdict is not
empty.
"""


def seconds(duration_ms: int) -> int | float:
    """Return a duration for a ``cause``: whole seconds as int."""
    return duration_ms / 1000 if duration_ms % 1000 else duration_ms // 1000
