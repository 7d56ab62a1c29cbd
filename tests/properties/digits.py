"""Choices read off a string of bytes."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Digits:
    """Every byte is one choice; past the end every choice is the first, so a string of zeros is the simplest one."""

    def __init__(self, text: bytes) -> None:
        self._bytes = iter(text)

    def below(self, end: int) -> int:
        """Return a number from 0 to end - 1; `end` is at most 256."""
        return next(self._bytes, 0) % end

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def one_in(self, many: int) -> bool:
        """Return whether the unlikely thing happens."""
        return self.below(many) == many - 1
