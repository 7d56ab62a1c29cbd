"""`livefuse rules`: check a rules file, show what is in force, put new rules in force."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings, user
from deploy.cli.output import counted, note, write, write_json

if TYPE_CHECKING:
    from schemas.rules import Rule

app = typer.Typer(no_args_is_help=True, help="Check, show and change the rules.")

RulesFile = Annotated[Path, typer.Argument(metavar="FILE", help="Rules in TOML; - is standard input.")]


@app.command()
def check(file: RulesFile, *, as_json: AsJson = False) -> None:
    """Name every error of a rules file; needs no broker."""
    from schemas.errors import RulesFileError

    try:
        rules = read(file)
    except RulesFileError as error:
        if as_json:
            write_json({"ok": False, "problems": [problem._asdict() for problem in error.problems]})
        raise
    if as_json:
        write_json({"ok": True, "rules": [rule.model_dump(mode="json") for rule in rules]})
    else:
        write(f"{file}: {counted(len(rules), 'rule')}, no errors")


@app.command()
def show(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print the rules in force as a rules file, or as JSON."""
    import asyncio

    from deploy.rule_sets import in_force
    from schemas.rules_file import render_rules
    from schemas.times import from_ms

    settings = load_settings(config)
    rules = asyncio.run(in_force(settings.kafka_config(), settings.topics))
    if as_json:
        write_json(rules.model_dump(mode="json"))
        return
    since = f"by {rules.actor} at {from_ms(rules.issued_at)}" if rules.version else "the rules of a fresh system"
    write(f"# version {rules.version}, {since}\n")
    write(render_rules(rules.rules).rstrip())


@app.command()
def apply(
    file: RulesFile,
    *,
    actor: Annotated[
        str | None, typer.Option("--actor", help="Who says so. By default, the user of this system.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes along with the rules.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change and do nothing.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Put the rules of a file in force, and print what changes.

    They take the place of all rules that are in force now. Fuses keep their state; a fuse whose rule is gone or off
    closes.
    """
    import asyncio

    from deploy.rule_sets import differences, in_force, publish, successor

    rules = read(file)
    settings = load_settings(config)
    reached = settings.kafka_config()
    before = asyncio.run(in_force(reached, settings.topics))
    after = successor(before, rules, actor or user())
    changes = list(differences(before, after))
    if changes and not dry_run:
        asyncio.run(publish(reached, settings.topics, after, reason))
    version = after.version if changes else before.version
    if as_json:
        write_json({"version": version, "published": bool(changes) and not dry_run, "changes": changes})
        return
    for change in changes:
        write(change)
    if not changes:
        note(f"nothing to do: these rules are in force, as version {before.version}")
    elif dry_run:
        note(f"nothing was done (--dry-run); this would be version {version}")
    else:
        note(f"version {version} is published; it takes effect in every partition when its intake has read it")


def read(file: Path) -> "tuple[Rule, ...]":
    """Return the rules of a file or of standard input. ConfigurationError when it cannot be read or has errors."""
    from schemas.errors import ConfigurationError
    from schemas.rules_file import read_rules

    if str(file) == "-":
        return read_rules(sys.stdin.buffer.read(), "standard input")
    try:
        return read_rules(file.read_bytes(), str(file))
    except OSError as error:
        raise ConfigurationError(f"the rules file {file} cannot be read: {error.strerror or error}.") from error
