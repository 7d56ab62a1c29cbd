"""`livefuse topics`: what is on the broker against the one list of topics, and who needs which rights on it."""

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import archive
from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import note, write, write_json, write_table

if TYPE_CHECKING:
    from deploy.settings import Settings
    from deploy.topics import Step
    from schemas.rights import Right


class AclFormat(StrEnum):
    """How `topics acls` writes."""

    TABLE = "table"
    KAFKA_ACLS = "kafka-acls"
    STRIMZI = "strimzi"


StrimziCluster = Annotated[str, typer.Option("--cluster", help="Strimzi's name of the Kafka cluster.")]

app = typer.Typer(no_args_is_help=True, help="List the topics, make them as they must be, save and restore them.")
app.command("export")(archive.export_topics)
app.command("import")(archive.import_topics)


@app.command("list")
def list_topics(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every topic, and whether it is as it must be."""
    import asyncio

    steps = asyncio.run(_plan(load_settings(config), create_inputs=False))
    if as_json:
        write_json([_plain(step) for step in steps])
        return
    write_table(
        ["topic", "state", "partitions", "cleanup", "written by", "read by", "holds"],
        [
            [
                step.topic.name,
                {"keep": "ok", "create": "missing", "alter": "differs", "refuse": "mismatch"}.get(
                    step.action, step.action
                ),
                step.layout.partitions if step.action not in {"create", "missing"} else None,
                step.topic.cleanup,
                step.topic.written_by,
                step.topic.read_by,
                step.topic.holds,
            ]
            for step in steps
        ],
    )


@app.command()
def apply(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")] = False,
    create_inputs: Annotated[
        bool, typer.Option("--create-inputs", help="Also create the shop's own topics, if they do not exist.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Create missing topics and correct their settings.

    What holds state is never re-partitioned: then nothing is done, and the message says why.
    """
    import asyncio

    from deploy.topics import check

    settings = load_settings(config)
    steps = asyncio.run(_plan(settings, create_inputs=create_inputs))
    changing = [step for step in steps if step.action != "keep"]
    if as_json:
        write_json({"dry_run": dry_run, "steps": [_plain(step) for step in steps]})
    elif changing:
        write_table(["", "topic", "partitions", "what"], [_row(step) for step in changing])
    if not changing:
        note(f"all {len(steps)} topics are as they must be")
    elif dry_run:
        check(steps)
        note("nothing was done (--dry-run)")
    else:
        asyncio.run(_carry_out(settings, steps))
        note(f"done: {len(changing)} of {len(steps)} topics created or changed")


@app.command()
def acls(
    *,
    roles: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE", help="Only this role; may be given more than once.")
    ] = None,
    style: Annotated[
        AclFormat, typer.Option("--format", help="A table, commands for kafka-acls.sh, or KafkaUsers for Strimzi.")
    ] = AclFormat.TABLE,
    cluster: StrimziCluster = "kafka",
    granting: Annotated[
        bool, typer.Option("--grant", help="Give them to the users, at the broker; needs Alter on the cluster.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the least rights that each role needs at Kafka: for these settings; no broker is asked without --grant.

    Roles: shop, intake, worker, pager, console, operator, admin, monitoring, reader, auditor.
    """
    from deploy.acls import kafka_acls, rights_of, user_of

    settings = load_settings(config)
    found = {role: held for role, held in rights_of(settings).items() if not roles or role in roles}
    if unknown := set(roles or ()) - found.keys():
        known = ", ".join(rights_of(settings))
        raise typer.BadParameter(f"there is no role {', '.join(sorted(unknown))}; roles: {known}", param_hint="--role")
    rows = [(role, user_of(settings.application, role), each) for role, held in found.items() for each in held]
    if granting:
        import asyncio

        asyncio.run(_grant(settings, {user_of(settings.application, role): held for role, held in found.items()}))
        note(f"granted: {len(rows)} rights of {len(found)} users")
    elif as_json:
        write_json([{"role": role, "user": user, **asdict(each)} for role, user, each in rows])
    elif style is AclFormat.KAFKA_ACLS:
        for line in kafka_acls(found, settings.application):
            write(line)
    elif style is AclFormat.STRIMZI:
        from deploy.strimzi import kafka_users, written

        write(written(kafka_users(found, settings.application, cluster)).rstrip())
    else:
        write_table(
            ["role", "user", "operation", "resource", "name", "pattern", "why"],
            [
                [role, user, each.operation, each.resource, each.name, each.pattern, each.why]
                for role, user, each in rows
            ],
        )


@app.command()
def strimzi(
    *,
    cluster: StrimziCluster = "kafka",
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Replicas of each topic.")] = 3,
    config: ConfigFile = None,
) -> None:
    """Write KafkaTopics and KafkaUsers for Strimzi: livefuse's own topics, and each role with its rights.

    With these settings; no broker is asked. The shop's own topics are not among them.
    """
    from deploy.acls import rights_of
    from deploy.strimzi import kafka_topics, kafka_users, written

    settings = load_settings(config)
    write(written(kafka_topics(settings, cluster, replicas)).rstrip())
    write(written(kafka_users(rights_of(settings), settings.application, cluster)).rstrip())


async def _grant(settings: "Settings", found: "dict[str, tuple[Right, ...]]") -> None:
    from deploy.grants import grant
    from deploy.kafka import open_admin

    async with open_admin(settings.kafka_config()) as client:
        await grant(client, found)


async def _plan(settings: "Settings", *, create_inputs: bool) -> "list[Step]":
    from deploy.admin import Admin
    from deploy.kafka import open_admin
    from deploy.topics import plan_topics

    async with open_admin(settings.kafka_config()) as client:
        return await plan_topics(Admin(client), settings, create_inputs=create_inputs)


async def _carry_out(settings: "Settings", steps: "list[Step]") -> None:
    from deploy.admin import Admin
    from deploy.kafka import open_admin
    from deploy.topics import carry_out

    async with open_admin(settings.kafka_config()) as client:
        await carry_out(Admin(client), steps)


def _row(step: "Step") -> list[object]:
    sign = {"create": "+", "alter": "~", "missing": "!", "refuse": "!"}[step.action]
    what = step.note or ", ".join(
        f"{each.name}={each.after}" if each.before is None else f"{each.name}: {each.before} -> {each.after}"
        for each in step.changes
    )
    return [sign, step.topic.name, step.layout.partitions, what or "as the broker makes it"]


def _plain(step: "Step") -> dict[str, Any]:
    return {
        "topic": step.topic.name,
        "action": step.action,
        "partitions": step.layout.partitions,
        "replicas": step.layout.replicas,
        "cleanup": step.topic.cleanup,
        "holds": step.topic.holds,
        "key": step.topic.key,
        "written_by": step.topic.written_by,
        "read_by": step.topic.read_by,
        "changes": [each._asdict() for each in step.changes],
        "note": step.note or None,
    }
