"""`livefuse console` and the accounts of its people."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import write, write_json, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.console.accounts import AccountsFile

app = typer.Typer(invoke_without_command=True)
users = typer.Typer(
    no_args_is_help=True, help="The accounts that sign in with a password, in LIVEFUSE_CONSOLE__ACCOUNTS_FILE."
)
app.add_typer(users, name="user")

Name = Annotated[str, typer.Argument(metavar="NAME", help="1 to 64 letters, digits, and . _ - @.")]
ByStandardInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
]


@app.callback()
def console(context: typer.Context, *, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run the live console: a page on which products are watched, paused and resumed.

    It needs a way to sign in: accounts (`livefuse console user add`), a reverse proxy, or an OpenID provider. With
    --json its log lines are JSON.
    """
    if context.invoked_subcommand is not None:
        return
    from deploy.console import run
    from deploy.logs import configure
    from deploy.settings import Settings

    settings = Settings.load(config)
    configure(settings.log.level, "json" if as_json else settings.log.format)
    raise typer.Exit(run(settings))


@users.command()
def add(
    name: Name,
    *,
    role: Annotated[
        str,
        typer.Option(
            "--role",
            help="viewer looks; operator pauses and resumes too; admin reads everybody's audit too.",
            metavar="viewer|operator|admin",
        ),
    ],
    password_stdin: ByStandardInput = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an account."""
    from alerts.console.identity import ROLES

    found = next((each for each in ROLES if each == role), None)
    if found is None:
        raise typer.BadParameter(f"must be {', '.join(ROLES[:-1])} or {ROLES[-1]}", param_hint="--role")
    _accounts(config).add(name, found, _password(by_standard_input=password_stdin))
    _told(f"{name} may sign in as {role}.", {"name": name, "role": role}, as_json=as_json)


@users.command("list")
def list_(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the accounts and their roles."""
    found = _accounts(config).all()
    if as_json:
        write_json([{"name": name, "role": each.role} for name, each in found.items()])
    else:
        write_table(["name", "role"], [[name, each.role] for name, each in found.items()])


@users.command()
def password(
    name: Name, *, password_stdin: ByStandardInput = False, config: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Change the password of an account. Its sessions end."""
    accounts = _accounts(config)
    accounts.set_password(name, _password(by_standard_input=password_stdin))
    _told(f"{name} has a new password; who was signed in as {name} is not any more.", {"name": name}, as_json=as_json)


@users.command()
def remove(name: Name, *, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Remove an account. Its sessions end."""
    _accounts(config).remove(name)
    _told(f"{name} may not sign in any more.", {"name": name}, as_json=as_json)


def _accounts(config: "Path | None") -> "AccountsFile":
    from alerts.console.accounts import AccountsFile
    from schemas.errors import ConfigurationError

    path = load_settings(config).console.accounts_file
    if path is None:
        raise ConfigurationError(
            "it is not known where the accounts are: set LIVEFUSE_CONSOLE__ACCOUNTS_FILE (accounts_file in [console])."
        )
    if not path.parent.is_dir():
        raise ConfigurationError(f"LIVEFUSE_CONSOLE__ACCOUNTS_FILE={path}: there is no directory {path.parent}.")
    return AccountsFile(path)


def _password(*, by_standard_input: bool) -> str:
    """Return a password, asked for twice on a terminal; a line break at its end does not count."""
    if by_standard_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask for it: use --password-stdin", param_hint="password")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _told(text: str, content: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        write_json(content)
    else:
        write(text)
