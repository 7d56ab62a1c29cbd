"""`livefuse intake`, `worker` and `pager`: one process each. Logs go to standard error; SIGTERM and Ctrl-C drain."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile
from deploy.cli.output import note, write_json, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.settings import Settings
    from streams.intake.status import IntakeStatus
    from streams.worker.status import WorkerStatus


def intake(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run an intake: input topics in, frames and dead letters out.

    With --json its log lines are JSON. SIGTERM and Ctrl-C let it finish what it has begun.
    """
    import asyncio

    asyncio.run(_run_intake(_begin_without_garbage(config, as_json=as_json)))


def worker(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Run a worker: frames in, fuse events out.

    With --json its log lines are JSON. SIGTERM and Ctrl-C let it finish what it has begun.
    """
    settings = _begin_without_garbage(config, as_json=as_json)

    from streams.worker.lean import load_faust

    load_faust()

    from streams.worker.process import run

    raise typer.Exit(run(settings.worker_config(), lambda status: _serving_worker(settings.worker.web_port, status)))


def pager(
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Send a test to every Alertmanager and channel, say what came of it, and end."),
    ] = False,
    channels: Annotated[
        bool, typer.Option("--channels/--no-channels", help="Whether the channels of the settings are told, too.")
    ] = True,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the pager: fuse events in, Alertmanager and other channels told.

    One is enough; what it has told and what not is in Kafka, so another one may take its place at any time. With --json
    its log lines are JSON, and so is the result of --check.
    """
    from deploy.pager import check as check_channels
    from deploy.pager import run

    if check:
        from deploy.cli.options import load_settings

        settings = load_settings(config)
        found = check_channels(settings if channels else settings.without_channels())
        for doubt in found.doubts:
            note(f"warning: {doubt}")
        if as_json:
            write_json([each._asdict() for each in found.trials])
        else:
            write_table(
                ["channel", "result", "seconds"],
                [[each.channel, each.problem or "accepted", f"{each.seconds:.2f}"] for each in found.trials],
            )
        raise typer.Exit(1 if any(each.problem for each in found.trials) else 0)
    settings = _begin(config, as_json=as_json)
    raise typer.Exit(run(settings if channels else settings.without_channels()))


def _begin(config: "Path | None", *, as_json: bool) -> "Settings":
    from deploy.logs import configure
    from deploy.settings import Settings

    settings = Settings.load(config)
    configure(settings.log.level, "json" if as_json else settings.log.format)
    return settings


def _begin_without_garbage(config: "Path | None", *, as_json: bool) -> "Settings":
    import gc

    # What is imported stays, and to look for cycles in it again and again would be a tenth of the start. Later they are
    # looked for by the clock.
    gc.disable()
    return _begin(config, as_json=as_json)


async def _run_intake(settings: "Settings") -> None:
    import asyncio
    import signal

    from streams.garbage import look, look_by_the_clock
    from streams.intake.intake import run
    from streams.intake.status import IntakeStatus

    look_by_the_clock()
    looking = asyncio.create_task(look())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = settings.intake_config()
    status = IntakeStatus(config.topics.inputs)
    async with _serving_intake(settings.intake.web_port, status):
        await run(config, stop, status)
    looking.cancel()


# Only who shows metrics spends a tenth of the start on them.
def _serving_intake(port: int | None, status: "IntakeStatus") -> AbstractAsyncContextManager[object]:
    if port is None:
        return nullcontext()
    from deploy import web
    from streams.intake.metrics import IntakeCollector

    return web.serving(port, web.registry("intake", IntakeCollector(status)), status)


def _serving_worker(port: int | None, status: "WorkerStatus") -> AbstractAsyncContextManager[object]:
    if port is None:
        return nullcontext()
    from deploy import web
    from streams.worker.metrics import WorkerCollector

    return web.serving(port, web.registry("worker", WorkerCollector(status)), status)
