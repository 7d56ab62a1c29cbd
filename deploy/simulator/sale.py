"""The sale: trade, aftersales, incidents and traps in one stream, as they arrive at Kafka."""

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush, merge
from itertools import islice
from operator import attrgetter
from zlib import crc32

from deploy.simulator.aftersales import Aftersales
from deploy.simulator.capture import CaptureRecord
from deploy.simulator.catalogue import Catalogue
from deploy.simulator.config import SaleConfig
from deploy.simulator.labels import Label
from deploy.simulator.messages import Message
from deploy.simulator.programme import shows
from deploy.simulator.trade import Trade


class Sale:
    """One sale. The same config makes the same records and labels."""

    def __init__(self, config: SaleConfig) -> None:
        self._config = config
        self._catalogue = Catalogue(config)
        self._played: list[tuple[int, Label]] = []
        self._clock_ms = config.start_ms

    def records(self) -> Iterator[CaptureRecord]:
        """Yield the records in the order in which they arrive, that is in order of `ts`. May be called once."""
        return islice(self._records(), self._config.records)

    def labels(self) -> tuple[Label, ...]:
        """Return the labels of all incidents and traps.

        Where only `duration` ends the sale they are known at any time. Else they are those of what has happened up to
        the last record that was taken, so ask when the records are exhausted.
        """
        if self._config.records is None and self._config.end_ms is not None:
            return tuple(episode.label for _, episodes in shows(self._config, self._catalogue) for episode in episodes)
        return tuple(label for decided_ms, label in self._played if decided_ms <= self._clock_ms)

    def _records(self) -> Iterator[CaptureRecord]:
        trade, aftersales = Trade(self._config, self._catalogue), Aftersales(self._config, self._catalogue)
        arrivals = merge(
            self._script(), trade.messages(), aftersales.returns(), aftersales.complaints(), key=attrgetter("ts_ms")
        )
        partitions, end_ms = self._config.partitions, self._config.end_ms
        offsets: Counter[tuple[str, int]] = Counter()
        for ts_ms, topic, key, value in arrivals:
            if end_ms is not None and ts_ms >= end_ms:
                return
            partition = crc32(key) % partitions
            self._clock_ms = ts_ms
            yield CaptureRecord(topic, partition, offsets[topic, partition], ts_ms, key, value)
            offsets[topic, partition] += 1

    def _script(self) -> Iterator[Message]:
        """Yield the messages of all episodes as they arrive; an episode may last longer than its show."""
        to_come: list[tuple[int, int, Message]] = []
        number = 0
        for opens_ms, episodes in shows(self._config, self._catalogue):
            while to_come and to_come[0][0] < opens_ms:
                yield heappop(to_come)[2]
            self._played += ((episode.decided_ms, episode.label) for episode in episodes)
            for episode in episodes:
                for message in episode.messages:
                    heappush(to_come, (message.ts_ms, number, message))
                    number += 1
        while to_come:
            yield heappop(to_come)[2]


def simulate(config: SaleConfig) -> Iterator[CaptureRecord]:
    """Yield the records of a sale in the order in which they arrive."""
    return Sale(config).records()
