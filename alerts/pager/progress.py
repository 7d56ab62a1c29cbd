"""How far a channel has come in one partition of the fuse events, although it deals with them out of order.

An opening may wait for hours, for an answer or for the end of the night, while later events are long told. Kafka keeps
one offset for a group and partition, and beside it a short text. So the offset is that of the first event not dealt
with, and the text names those after it that are not dealt with either: `1 UNTIL A,B,...`, all counted from the offset;
what lies before UNTIL and is not named is done.

What became of the last few events of exercises stands behind that, `; OFFSET=OUTCOME,...`, for whoever began them.
"""

import re
from typing import Final, NamedTuple, Self

LONGEST_NOTE: Final = 4_000
"""Bytes of the text; brokers take 4,096 unless they are told otherwise."""

OUTCOMES_KEPT: Final = 4

_ROOM: Final = 40 + OUTCOMES_KEPT * 40
_NOTE: Final = re.compile(
    r"1 ([0-9]{1,18})(?: ([0-9]{1,18}(?:,[0-9]{1,18})*))?(?:; ([0-9]{1,18}=[a-z]{1,16}(?:,[0-9]{1,18}=[a-z]{1,16})*))?"
)


class Mark(NamedTuple):
    """What is kept in Kafka."""

    offset: int
    note: str


class Progress:
    """The events of a partition from `next` on have not been read; of those before, `waiting` are not dealt with."""

    def __init__(self, offset: int) -> None:
        self.next = offset
        self._waiting: set[int] = set()
        self._again: set[int] = set()
        self.outcomes: dict[int, str] = {}

    @classmethod
    def from_mark(cls, mark: Mark) -> Self:
        """Take up a mark. Whoever reads on starts at its offset. A text that cannot be read counts as none."""
        progress = cls(mark.offset)
        found = _NOTE.fullmatch(mark.note)
        if found is None:
            return progress
        progress.next = mark.offset + int(found[1])
        progress._again = {mark.offset + int(each) for each in (found[2] or "").split(",") if each}
        progress._waiting = set(progress._again)
        for each in found[3].split(",") if found[3] else ():
            offset, outcome = each.split("=")
            progress.outcomes[int(offset)] = outcome
        return progress

    @property
    def first(self) -> int:
        """The offset of the first event that is not dealt with: to be read first after a start."""
        return min(self._waiting, default=self.next)

    def __len__(self) -> int:
        return len(self._waiting)

    def has_done(self, offset: int) -> bool:
        """Tell whether an event is dealt with, in whatever way."""
        return offset < self.next and offset not in self._waiting

    def begin(self, offset: int) -> bool:
        """Note that an event was read; False if it was before, and needs nothing more."""
        if offset in self._again:
            self._again.discard(offset)
            return True
        if offset < self.next:
            return False
        self.next = offset + 1
        self._waiting.add(offset)
        return True

    def finish(self, offset: int, outcome: str | None = None) -> None:
        """Note that an event is dealt with; an `outcome` is kept until that of some later ones is."""
        self._waiting.discard(offset)
        if outcome is not None:
            self.outcomes[offset] = outcome
            for each in list(self.outcomes)[:-OUTCOMES_KEPT]:
                del self.outcomes[each]

    def pass_to(self, offset: int) -> None:
        """Note that events of a mark which lie before this offset are gone: Kafka has deleted them."""
        gone = {each for each in self._again if each < offset}
        self._again -= gone
        self._waiting -= gone

    def mark(self) -> Mark:
        """Return what to keep. If too much waits for the text, some events after it will be told again."""
        first = self.first
        until = self.next
        named: list[str] = []
        length = 0
        for each in sorted(self._waiting):
            text = str(each - first)
            length += len(text) + 1
            if length > LONGEST_NOTE - _ROOM:
                until = each
                break
            named.append(text)
        told = ",".join(f"{offset}={outcome}" for offset, outcome in self.outcomes.items())
        note = f"1 {until - first} {','.join(named)}".rstrip()
        return Mark(first, f"{note}; {told}" if told else note)
