"""`livefuse forget`: where an order or a complaint is still named, and what can be deleted of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import counted, note, printable, write_json, write_table

if TYPE_CHECKING:
    from deploy.forget.search import Search, Trace

MOST_SHOWN = 200


def forget(
    *,
    order: Annotated[str | None, typer.Option("--order", metavar="ID", help="The order to forget.")] = None,
    complaint: Annotated[str | None, typer.Option("--complaint", metavar="ID", help="The complaint to forget.")] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete what can be deleted without harm; else only look.")
    ] = False,
    also_older: Annotated[
        bool, typer.Option("--also-older", help="With --delete: dead letters too, and all older ones with them.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Find every record that names an order or a complaint, and delete what Kafka can delete of it.

    Says until when the rest lives. docs/privacy.md tells what is deleted how, and what is not.
    """
    import asyncio

    from deploy.forget.erase import erase
    from deploy.forget.search import search
    from deploy.forget.subject import Subject

    wanted = order or complaint
    if wanted is None or (order and complaint):
        raise typer.BadParameter("name an order (--order ID) or a complaint (--complaint ID)")
    settings = load_settings(config)
    subject = Subject("order" if order else "complaint", wanted)

    async def run() -> "Search":
        found = await search(settings, subject, lambda topic, records: note(f"{topic}: {records:,} records searched"))
        if delete and found.traces:
            await erase(settings, subject, found, also_older=also_older)
        return found

    found = asyncio.run(run())
    left = [trace for trace in found.traces if trace.status == "kept"]
    if as_json:
        write_json({
            "kind": subject.kind,
            "id": subject.id,
            "searched": found.searched,
            "missing": found.missing,
            "found": [vars(trace) for trace in found.traces],
            "left": len(left),
        })  # fmt: skip
        return
    if not found.traces:
        note(f"no record of {counted(found.searched, 'record')} names {subject.kind} {printable(subject.id)}")
        return
    columns = ["topic", "partition", "offset", "written", "how", "gone at the latest", "what"]
    write_table(columns, [_row(trace) for trace in found.traces[:MOST_SHOWN]])
    if len(found.traces) > MOST_SHOWN:
        note(f"and {len(found.traces) - MOST_SHOWN} more: --json shows all")
    if not delete:
        note("nothing was deleted: --delete does what can be done")
    elif left:
        note(
            f"{counted(len(left), 'record')} still {'names' if len(left) == 1 else 'name'} it; docs/privacy.md says why"
        )


def _row(trace: "Trace") -> list[object]:
    from deploy.explain import moment

    if trace.status != "kept":
        gone = {"deleted": "now", "overwritten": "when compacted"}[trace.status]
    else:
        gone = moment(trace.until) if trace.until is not None else "not by time"
    return [trace.topic, trace.partition, trace.offset, moment(trace.time_ms), trace.how, gone, trace.why or None]
