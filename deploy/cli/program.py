"""The program: all commands under one name, and how their failures are told.

The same cause has the same exit code in every command (docs/exit-codes.md). A failure is one message on standard error
and never a traceback; with --json it is one JSON object there, `{"error": ..., "next": ...}`.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deploy.cli import (
    console,
    convert,
    dlq,
    doctor,
    drill,
    forget,
    fuse,
    processes,
    produce,
    replay,
    report,
    rules,
    simulate,
    topics,
    up,
)

FAILED = 1
INTERRUPTED = 130
READER_GONE = 141

EXIT_CODES = """\
Exit codes: 0 done; 1 it did not work, or something is wrong; 2 what was given is wrong: usage, settings, files, topics;
3 the broker; 4 the signals log; 130 interrupted; 141 the reader of the output went away (docs/exit-codes.md)."""


class _Commands(TyperGroup):
    """The commands; what they may fail by is told here, for people or for programs."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Run, and end the process with the exit code."""
        from schemas.errors import LivefuseError

        given = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in (given[: given.index("--")] if "--" in given else given)
        try:
            code = super().main(given, *more, **options | {"standalone_mode": False})
        except LivefuseError as error:
            _tell(str(error), error.next_step, as_json=as_json)
            sys.exit(error.exit_code)
        except typer.TyperException as error:
            if as_json:
                context = getattr(error, "ctx", None)
                command = context.command_path if context else self.name
                _tell(error.format_message(), f"See `{command} --help`.", as_json=True)
            else:
                error.show()  # type: ignore[attr-defined]  # all that Typer raises has it
            sys.exit(error.exit_code)
        except OSError as error:
            # What a command opens it reports itself; this is what standard output does not take.
            words = f"standard output cannot be written: {error.strerror or error}."
            _tell(words, "Look at where it goes: a full disk, a closed terminal.", as_json=as_json)
            _forget_output()
            sys.exit(FAILED)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            # What is still buffered may find the reader gone; better here than at the end of the interpreter.
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            _forget_output()
            raise typer.Exit(READER_GONE) from error
        return result


def _tell(error: str, next_step: str, *, as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps({"error": error, "next": next_step}).decode(), err=True)
    else:
        typer.echo(f"livefuse: {error}", err=True)


def _forget_output() -> None:
    """Let nothing that is still buffered fail once more at the end of the interpreter."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=_Commands,
    name="livefuse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
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
app.add_typer(console.app, name="console")
app.add_typer(topics.app, name="topics")
app.command("replay")(replay.replay)
app.add_typer(rules.app, name="rules")
app.add_typer(fuse.app, name="fuse")
app.add_typer(dlq.app, name="dlq")
app.command("produce")(produce.produce)
app.command("simulate")(simulate.simulate)
app.add_typer(convert.app, name="convert")
app.command("drill")(drill.drill)
app.command("forget")(forget.forget)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run `livefuse` with the arguments of this process."""
    app(prog_name="livefuse")
