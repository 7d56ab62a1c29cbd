"""The audit over the API: the lines of the last day, and all of them as CSV."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field

from alerts.console.asked import CLIENT, IDENTITY
from alerts.console.audit import Audit, AuditUnavailable, entry_of, line
from alerts.console.config import ConsoleConfig
from alerts.console.identity import Identity
from alerts.console.models import Audit as AuditAnswer
from alerts.console.refused import Refused, answer, query_of
from alerts.console.routes import Route
from alerts.consumer import open_consumer, reached, start_at
from schemas.audit import AuditEntry, What
from schemas.events import Moment
from schemas.ids import TextId
from schemas.times import EARLIEST_MS, END_MS, from_ms

COLUMNS: Final = tuple(AuditEntry.model_fields)

_QUERY: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_ABOUT_SESSIONS: Final = ("login", "logout", "login_failed")
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet takes a cell that begins so for a formula."""

_ROWS_AT_ONCE: Final = 500


class AuditQuery(BaseModel):
    """Which lines of the last day. `before`: the `entry_id` of the last line of the page before."""

    model_config = _QUERY

    actor: TextId | None = None
    product_id: TextId | None = None
    what: What | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200
    before: UUID | None = None


class ExportQuery(BaseModel):
    """Which lines to export: from a time on, up to before another."""

    model_config = _QUERY

    from_: Annotated[Moment, Field(alias="from")] = EARLIEST_MS
    to: Moment = END_MS - 1


class Ledger:
    """The operations that show the audit."""

    def __init__(self, config: ConsoleConfig, audit: Audit) -> None:
        self._client = config.client
        self._audit = audit
        self._exporting = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Return the operations."""
        return [
            Route(
                "GET",
                "/api/v1/audit",
                "audit",
                "The lines of the last day, newest first; other people's sign-ins only for admins",
                self._lines,
                "operator",
                {200: AuditAnswer},
                query=AuditQuery,
                errors={400: "`invalid`."},
            ),
            Route(
                "GET",
                "/api/v1/audit.csv",
                "audit_csv",
                "All lines of a time as CSV, oldest first; the export itself is written to the audit before",
                self._export,
                "admin",
                {200: "text/csv"},
                query=ExportQuery,
                errors={400: "`invalid`.", 429: "`too_many`: another export runs.", 503: "`audit_unavailable`."},
            ),
        ]

    async def _lines(self, request: web.Request) -> web.StreamResponse:
        query = query_of(request, AuditQuery)
        who = request[IDENTITY]
        found: list[AuditEntry] = []
        passed = query.before is None
        for each in self._audit.newest():
            if passed and _fits(each, query) and _may_see(who, each):
                if len(found) == query.limit:
                    return answer(AuditAnswer(entries=tuple(found), complete=False))
                found.append(each)
            passed = passed or each.entry_id == query.before
        return answer(AuditAnswer(entries=tuple(found), complete=self._audit.complete))

    async def _export(self, request: web.Request) -> web.StreamResponse:
        query = query_of(request, ExportQuery)
        if self._exporting.locked():
            raise Refused(429, "too_many", "Another export runs. Wait for its end.", retry_after=5)
        async with self._exporting:
            asked = f"{from_ms(query.from_)} to {from_ms(query.to)}"
            entry = line("export", request[IDENTITY], request[CLIENT], self._audit.now_ms, status=200, detail=asked)
            try:
                await self._audit.write(entry)
            except AuditUnavailable:
                message = "The audit cannot be written, so it is not exported."
                raise Refused(503, "audit_unavailable", message, retry_after=2) from None
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/csv; charset=utf-8",
                    "Content-Disposition": 'attachment; filename="livefuse-audit.csv"',
                    "Cache-Control": "no-store",
                }
            )
            await response.prepare(request)
            try:
                # The mark by which spreadsheets know UTF-8.
                await response.write("\ufeff".encode() + _rows([list(COLUMNS)]))
                async for rows in self._rows(query):
                    await response.write(_rows(rows))
            except (KafkaError, OSError, TimeoutError):
                # Cut off, so that nobody takes a part for all of it.
                if request.transport is not None:
                    request.transport.abort()
                return response
            await response.write_eof()
            return response

    async def _rows(self, query: ExportQuery) -> AsyncIterator[list[list[str]]]:
        """Yield the lines as cells. A line may have been written long after its time, but never before."""
        partition = TopicPartition(self._audit.topic, 0)
        seen: set[UUID] = set()
        async with open_consumer(self._client) as consumer:
            ends = await consumer.end_offsets([partition])
            found = (await consumer.offsets_for_times({partition: query.from_})).get(partition)
            start_at(consumer, {partition: ends[partition] if found is None else found.offset})
            while not await reached(consumer, ends):
                batches = await consumer.getmany(timeout_ms=200, max_records=_ROWS_AT_ONCE)
                for records in batches.values():
                    entries = [entry for each in records if (entry := entry_of(each.value)) is not None]
                    wanted = [
                        each for each in entries if query.from_ <= each.at < query.to and each.entry_id not in seen
                    ]
                    seen.update(each.entry_id for each in wanted)
                    yield [cells(each) for each in wanted]


def cells(entry: AuditEntry) -> list[str]:
    """Return a line as cells that no spreadsheet takes for formulas."""
    facts = entry.model_dump(mode="json")
    return [_harmless("" if facts[name] is None else str(facts[name])) for name in COLUMNS]


def _harmless(text: str) -> str:
    clean = text.replace("\0", "")
    return f"'{clean}" if clean.lstrip(" ").startswith(_DANGEROUS) else clean


def _rows(rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()


def _fits(entry: AuditEntry, query: AuditQuery) -> bool:
    return (
        (query.actor is None or entry.actor == query.actor)
        and (query.product_id is None or entry.product_id == query.product_id)
        and (query.what is None or entry.what == query.what)
    )


def _may_see(who: Identity, entry: AuditEntry) -> bool:
    return who.may("admin") or entry.what not in _ABOUT_SESSIONS or entry.actor == who.name
