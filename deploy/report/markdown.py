"""Markdown as GitHub and GitLab read it: text from outside stands in it as text."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from alerts.pager.facts import clean

_MARKUP: Final = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~&!$"})


def text(said: str) -> str:
    """Return a text as one line without markup."""
    return clean(said).translate(_MARKUP)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table; the cells are Markdown."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
