"""What commands write: results to standard output, everything else to standard error.

On a terminal a table is drawn; elsewhere it is lines with aligned columns, for `grep` and `awk`. JSON is one document
on one line, or indented on a terminal; commands that write record by record write JSON lines.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import orjson
import typer


def write_json(value: Any) -> None:
    """Write one JSON document."""
    options = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0)
    standard_output().write(orjson.dumps(value, default=str, option=options))


def write_json_line(value: Any) -> None:
    """Write one of many JSON values and let the reader have it at once."""
    standard_output().write(orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()


def standard_output() -> BinaryIO:
    """Return standard output for bytes; they come behind what was written as text."""
    sys.stdout.flush()
    return sys.stdout.buffer


def write(text: str = "") -> None:
    """Write a line of the result."""
    typer.echo(text)


def note(text: str) -> None:
    """Tell the person something that is not the result."""
    typer.echo(text, err=True)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows below their headings; None is shown as a dash."""
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in cells:
            table.add_row(*map(escape, row))
        Console().print(table)
        return
    lines = [[heading.upper() for heading in columns], *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def counted(number: int, noun: str) -> str:
    """Return "1 rule", "2 rules"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return text that came from outside without what could steer a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
