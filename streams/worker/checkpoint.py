r"""What a lane stores of its states, little by little, so that an event need not wait for all of them.

    record M ─── states ─── states ─── record N          in livefuse.state
             events   events   events
    frames   ... M ............... N .............       in livefuse.signals

A checkpoint is begun with the lane's record of a moment; it is written when all states that had changed until then are.
Who recovers goes on behind the last record that was written, and applies again what came after it. A state that is of
a later frame says so in the header ``livefuse.frame``, and what is applied again up to that frame passes it by. With
every event the state of its product is stored: so no event comes again.

Where little has changed, a checkpoint is begun and written in one transaction.
"""

from typing import NamedTuple

from streams.engine.partition import Partition
from streams.worker.alignment import Alignment
from streams.worker.store import LANE_KEY, LaneRecord, headers_of
from streams.worker.writer import Record


class Stored(NamedTuple):
    """Records for ``livefuse.state``, and their bytes.

    ``begun``: a checkpoint was begun with them. ``position``: that of the checkpoint that they complete, if they do.
    """

    records: list[Record]
    size: int
    begun: bool
    position: int | None


class Checkpoints:
    """The checkpoints of a lane, one after the other."""

    def __init__(self, partition: Partition, alignment: Alignment) -> None:
        self._partition = partition
        self._alignment = alignment
        self._record: LaneRecord | None = None

    def take(self, frame: int, most: int | None) -> Stored:
        """Return what is to be written now; ``frame`` is the offset of the last one that was applied.

        At least the states of products that have said something; ``most`` bytes, about, of the others: 0 is none, None
        is all. Unless ``most`` is 0, a checkpoint is begun if none is under way; with all of them in any case.
        """
        begins = most is None or (most > 0 and self._record is None)
        if begins:
            self._record = self._now()
            self._partition.mark()
        states = self._partition.take_dirty(most)
        record = None if self._partition.marked else self._record
        headers = headers_of(frame if record is None or not begins else None)
        records: list[Record] = [(product_id.encode(), value, headers) for product_id, value in states]
        size = sum(len(value) for _, value in states)
        if record is None:
            return Stored(records, size, begins, None)
        self._record = None
        records.append((LANE_KEY, record.encode(), []))
        return Stored(records, size, begins, record.position)

    def _now(self) -> LaneRecord:
        return LaneRecord(self._alignment.position, self._alignment.snapshot(), self._partition.snapshot())
