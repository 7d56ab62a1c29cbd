"""The inbox of a partition: frames that came while its lane was not ready for them, in the order in which they came.

It is bounded by bytes. Of a frame that finds no room the value is dropped and the rest kept: the lane reads it from the
broker again when it is its turn, and it is acknowledged like any other.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Of all partitions together."""

Acknowledge = Callable[[], object]


class Delivery(NamedTuple):
    """A frame as it was handed to us.

    ``dropped``: its value is not here any more. ``written_ms``: wall clock when it was written, 0 if nobody said so.
    """

    offset: int
    value: bytes | None
    acknowledge: Acknowledge
    dropped: bool = False
    written_ms: int = 0


class Inbox:
    """Deliveries of one partition."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._deliveries: deque[Delivery] = deque()

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def first(self) -> Delivery | None:
        """Return the delivery that came first, None when nothing waits."""
        return self._deliveries[0] if self._deliveries else None

    def put(self, delivery: Delivery) -> None:
        """Add a delivery behind the others."""
        size = len(delivery.value or b"")
        if self._bytes + size > self._limit_bytes:
            delivery, size = delivery._replace(value=None, dropped=True), 0
        self._bytes += size
        self._deliveries.append(delivery)

    def put_back(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries, which are here in any case, before the others."""
        for delivery in reversed(list(deliveries)):
            self._bytes += len(delivery.value or b"")
            self._deliveries.appendleft(delivery)

    def take(self, wanted: int) -> Delivery | None:
        """Remove and return the first delivery, if it is the wanted one, and whole, or an earlier one."""
        if not self._deliveries:
            return None
        first = self._deliveries[0]
        if first.offset > wanted or (first.offset == wanted and first.dropped):
            return None
        self._deliveries.popleft()
        self._bytes -= len(first.value or b"")
        return first

    def claim(self, offset: int) -> Acknowledge | None:
        """Remove a delivery without its value, for the frame was read; return how to acknowledge it, if it is here."""
        for place, each in enumerate(self._deliveries):
            if each.offset == offset and each.dropped:
                del self._deliveries[place]
                return each.acknowledge
            if each.offset > offset:
                break
        return None

    def missing(self, wanted: int) -> int | None:
        """Return the offset in front of which frames must be read from the broker; None when nothing waits."""
        if not self._deliveries:
            return None
        return next(
            (each.offset for each in self._deliveries if each.offset >= wanted and not each.dropped),
            max(self._deliveries[-1].offset + 1, wanted),
        )
