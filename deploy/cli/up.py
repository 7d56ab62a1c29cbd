"""`livefuse up`: everything on this machine."""

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from deploy.cli.options import AsJson, ConfigFile, load_settings


def up(
    context: typer.Context,
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
    with_monitoring: Annotated[
        bool,
        typer.Option(
            "--with-monitoring",
            help="Also run Prometheus, Alertmanager and, where it is installed, Grafana, with livefuse's rules.",
        ),
    ] = False,
    console: Annotated[
        bool, typer.Option("--console/--no-console", help="Run the live console, or leave it out.")
    ] = True,
    real_channels: Annotated[
        bool,
        typer.Option(
            "--real-channels",
            help="Also tell the channels of the settings of a sale that is simulated, or on the embedded broker.",
        ),
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run everything on this machine and show what happens.

    Intake, workers, console and a simulated sale; on an embedded broker, if none is configured. Ctrl-C ends all that it
    started. Where no way to sign in is configured, the console gets two accounts for as long as it runs.

    With monitoring there is a pager, too, which tells the Alertmanager that runs beside it, and the channels of the
    settings if the sale is real. Ports are chosen, or named by LIVEFUSE_MONITORING__PROMETHEUS_PORT and so on.
    """
    import asyncio

    from deploy.up.run import Plan, run
    from deploy.up.screen import Dashboard, JsonLines, PlainLines, Screen

    if real_channels and not with_monitoring:
        raise typer.BadParameter("needs --with-monitoring: without it there is no pager", param_hint="--real-channels")
    settings = load_settings(config)
    screen: Screen = JsonLines() if as_json else Dashboard() if sys.stdout.isatty() else PlainLines()
    root = context.find_root()
    pager = isinstance(root.command, TyperGroup) and "pager" in root.command.commands
    asyncio.run(run(Plan(settings, config, workers, demo, with_monitoring, pager, console, real_channels), screen))
