"""A record of an input topic, as the intake sees it."""

from collections.abc import Sequence
from typing import Protocol

Header = tuple[str, bytes]


class Record(Protocol):
    """What the intake needs of a record: those that aiokafka reads have it, and what it makes of them as well."""

    @property
    def offset(self) -> int:
        """The offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970; -1 when the record has none."""

    @property
    def key(self) -> bytes | None:
        """The key's bytes."""

    @property
    def value(self) -> bytes | None:
        """The value's bytes; None in a tombstone."""

    @property
    def headers(self) -> Sequence[Header]:
        """Names and values."""
