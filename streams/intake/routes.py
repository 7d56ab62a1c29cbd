"""Routes: which partition of the signals topic a signal goes to. Pure, and compiled in the wheel."""

from collections.abc import Sequence
from typing import Final

from schemas.topics import partition_of
from streams.engine.signals import RULES, TICK, Signal

_KNOWN_PRODUCTS: Final = 200_000


class Routes:
    """The way to the queues, one of each partition in their order, which stay the same lists for ever."""

    def __init__(self, queues: Sequence[list[Signal]]) -> None:
        self._queues = list(queues)
        # A product's own queue: to look up its number first would be a step more for every signal.
        self._known: dict[str, list[Signal]] = {}

    def put(self, signals: Sequence[Signal]) -> list[int]:
        """Append signals to the queues of their products, in their order.

        Where a tick stands in front of a late signal, it goes where that goes. Return how many of them each queue got.
        """
        known = self._known
        ticks = [0] * len(self._queues)
        place: Signal | None = None
        for signal in signals:
            queue = known.get(signal[4])
            if queue is None:
                if signal[0] == TICK:
                    place = signal
                    continue
                if signal[0] == RULES:
                    for number in range(len(self._queues)):
                        self._place(number, place, ticks)
                        self._queues[number].append(signal)
                    place = None
                    continue
                queue = self._queues[self._number(signal[4])]
                if len(known) >= _KNOWN_PRODUCTS:
                    known.clear()
                known[signal[4]] = queue
            if place is not None:
                self._place(self._number(signal[4]), place, ticks)
                place = None
            queue.append(signal)
        return ticks

    def _number(self, product_id: str) -> int:
        return partition_of(product_id, len(self._queues))

    def _place(self, number: int, place: Signal | None, ticks: list[int]) -> None:
        if place is not None:
            self._queues[number].append(place)
            ticks[number] += 1
