"""What a notice says, in Chinese, English or both: plain text, made from nothing but the event.

A text has a summary (one line) and sentences, each one line: what was measured and against which limit, what it means
for the host, what to do, since when, on which evidence. Nothing here is markup: a channel escapes whole lines for the
markup that it writes. A complaint's words are in no event, and so in no text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, Literal, NamedTuple

from alerts.pager import chinese, english
from alerts.pager.facts import Facts
from alerts.pager.notice import Notice
from schemas.rules import Severity

Language = Literal["zh", "en", "both"]

RANKS: Final[Mapping[Severity, int]] = {"critical": 0, "warning": 1, "info": 2}
"""The most severe first."""

_MODULES: Final = {"zh": (chinese,), "en": (english,), "both": (chinese, english)}
_LINKS: Final = {"zh": chinese.CONSOLE, "en": english.CONSOLE, "both": f"{chinese.CONSOLE} · {english.CONSOLE}"}


class Text(NamedTuple):
    """One notice in words. The sentences stand in the order in which they matter."""

    summary: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one channel: its language, and the zone in which it tells times."""

    language: Language = "en"
    zone: tzinfo = UTC

    def text(self, notice: Notice) -> Text:
        """Say all of a notice. In both languages the English summary is the first sentence after the Chinese ones."""
        facts = Facts(notice, self.zone)
        first, *others = _MODULES[self.language]
        sentences = [*first.sentences(facts)]
        for other in others:
            sentences += [other.summary(facts), *other.sentences(facts)]
        return Text(first.summary(facts), tuple(sentences))

    def summary(self, notice: Notice) -> str:
        """Say a notice in one line."""
        return " / ".join(module.summary(Facts(notice, self.zone)) for module in _MODULES[self.language])

    def description(self, notice: Notice) -> str:
        """Say what the summary leaves out, one sentence a line."""
        return "\n".join(self.text(notice).sentences)

    def title(self, notices: Sequence[Notice]) -> str:
        """Say how many notices of which severity there are."""
        counts = {severity: sum(notice.severity == severity for notice in notices) for severity in RANKS}
        return " / ".join(
            module.TITLE.format(
                count=len(notices),
                severities=" · ".join(
                    f"{module.SEVERITIES[severity]} {count}" for severity, count in counts.items() if count
                ),
            )
            for module in _MODULES[self.language]
        )

    def more(self, count: int) -> str:
        """Say that so many notices are left out."""
        return " / ".join(module.MORE.format(count=count) for module in _MODULES[self.language])

    @property
    def cut(self) -> str:
        """Say that a text is cut."""
        return " / ".join(module.CUT for module in _MODULES[self.language])

    @property
    def link(self) -> str:
        """The words of the link to the console."""
        return _LINKS[self.language]
