r"""What a lane stores of its states, little by little, so that an event need not wait for all of them.

    record M ─── states ─── states ─── record N          in livefuse.state
             events   events   events
    frames   ... M ............... N .............       in livefuse.signals

A checkpoint is begun with the lane's record of a moment; it is written when all states that had changed until then are.
Who recovers goes on behind the last record that was written, and applies again what came after it. A state that is of
a later frame says so in the header ``livefuse.frame``, and what is applied again up to that frame passes it by. With
every event the state of its product is stored: so no event comes again.

Where little has changed, a checkpoint is begun and written in one transaction. So it is in any case when other rules
are in force than in the last record, and with the first states of a log: no state is of rules or of a log that the
record does not know.
"""

from typing import NamedTuple

from streams.engine.partition import Partition
from streams.worker.alignment import Alignment
from streams.worker.store import LANE_KEY, LaneRecord, Place, headers_of
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
    """The checkpoints of a lane, one after the other.

    ``log`` counts the signals logs before this one; ``goes_on``: a record of this log was written, by a predecessor.
    """

    def __init__(self, partition: Partition, alignment: Alignment, *, log: int, goes_on: bool) -> None:
        self.partition = partition
        self.alignment = alignment
        self._log = log
        # Under way, if one is; and the version of the rules in the last one.
        self._record: LaneRecord | None = None
        self._rules: int | None = partition.plan.version if goes_on else None

    def take(self, offset: int, most: int | None) -> Stored:
        """Return what is to be written now; ``offset`` is that of the last frame that was applied.

        At least the states of products that have said something; ``most`` bytes, about, of the others: 0 is none, None
        is all. Unless ``most`` is 0, a checkpoint is begun if none is under way; with all of them in any case.
        """
        version = self.partition.plan.version
        if version != self._rules:
            most = None
        begins = most is None or (most > 0 and self._record is None)
        if begins:
            self._record = self._now()
            self.partition.mark()
        states = self.partition.take_dirty(most)
        record = None if self.partition.marked else self._record
        headers = headers_of(Place(self._log, offset) if record is None or not begins else None)
        records: list[Record] = [(product_id.encode(), value, headers) for product_id, value in states]
        size = sum(len(value) for _, value in states)
        if record is None:
            return Stored(records, size, begins, None)
        self._record, self._rules = None, version
        records.append((LANE_KEY, record.encode(), []))
        return Stored(records, size, begins, record.position)

    def _now(self) -> LaneRecord:
        alignment = self.alignment
        return LaneRecord(alignment.position, alignment.snapshot(), self.partition.snapshot(), self._log)
