"""`livefuse up`: everything on this machine."""

import sys
from typing import Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings


def up(
    *,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="How many workers to run.")] = 1,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo",
            help="Feed a simulated sale, or leave it out. By default it is fed if the input topics are empty.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run everything on this machine and show what happens.

    Intake, workers and a simulated sale; on an embedded broker, if none is configured. Ctrl-C ends all that it started.
    """
    import asyncio

    from deploy.up.run import Plan, run
    from deploy.up.screen import Dashboard, JsonLines, PlainLines, Screen

    settings = load_settings(config)
    screen: Screen = JsonLines() if as_json else Dashboard() if sys.stdout.isatty() else PlainLines()
    asyncio.run(run(Plan(settings, config, workers, demo), screen))
