"""`livefuse report`: what happened, who did what, and how long it took: the post-mortem of a period."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import note, standard_output

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def report(
    *,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="From when: 2026-11-11T12:00:00Z, or 2h (so long ago).")
    ],
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="To when; it is not in it any more. By default, now.")
    ] = None,
    product: Annotated[str | None, typer.Option("--product", help="Only this product_id.")] = None,
    room: Annotated[str | None, typer.Option("--room", help="Only what opened in this room.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to this file.")] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Tell times in this zone too: Asia/Shanghai.")
    ] = None,
    language: Annotated[Literal["en", "zh"], typer.Option("--language", help="Of the page: en, zh.")] = "en",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the post-mortem of a period as Markdown, from the fuse events alone.

    All incidents that were open within it, from their beginning to their end: timeline, evidence, who did what, times.
    Exercises and rules in shadow are apart. With --json the same as data, times in UTC.
    """
    import asyncio

    import orjson

    from deploy.report.data import as_json as data_of
    from deploy.report.page import render
    from deploy.report.reading import read_events
    from deploy.report.report import Period
    from deploy.report.report import report as report_of

    now_ms = time.time_ns() // 1_000_000
    begin_ms, end_ms = _moment("--from", begin, now_ms), now_ms if end is None else _moment("--to", end, now_ms)
    if begin_ms >= end_ms:
        raise typer.BadParameter("must be before --to", param_hint="--from")
    local = None if zone is None else _zone(zone)
    settings = load_settings(config)
    events = asyncio.run(read_events(settings.kafka_config(), settings.topics, product))
    found = report_of(Period(begin_ms, end_ms, product, room), events)
    if as_json:
        written = orjson.dumps(data_of(found), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2)
    else:
        written = render(found, language, local).encode()
    if out is None:
        standard_output().write(written)
        return
    try:
        out.write_bytes(written)
    except OSError as error:
        raise typer.BadParameter(f"{out} cannot be written: {error.strerror or error}", param_hint="--out") from error
    note(f"{out} written.")


def _moment(option: str, said: str, now_ms: int) -> int:
    from schemas.durations import milliseconds, parse_duration
    from schemas.times import to_ms

    try:
        return to_ms(int(said) if said.isdecimal() else said)
    except ValueError as problem:
        try:
            return to_ms(now_ms - milliseconds(parse_duration(said)))
        except ValueError:
            words = f"{said}: {problem}, or a duration, such as 2h"
            raise typer.BadParameter(words, param_hint=option) from None


def _zone(name: str) -> "ZoneInfo":
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        words = f"{name}: must be the name of a time zone, such as Asia/Shanghai, that this machine knows"
        raise typer.BadParameter(words, param_hint="--zone") from None
