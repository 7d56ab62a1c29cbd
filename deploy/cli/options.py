"""Options that many commands share, and the settings that they lead to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deploy.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings in TOML; LIVEFUSE_... variables win over it."),
]


def load_settings(file: Path | None) -> "Settings":
    """Read and check the settings for a command that talks to people: libraries keep their log lines to themselves."""
    import logging

    from deploy.settings import Settings

    settings = Settings.load(file)
    for name in ("aiokafka", "asyncio", "kafka"):
        logging.getLogger(name).setLevel(logging.DEBUG if settings.log.level == "debug" else logging.CRITICAL)
    return settings


def user() -> str:
    """Return who runs this command, as far as the system knows."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
