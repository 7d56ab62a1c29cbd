"""Routes: which partition of the signals topic a signal goes to. Pure, and compiled in the wheel."""

from collections.abc import Sequence
from typing import Any, Final

from schemas.topics import partition_of
from streams.engine.signals import RULES, Signal, tick_before

_KNOWN_PRODUCTS: Final = 200_000


class Routes:
    """The way to the queues, one of each partition in their order, which stay the same lists for ever."""

    def __init__(self, queues: Sequence[list[Signal]]) -> None:
        self._queues = list(queues)
        # A product's own queue: to look up its number first would be a step more for every signal.
        self._known: dict[str, list[Signal]] = {}

    def put(self, entries: Sequence[tuple[Any, ...]]) -> list[int]:
        """Append signals to the queues of their products, in their order, each late one behind the tick of its place.

        ``entries`` are those of the merge. Return how many such ticks each queue got.
        """
        known = self._known
        places = [0] * len(self._queues)
        for entry in entries:
            signal: Signal = entry[3]
            queue = known.get(signal[4])
            if queue is None:
                if signal[0] == RULES:
                    for number in range(len(self._queues)):
                        places[number] += self._put(self._queues[number], entry)
                    continue
                queue = self._queues[self._number(signal[4])]
                if len(known) >= _KNOWN_PRODUCTS:
                    known.clear()
                known[signal[4]] = queue
            if signal[3] < entry[0]:
                places[self._number(signal[4])] += self._put(queue, entry)
            else:
                queue.append(signal)
        return places

    def _number(self, product_id: str) -> int:
        return partition_of(product_id, len(self._queues))

    def _put(self, queue: list[Signal], entry: tuple[Any, ...]) -> int:
        signal: Signal = entry[3]
        late = signal[3] < entry[0]
        if late:
            queue.append(tick_before(entry[0]))
        queue.append(signal)
        return int(late)
