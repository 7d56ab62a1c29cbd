"""`livefuse topics export` and `import`: rules, fuse state, fuse events and audit, from one cluster to another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import counted, note, write, write_json, write_table

if TYPE_CHECKING:
    from deploy.archive.restoring import Restored
    from deploy.archive.saving import Saved


def export_topics(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive; .xz and .gz are compressed.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Save rules, fuse state, fuse events and audit to a file, with checksums.

    The workers must be stopped: what is saved is of one moment. docs/upgrades.md says what the file holds and how to
    move to another cluster with it.
    """
    import asyncio

    from deploy.archive.saving import save
    from deploy.captures import opened_for_writing
    from schemas.errors import ConfigurationError

    settings = load_settings(config)
    settings.kafka_config()
    if file.exists() and not force:
        raise ConfigurationError(f"{file} is there already. Name another file, or say --force.")
    to_file = str(file) != "-"
    # The name stands for a whole archive; until it is one it has another.
    unfinished = file.with_name(f"unfinished-{file.name}") if to_file else file
    try:
        with opened_for_writing(unfinished) as output:
            saved = asyncio.run(save(settings, output, _progress))
        if to_file:
            unfinished.replace(file)
    finally:
        if to_file:
            unfinished.unlink(missing_ok=True)
    _tell_waiting(saved)
    if not to_file:
        note(f"{counted(saved.manifest.records, 'record')} saved")
    elif as_json:
        write_json({"file": str(file), "bytes": file.stat().st_size, **vars(saved.head), **_plain(saved)})
    else:
        rows = [[name, part.records, part.sha256[:12]] for name, part in saved.manifest.topics.items()]
        write_table(["topic", "records", "sha-256"], rows)
        write(f"{counted(saved.manifest.records, 'record')} saved to {file}, {file.stat().st_size:,} bytes")


def import_topics(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `topics export` wrote.")],
    *,
    over: Annotated[
        bool, typer.Option("--over", help="Also into topics that hold something: what is saved counts instead.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check file and topics, and write nothing.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Restore what `topics export` saved, into topics that `topics apply` has made, before anything is started.

    An import that was interrupted goes on where it was when it is said again; said once more it writes nothing.
    """
    import asyncio

    from deploy.archive.restoring import restore

    settings = load_settings(config)
    done = asyncio.run(restore(settings, file, _progress, over=over, dry_run=dry_run))
    if as_json:
        write_json({
            "dry_run": dry_run,
            "archive": vars(done.head),
            "records": done.records,
            "written": done.written,
            "left_out": done.left_out,
            "inputs": done.inputs,
            "since": done.since,
        })  # fmt: skip
    elif dry_run:
        write(f"{file} is whole, and its {counted(done.records, 'record')} would fit; nothing was written (--dry-run)")
    else:
        before = done.records - done.written
        write(
            f"{counted(done.written, 'record')} written"
            + (f"; {counted(before, 'record')} had been written by an import before" if before else "")
        )
    if done.left_out:
        note(f"left out, for this livefuse has no such topic: {', '.join(done.left_out)}")
    _tell_inputs(settings.intake_group, done)


def _tell_waiting(saved: "Saved") -> None:
    if saved.head.waiting:
        frames = ", ".join(f"partition {number}: {count}" for number, count in saved.head.waiting.items())
        note(
            f"not saved, because no worker has applied them: frames of the signals log ({frames}). If their signals "
            "count, let the workers catch up with the intakes stopped, and export again."
        )


def _tell_inputs(group: str, done: "Restored") -> None:
    if done.inputs:
        held = ", ".join(f"{topic} ({count:,} records)" for topic, count in done.inputs.items())
        note(
            f"the inputs hold something already: {held}. A new intake reads them from their beginning. What is in the "
            f"saved state already (up to {done.since}) would count twice; so before you start one, for each of them:\n"
            f"  kafka-consumer-groups.sh --bootstrap-server ... --group {group} --topic TOPIC \\\n"
            f"      --reset-offsets --to-datetime {done.since.removesuffix('Z')} --execute"
        )


def _progress(what: str, records: int) -> None:
    note(f"{what}: {records:,} records")


def _plain(saved: "Saved") -> dict[str, object]:
    manifest = saved.manifest
    return {
        "records": manifest.records,
        "sha256": manifest.sha256,
        "topics": {name: vars(part) for name, part in manifest.topics.items()},
    }
