"""The program: all commands under one name, and how their failures are told.

Exit codes: 0 done; 1 something is wrong, or nobody answered; 2 wrong usage, settings or topics; 3 the broker; 4 the
signals log; 130 interrupted; 141 the reader of our output went away.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deploy.cli import convert, dlq, doctor, fuse, processes, produce, replay, rules, simulate, topics, up

INTERRUPTED = 130
READER_GONE = 141


class _Commands(TyperGroup):
    """The commands, with expected failures said in one short message and without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        from schemas.errors import LivefuseError

        try:
            result = super().invoke(ctx)
            # What is still buffered may find the reader gone; better here than at the end of the interpreter.
            sys.stdout.flush()
        except LivefuseError as error:
            typer.echo(f"livefuse: {error}", err=True)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(READER_GONE) from error
        except OSError as error:
            # What a command opens it reports itself; this is what standard output does not take.
            typer.echo(f"livefuse: standard output cannot be written: {error.strerror or error}.", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from error
        return result


app = typer.Typer(
    cls=_Commands,
    name="livefuse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"livefuse {version('livefuse')}")
        except PackageNotFoundError:
            typer.echo("livefuse, not installed")
        raise typer.Exit


def _version(value: bool) -> None:  # noqa: FBT001 (Typer calls it by position)
    _print_version(wanted=value)


@app.callback()
def _livefuse(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Circuit breakers for products in a livestream sale.

    LIVEFUSE_BOOTSTRAP_SERVERS=host:port,... names the broker. `livefuse up` needs none: it starts its own.
    """
    del version


app.command("up")(up.up)
app.command("intake")(processes.intake)
app.command("worker")(processes.worker)
app.command("pager")(processes.pager)
app.add_typer(topics.app, name="topics")
app.command("replay")(replay.replay)
app.add_typer(rules.app, name="rules")
app.add_typer(fuse.app, name="fuse")
app.add_typer(dlq.app, name="dlq")
app.command("produce")(produce.produce)
app.command("simulate")(simulate.simulate)
app.add_typer(convert.app, name="convert")
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run `livefuse` with the arguments of this process."""
    app(prog_name="livefuse")
