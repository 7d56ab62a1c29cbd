"""Several notices in one message, and cut to the size that a service takes.

The most severe come first. What does not fit goes in this order: the sentences of the last notices, those of the first
one from its last on, the last notices themselves. A hint says what is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from alerts.pager.facts import shortened
from alerts.pager.notice import Notice
from alerts.pager.wording import RANKS, Text, Wording

_SHORTEST_SUMMARY = 32


@dataclass(frozen=True, slots=True)
class Digest:
    """Notices in words. `texts` stand beside their `notices`; `more` of them are left out, `cut`: sentences are."""

    wording: Wording
    notices: tuple[Notice, ...]
    texts: tuple[Text, ...]
    more: int = 0
    cut: bool = False

    @classmethod
    def of(cls, notices: Sequence[Notice], wording: Wording) -> "Digest":
        """Put the notices in order and into words."""
        ordered = tuple(sorted(notices, key=lambda notice: RANKS[notice.severity]))
        return cls(wording, ordered, tuple(wording.text(notice) for notice in ordered))

    @property
    def title(self) -> str:
        """One line for all: the summary of the only notice, or how many there are."""
        if len(self.notices) == 1:
            return f"livefuse {self.texts[0].summary}"
        return self.wording.title(self.notices)

    @property
    def hints(self) -> tuple[str, ...]:
        """What is left out, in words."""
        more = (self.wording.more(self.more),) if self.more else ()
        return (*more, self.wording.cut) if self.cut and not self.more else more

    @property
    def console_url(self) -> str | None:
        """Where to look: the console's page of the most severe notice that has one."""
        return next((notice.console_url for notice in self.notices if notice.console_url), None)

    def fitted(self, size: Callable[["Digest"], int], most: int) -> "Digest":
        """Return as much of it as has a `size` of at most `most`."""
        digest = self
        while size(digest) > most and (smaller := digest._smaller()) is not None:
            digest = smaller
        return digest

    def _smaller(self) -> "Digest | None":
        texts = self.texts
        long = [index for index, text in enumerate(texts) if index and text.sentences]
        if long:
            short = Text(texts[long[-1]].summary, ())
            return replace(self, texts=(*texts[: long[-1]], short, *texts[long[-1] + 1 :]), cut=True)
        summary, sentences = texts[0]
        if sentences:
            return replace(self, texts=(Text(summary, sentences[:-1]), *texts[1:]), cut=True)
        if len(texts) > 1:
            return replace(self, texts=texts[:-1], more=self.more + 1)
        if len(summary) > _SHORTEST_SUMMARY:
            return replace(self, texts=(Text(shortened(summary, len(summary) // 2), ()),), cut=True)
        return None
