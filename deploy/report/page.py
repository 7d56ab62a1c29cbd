"""A report as a Markdown page, in English or Chinese. Times in UTC, and beside it in another zone if one is given."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from alerts.pager import chinese, english
from alerts.pager.facts import Facts
from alerts.pager.notice import Notice
from deploy.report.incident import Incident, Known, Span
from deploy.report.markdown import table, text
from deploy.report.report import Override, Report, Times
from deploy.report.words import WORDS, Language

LISTED: Final = 10
"""How many ids of evidence are listed."""

_EXACT_BELOW_MS: Final = 10_000
_MODULES: Final = {"en": english, "zh": chinese}


def render(report: Report, language: Language = "en", zone: ZoneInfo | None = None) -> str:
    """Return the page; it ends with a line feed."""
    return "\n".join(_Page(report, language, zone).lines()) + "\n"


class _Page:
    def __init__(self, report: Report, language: Language, zone: ZoneInfo | None) -> None:
        self._report = report
        self._words = WORDS[language]
        self._said = _MODULES[language]
        self._zone = zone

    def lines(self) -> Iterator[str]:
        words, period = self._words, self._report.period
        yield f"# {words.title.format(begin=_utc(period.begin_ms), end=_utc(period.end_ms))}"
        if self._zone is not None:
            begin, end = (_moment(each, self._zone) for each in (period.begin_ms, period.end_ms))
            yield from ("", f"{text(self._zone.key)}: {begin} – {end}")
        if period.product_id is not None:
            yield from ("", words.of_product.format(product=text(period.product_id)))
        if period.room_id is not None:
            yield from ("", words.of_room.format(room=text(period.room_id)))
        yield from self._summary()
        if self._report.incidents:
            yield from ("", f"## {words.incidents}")
        for number, incident in enumerate(self._report.incidents, start=1):
            yield from self._incident(number, incident)
        yield from self._actions()
        yield from self._overrides()
        yield from self._briefly(words.shadows, words.shadows_note, self._report.shadows)
        yield from self._briefly(words.drills, words.drills_note, self._report.drills)

    def _summary(self) -> Iterator[str]:
        words, report = self._words, self._report
        yield from ("", f"## {words.summary}", "")
        counts = words.counts.format(
            count=len(report.incidents),
            open=sum(each.end is None for each in report.incidents),
            before=sum(self._is_from_before(each) for each in report.incidents),
        )
        yield counts if report.incidents else words.nothing
        yield words.apart.format(
            shadows=len(report.shadows), drills=len(report.drills), overrides=len(report.overrides)
        )
        if not report.incidents:
            return
        yield ""
        yield from table(
            words.columns,
            (
                [
                    words.all_rules if row.rule is None else text(row.rule),
                    str(row.number),
                    str(row.open),
                    *(self._times(each) for each in (row.detected, row.acknowledged, row.ended)),
                ]
                for row in report.rows
            ),
        )
        yield ""
        yield from (f"- {each}" for each in words.how)

    def _incident(self, number: int, incident: Incident) -> Iterator[str]:
        words, first, opening = self._words, incident.first, incident.opening
        parts = [words.product.format(product=text(first.product_id))]
        if first.sku_id is not None:
            parts.append(words.sku.format(sku=text(first.sku_id)))
        if first.room_id is not None:
            parts.append(words.room.format(room=text(first.room_id)))
        severity = self._said.SEVERITIES[first.severity or "info"]
        parts += [text(incident.key.rule), severity, words.opening.format(epoch=incident.key.epoch)]
        yield from ("", f"### {number}. {' · '.join(parts)}", "")
        if opening is None:
            yield words.gone
        else:
            yield f"**{text(self._sentence(opening))}**"
            if self._is_from_before(incident):
                yield words.open_before
        if incident.end is None:
            yield words.still_open
        evidence = (opening.event.cause.evidence or ()) if opening is not None else ()
        if evidence:
            ids = ", ".join(text(each) for each in evidence[-LISTED:])
            more = len(evidence) - LISTED
            listed = words.more_evidence.format(ids=ids, more=more) if more > 0 else ids
            yield from ("", words.evidence.format(count=len(evidence), ids=listed))
        yield ""
        yield from table(words.measured_by, self._measures(incident))
        yield ""
        yield from self._timeline(incident.timeline)

    def _measures(self, incident: Incident) -> Iterator[Sequence[str]]:
        words = self._words
        yield [words.detected, self._length(incident.detected_ms), words.not_known]
        yield [words.paged, words.not_told, words.not_told]
        for label, without, known, span in (
            (words.acknowledged, words.answered, incident.acknowledged, incident.until_acknowledged),
            (words.ended, words.columns[-1], incident.end, incident.until_end),
        ):
            name = without if known is None else label.format(who=self._who(known))
            yield [name, *self._span(known, span)]

    def _span(self, known: Known | None, span: Span | None) -> Sequence[str]:
        if known is None:
            return [self._words.not_yet] * 2
        return [self._length(each) for each in span or (None, None)]

    def _timeline(self, events: Sequence[Known]) -> Iterator[str]:
        yield from table(
            [*self._clocks(), *self._words.timeline],
            (
                [*self._at(each.event.occurred_at), each.event.type, self._who(each), text(self._story(each))]
                for each in events
            ),
        )

    def _actions(self) -> Iterator[str]:
        yield from ("", f"## {self._words.actions}", "")
        if not self._report.actions:
            yield self._words.no_actions
            return
        _, by, what = self._words.timeline
        yield from table(
            [*self._clocks(), self._words.override_columns[0], by, what],
            (
                [
                    *self._at(each.event.occurred_at),
                    text(each.event.product_id),
                    self._who(each),
                    text(self._story(each)),
                ]
                for each in self._report.actions
            ),
        )

    def _overrides(self) -> Iterator[str]:
        if not self._report.overrides:
            return
        yield from ("", f"## {self._words.overrides}", "")
        yield from table([*self._clocks(), *self._words.override_columns], map(self._override, self._report.overrides))

    def _override(self, override: Override) -> Sequence[str]:
        begin, end = override
        event = begin.event
        lasted = self._words.holds if end is None else self._length(end.event.occurred_at - event.occurred_at)
        return [
            *self._at(event.occurred_at),
            text(event.product_id),
            text(event.cause.action or "-"),
            self._who(begin),
            text(event.reason or "-"),
            lasted,
            "-" if end is None else self._who(end),
        ]

    def _briefly(self, heading: str, note: str, incidents: Sequence[Incident]) -> Iterator[str]:
        if not incidents:
            return
        yield from ("", f"## {heading}", "", note, "")
        yield from table(
            [*self._clocks(), *self._words.short_columns],
            (
                [
                    *self._at(each.first.occurred_at),
                    text(each.key.product_id),
                    text(each.key.rule),
                    str(each.key.epoch),
                    self._length(each.detected_ms),
                    self._span(each.acknowledged, each.until_acknowledged)[1],
                    self._span(each.end, each.until_end)[1],
                ]
                for each in incidents
            ),
        )

    def _is_from_before(self, incident: Incident) -> bool:
        return incident.opening is None or incident.opening.event.occurred_at < self._report.period.begin_ms

    def _sentence(self, known: Known) -> str:
        return next(self._said.sentences(Facts(Notice.of(known.event), self._zone or UTC)), "")

    def _story(self, known: Known) -> str:
        reason = known.event.reason
        return f"{self._sentence(known)} {self._words.reason.format(reason=reason) if reason else ''}"

    def _who(self, known: Known) -> str:
        actor = known.event.actor
        return self._words.actors.get(actor) or text(actor.removeprefix("operator:"))

    def _clocks(self) -> list[str]:
        return ["UTC"] if self._zone is None else ["UTC", text(self._zone.key)]

    def _at(self, time_ms: int) -> list[str]:
        return [_moment(time_ms, each) for each in (UTC, self._zone) if each is not None]

    def _times(self, times: Times) -> str:
        if times.median_ms is None:
            return self._words.not_yet if times.number else "-"
        median, worst = self._length(round(times.median_ms)), self._length(times.worst_ms)
        return self._words.times.format(median=median, worst=worst, count=times.number)

    def _length(self, time_ms: int | None) -> str:
        if time_ms is None:
            return self._words.not_known
        sign, length = ("-" if time_ms < 0 else ""), abs(time_ms)
        if length < _EXACT_BELOW_MS:
            return f"{sign}{length / 1000:.2f} {self._words.second}"
        return f"{sign}{self._said.duration(timedelta(milliseconds=length))}"


def _utc(time_ms: int) -> str:
    return f"{_moment(time_ms, UTC)} UTC"


def _moment(time_ms: int, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(time_ms // 1000, zone):%Y-%m-%d %H:%M:%S}.{time_ms % 1000:03d}"
