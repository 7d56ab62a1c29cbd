"""`livefuse replay`: the fuse events of captures, without a broker."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import AsJson


def replay(
    captures: Annotated[list[Path], typer.Argument(metavar="CAPTURE...", help="kcat -C -J; .gz, .xz; - is standard input.")],
    *,
    rules: Annotated[Path | None, typer.Option("--rules", metavar="FILE", help="Rules in force from the beginning.")] = None,
    dead_letters: Annotated[
        Path | None, typer.Option("--dead-letters", metavar="FILE", help="List the records that could not be used.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the fuse events of captures to standard output, as JSON lines and nothing else."""
