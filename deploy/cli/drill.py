"""`livefuse drill`: does a page arrive? Tried with complaints about a product that does not exist."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import note, write, write_json, write_table

if TYPE_CHECKING:
    from deploy.drill.drill import Drill
    from deploy.settings import Settings


def drill(
    *,
    rule: Annotated[str, typer.Option("--rule", help="The rule to trip; it must count complaints.")] = (
        "complaint-surge"
    ),
    room: Annotated[str | None, typer.Option("--room", help="The room that the complaints come from.")] = None,
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", min=1, max=3600, help="In which time all must happen."),
    ] = 60.0,
    hold: Annotated[
        float,
        typer.Option(
            "--hold",
            metavar="SECONDS",
            min=0,
            max=600,
            help="How long the fuse stays open for Alertmanagers to pass on.",
        ),
    ] = 5.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send an exercise through the whole path, from complaints in Kafka to each Alertmanager and channel.

    It says when each step happened. Needs the settings of the pager. People are told, and read first that it is an
    exercise; at the end, also after Ctrl-C, the fuse is resumed. Ends with 0 only when everything arrived in time. That
    the receivers of an Alertmanager were reached does not show here: --hold must be longer than its group_wait.
    """
    import asyncio

    from deploy.drill.picture import COLUMNS, row

    if hold >= timeout:
        raise typer.BadParameter(f"must be less than --timeout, {timeout:g}", param_hint="--hold")
    settings = load_settings(config)
    try:
        draws = sys.stdout.isatty() and not as_json
        done = asyncio.run(_drill(settings, rule, room, (timeout, hold), draws=draws))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    if as_json:
        write_json(_as_json(done))
    else:
        if not draws:
            write_table(COLUMNS, map(row, done.steps.all))
        write()
        missing = sum(each.outcome == "missing" for each in done.steps.all)
        write(f"{missing} of {len(done.steps.all)} steps are missing." if missing else "Everything arrived.")
    if not done.is_over:
        note(_left_open(done))
    raise typer.Exit(0 if done.steps.passed else 1)


async def _drill(
    settings: "Settings", rule_id: str, room_id: str | None, seconds: tuple[float, float], *, draws: bool
) -> "Drill":
    import asyncio
    import signal
    from contextlib import nullcontext

    from deploy.drill.drill import Drill
    from deploy.drill.exercise import prepare
    from deploy.drill.picture import drawn
    from deploy.rule_sets import in_force

    if (me := asyncio.current_task()) is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    exercise = prepare(await in_force(settings.kafka_config(), settings.topics), rule_id, room_id)
    running = Drill(settings, exercise, *seconds)
    try:
        async with running:
            note(f"exercise {exercise.product_id}: {exercise.number} complaints, rule {rule_id}")
            async with drawn(running.steps) if draws else nullcontext():
                await running.run()
    except asyncio.CancelledError:
        note("interrupted; nothing is left open" if running.is_over else _left_open(running))
        raise
    return running


def _left_open(done: "Drill") -> str:
    product = done.exercise.product_id
    return (
        f"the command to resume {product} is in Kafka, but nothing has come of it yet; it counts as soon as it is "
        f"read. See later that nothing is open: livefuse fuse show {product}"
    )


def _as_json(done: "Drill") -> dict[str, Any]:
    exercise = done.exercise
    return {
        "product_id": exercise.product_id,
        "rule": exercise.rule.id,
        "room_id": exercise.room_id,
        "complaints": exercise.number,
        "opening": done.opening.event.model_dump(mode="json") if done.opening else None,
        "passed": done.steps.passed,
        "is_over": done.is_over,
        "steps": [each.as_json() for each in done.steps.all],
    }
