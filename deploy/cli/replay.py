"""`livefuse replay`: the fuse events of captures, without a broker."""

import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import note, standard_output

if TYPE_CHECKING:
    from schemas.rules import RuleSet
    from streams.replay import DeadLetter, Summary

TOLD_EVERY = 100_000
"""Lines of a capture between two words on progress, where they stay on the screen."""


def replay(
    captures: Annotated[list[Path], typer.Argument(metavar="CAPTURE...", help="What kcat -C -J prints; .gz, .xz; -")],
    *,
    rules: Annotated[Path | None, typer.Option("--rules", metavar="FILE", help="In force from the beginning.")] = None,
    dead_letters: Annotated[
        Path | None, typer.Option("--dead-letters", metavar="FILE", help="Write records that cannot be used.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the fuse events of captures; needs no broker.

    Standard output gets the events as JSON lines and nothing else. Progress and a summary go to standard error; with
    --json the summary is JSON, too.
    """
    from deploy.captures import opened_for_reading, opened_for_writing
    from streams.engine.events import FUSE_EVENTS
    from streams.replay import Replay

    began = time.monotonic()
    with ExitStack() as stack:
        letters = stack.enter_context(opened_for_writing(dead_letters)) if dead_letters else None
        run = Replay(_rules(rules), lambda letter: _list(letter, letters))
        for capture in captures:
            name = "standard input" if str(capture) == "-" else str(capture)
            with opened_for_reading(capture) as lines:
                run.add(name, lines, lambda number, name=name: _progress(name, number))  # type: ignore[misc]
        output = standard_output()
        for each in run.outputs():
            if each.topic == FUSE_EVENTS:
                output.write(each.value)
                output.write(b"\n")
    _clear_progress()
    _summarise(run.summary, time.monotonic() - began, as_json=as_json)


def _rules(file: Path | None) -> "RuleSet":
    """Return the rules of a fresh system, or those of a file as the version that a first `rules apply` gives them."""
    from deploy.cli.rules import read
    from schemas.rules import DEFAULT_RULES

    return DEFAULT_RULES if file is None else DEFAULT_RULES.model_copy(update={"version": 1, "rules": read(file)})


def _list(letter: "DeadLetter", file: BinaryIO | None) -> None:
    import json

    if file is not None:
        # Not orjson: what is no UTF-8 in the capture is kept as it was, by escapes that orjson refuses.
        file.write(json.dumps(asdict(letter)).encode() + b"\n")


def _progress(name: str, number: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{name}: {number:,} lines")
        sys.stderr.flush()
    elif not number % TOLD_EVERY:
        note(f"{name}: {number:,} lines")


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def _summarise(summary: "Summary", seconds: float, *, as_json: bool) -> None:
    if as_json:
        import orjson

        note(orjson.dumps({**vars(summary), "seconds": round(seconds, 3)}).decode())
        return
    records = sum(summary.records.values())
    lines = [
        f"{records:,} records, {summary.signals:,} signals, {summary.products:,} products, {seconds:.1f} s",
        f"  records        {_counted(summary.records)}",
        f"  dead letters   {_counted(summary.dead_letters)}",
        f"  other topics   {_counted(summary.other_topics)}" if summary.other_topics else "",
        f"  repeats        {summary.duplicates:,}; late for a rule: {summary.late:,}",
        f"  fuse events    {_counted(summary.events)}",
        f"  fuses opened   {_counted(summary.opened)}",
        f"  replenishment  {summary.requests:,} requests",
    ]
    note("\n".join(filter(None, lines)))


def _counted(counts: "dict[str, int]") -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"
