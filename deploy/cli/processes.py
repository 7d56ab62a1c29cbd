"""`livefuse intake` and `livefuse worker`: one process each. Logs go to standard error; SIGTERM and Ctrl-C drain."""

from typing import TYPE_CHECKING

import typer

from deploy.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.settings import Settings
    from streams.config import IntakeConfig


def intake(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run an intake: input topics in, frames and dead letters out.

    With --json its log lines are JSON. SIGTERM and Ctrl-C let it finish what it has begun.
    """
    import asyncio

    asyncio.run(_run_intake(_begin(config, as_json=as_json).intake_config()))


def worker(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run a worker: frames in, fuse events out.

    With --json its log lines are JSON. SIGTERM and Ctrl-C let it finish what it has begun.
    """
    settings = _begin(config, as_json=as_json)

    from streams.worker.process import run

    raise typer.Exit(run(settings.worker_config()))


def _begin(config: "Path | None", *, as_json: bool) -> "Settings":
    from deploy.logs import configure
    from deploy.settings import Settings

    settings = Settings.load(config)
    configure(settings.log.level, "json" if as_json else settings.log.format)
    return settings


async def _run_intake(config: "IntakeConfig") -> None:
    import asyncio
    import signal

    from streams.intake.intake import run

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(config, stop)
