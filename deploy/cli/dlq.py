"""`livefuse dlq`: records that could not be used, why, and their way back."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import note, printable, write, write_json, write_json_line, write_table

if TYPE_CHECKING:
    from deploy.dead_letters import DeadLetter, Place, Repair
    from deploy.settings import Settings
    from streams.config import KafkaConfig

app = typer.Typer(no_args_is_help=True, help="Look at dead letters and send them back.")

Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="The input topic or its dlq topic; `orders` will do.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only those: empty, not_json, invalid, too_large, ...")]
Partition = Annotated[int | None, typer.Option("--partition", help="Only of this partition of the dlq topic.")]
Offset = Annotated[list[int] | None, typer.Option("--offset", help="Only this offset; may be given several times.")]


@app.command("list")
def list_letters(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Count the dead letters by topic and reason.

    And those of them that wait to be sent back, or have come back.
    """
    import asyncio

    from deploy.explain import moment

    settings = load_settings(config)
    rows = asyncio.run(_tally(settings.kafka_config(), settings))
    if as_json:
        names = ("topic", "reason", "letters", "waiting", "came_back", "newest_ms")
        write_json([dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        columns = ["topic", "reason", "letters", "waiting", "came back", "newest"]
        write_table(columns, [[*row[:-1], moment(row[-1])] for row in rows])
    else:
        note("there are no dead letters")


@app.command()
def show(
    topic: Topic,
    *,
    reason: Reason = None,
    partition: Partition = None,
    offset: Offset = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most, the newest.")] = 20,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also what customers and operators wrote, which is hidden otherwise.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print dead letters, and what is wrong with them.

    With --json --reveal, one a line, they can be repaired with an editor and sent by `dlq replay --repaired`.
    """
    import asyncio

    from deploy.cli.letters import as_plain, as_text
    from deploy.dead_letters import status

    settings = load_settings(config)
    chosen, sent_back = asyncio.run(_choose(settings, topic, reason, partition, offset))
    for letter in chosen[-limit:]:
        became = status(letter, sent_back)
        if as_json:
            write_json_line(as_plain(letter, became, reveal=reveal))
        else:
            write(as_text(letter, became, reveal=reveal) + "\n")
    if len(chosen) > limit:
        note(f"these are the newest {limit} of {len(chosen)}: --limit shows more")
    elif not chosen:
        note("no dead letter matches")


@app.command()
def replay(
    topic: Topic,
    *,
    reason: Reason = None,
    partition: Partition = None,
    offset: Offset = None,
    repaired: Annotated[
        Path | None,
        typer.Option(
            "--repaired", metavar="FILE", help="Send only these, with these values: lines of `dlq show --json`."
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were sent back before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be sent and do nothing.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back, as they are or repaired.

    To the topic and partition that they came from, each once. What comes back unrepaired is left alone until you ask
    for it by --offset or --again.
    """
    import asyncio

    from deploy.cli.letters import read_repairs
    from deploy.dead_letters import send_back, status

    settings = load_settings(config)
    repairs: dict[Place, Repair] = {}
    if repaired is not None:
        text = sys.stdin.buffer.read() if str(repaired) == "-" else _content(repaired)
        repairs = read_repairs(text, str(repaired))
    chosen, sent_back = asyncio.run(_choose(settings, topic, reason, partition, offset))
    if repaired is not None:
        chosen = [letter for letter in chosen if letter.place in repairs]
    left: Counter[str] = Counter()
    if not (again or offset):
        # A letter that came back needs a repair; one that was sent back needs nothing.
        wanted = {"waiting", "came back"} if repaired is not None else {"waiting"}
        left = Counter(became for letter in chosen if (became := status(letter, sent_back)) not in wanted)
        chosen = [letter for letter in chosen if status(letter, sent_back) in wanted]
    failed = [] if dry_run else asyncio.run(send_back(settings.kafka_config(), settings.topics, chosen, repairs))
    sent = len(chosen) - len(failed)
    if as_json:
        write_json({"dry_run": dry_run, "sent": sent, "left_alone": left, "failed": [str(error) for error in failed]})
    else:
        alone = f"; left alone: {', '.join(f'{count} {became}' for became, count in left.items())}" if left else ""
        write(f"{sent} dead letters {'would be sent' if dry_run else 'sent'} back{alone}")
        for error in failed:
            note(f"not sent: {printable(str(error))}")
    if failed:
        raise typer.Exit(1)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror or error}") from error


async def _tally(reached: "KafkaConfig", settings: "Settings") -> list[tuple[str, str, int, int, int, int]]:
    from deploy.dead_letters import letters, replayed, status

    rows = []
    for name in settings.topics.inputs:
        topic = settings.topics.dead_letters(name)
        sent_back = await replayed(reached, topic)
        counts: Counter[tuple[str, str]] = Counter()
        newest: dict[str, int] = {}
        async for letter in letters(reached, topic):
            counts[letter.reason, status(letter, sent_back)] += 1
            newest[letter.reason] = max(newest.get(letter.reason, 0), letter.time_ms)
        rows += [
            (
                topic,
                reason,
                sum(counts[reason, status] for status in ("waiting", "came back", "replayed")),
                counts[reason, "waiting"],
                counts[reason, "came back"],
                newest[reason],
            )
            for reason in sorted(newest)
        ]
    return rows


async def _choose(
    settings: "Settings", asked: str, reason: str | None, partition: int | None, offsets: list[int] | None
) -> "tuple[list[DeadLetter], set[Place]]":
    from deploy.dead_letters import letters, replayed, topic_of

    topic = topic_of(settings.topics, asked)
    reached = settings.kafka_config()
    sent_back = await replayed(reached, topic)
    return [
        letter
        async for letter in letters(reached, topic)
        if reason in {None, letter.reason}
        and partition in {None, letter.place[0]}
        and (not offsets or letter.place[1] in offsets)
    ], sent_back
