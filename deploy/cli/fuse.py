"""`livefuse fuse list` and `show`: what is paused, and the answer to "why was it paused?"."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import orders
from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import note, printable, write, write_json, write_table

if TYPE_CHECKING:
    from schemas.events import FuseEvent, FuseState

app = typer.Typer(no_args_is_help=True, help="See what is paused and why, and decide otherwise.")


@app.command("list")
def list_fuses(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also products whose fuses are all closed.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is paused, on probation, or under an override."""
    import asyncio

    from deploy.explain import moment
    from deploy.fuses import states

    settings = load_settings(config)
    found = asyncio.run(states(settings.kafka_config(), settings.topics))
    shown = [state for state in found if everything or not _is_quiet(state)]
    if as_json:
        write_json([state.model_dump(mode="json") for state in shown])
        return
    if not shown:
        note("no product is paused, on probation or under an override")
        return
    rows = []
    for state in shown:
        active = [fuse for fuse in state.fuses if fuse.state != "closed"]
        since = min((fuse.since for fuse in active), default=state.override.since if state.override else None)
        rows.append(
            [
                printable(state.product_id),
                "yes" if state.paused.product else ",".join(state.paused.skus) or "no",
                ", ".join(f"{fuse.rule}{f'/{fuse.sku_id}' if fuse.sku_id else ''} {fuse.state}" for fuse in active)
                or None,
                state.override.state if state.override else None,
                moment(since) if since is not None else None,
                state.room_id,
            ]
        )
    write_table(["product", "paused", "fuses", "override", "since", "room"], rows)


@app.command()
def show(product_id: orders.Product, *, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Tell why a product is or was paused.

    What holds now and why, each pause with its evidence, and the product's history.
    """
    import asyncio

    from deploy.explain import headline, moment, pauses, reasons, what_happened
    from deploy.fuses import history, state_of

    settings = load_settings(config)
    reached = settings.kafka_config()
    state = asyncio.run(state_of(reached, settings.topics, product_id))
    events = asyncio.run(history(reached, settings.topics, product_id))
    stopped = pauses(events)
    if as_json:
        write_json({
            "product_id": product_id,
            "state": state.model_dump(mode="json") if state else None,
            "why": list(reasons(state)) if state else [],
            "pauses": [
                {
                    "begin": each.begin.model_dump(mode="json"),
                    "end": each.end.model_dump(mode="json") if each.end else None,
                    "why": what_happened(each.begin),
                }
                for each in stopped
            ],
            "events": [each.model_dump(mode="json") for each in events],
        })  # fmt: skip
        return
    write(headline(printable(product_id), state, events))
    for reason in reasons(state) if state else ():
        write(f"  {printable(reason)}")
    for number, (begin, end) in enumerate(stopped, start=1):
        ended = f"to {moment(end.occurred_at)}" if end else "and still"
        write()
        write(f"pause {number}, {moment(begin.occurred_at)} {ended}: {printable(what_happened(begin))}.")
        if begin.cause.evidence:
            write(f"  evidence: {printable(', '.join(begin.cause.evidence))}")
        if end:
            write(f"  ended: {printable(what_happened(end))}.")
    if events:
        write()
        _write_history(events)


def _is_quiet(state: "FuseState") -> bool:
    return state.override is None and all(fuse.state == "closed" for fuse in state.fuses)


def _write_history(events: "Sequence[FuseEvent]") -> None:
    from deploy.explain import moment, what_happened

    write_table(
        ["#", "time", "event", "rule", "sku", "paused after it", "what"],
        [
            [
                event.sequence,
                moment(event.occurred_at),
                event.type,
                event.rule,
                event.sku_id,
                "yes" if event.paused.product else ",".join(event.paused.skus) or "no",
                printable(what_happened(event)),
            ]
            for event in events
        ],
    )


for _command in (orders.pause, orders.allow, orders.release, orders.resume, orders.acknowledge):
    app.command()(_command)
