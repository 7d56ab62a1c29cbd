"""`livefuse dlq`: records that could not be used, why, and their way back."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import counted, note, printable, write, write_json, write_json_line, write_table

if TYPE_CHECKING:
    from deploy.dead_letters import DeadLetter, Place, Repair, Status
    from deploy.settings import Settings
    from schemas.parse import Refusal

app = typer.Typer(no_args_is_help=True, help="Look at dead letters and send them back.")

MOST_TOLD = 10
"""Letters that are named one by one; of the others the number will do."""

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

    from deploy.dead_letters import tally
    from deploy.explain import moment

    settings = load_settings(config)
    rows = asyncio.run(tally(settings.kafka_config(), settings.topics))
    if as_json:
        write_json([row._asdict() for row in rows])
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

    chosen = asyncio.run(_choose(load_settings(config), topic, reason, partition, offset))
    for letter, became in chosen[-limit:]:
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
    force: Annotated[bool, typer.Option("--force", help="Also those that are sure to be refused again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be sent and do nothing.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back, as they are or repaired.

    To the topic and partition that they came from, each once. What the intake would refuse again is not sent, unless
    with --force. What comes back unrepaired is left alone until you ask for it by --offset or --again.
    """
    import asyncio

    from deploy.cli.letters import read_repairs
    from deploy.dead_letters import refusals, send_back

    settings = load_settings(config)
    repairs: dict[Place, Repair] = {}
    if repaired is not None:
        text = sys.stdin.buffer.read() if str(repaired) == "-" else _content(repaired)
        repairs = read_repairs(text, str(repaired))
    found = asyncio.run(_choose(settings, topic, reason, partition, offset))
    if repaired is not None:
        found = [(letter, became) for letter, became in found if letter.place in repairs]
    # A letter that came back needs a repair; one that was sent back needs nothing.
    wanted = {"waiting", "came back", "replayed"} if again or offset else {"waiting"}
    wanted |= {"came back"} if repaired is not None else set()
    left = Counter(became for _, became in found if became not in wanted)
    chosen = [letter for letter, became in found if became in wanted]
    refused = {} if force else refusals(settings.topics, chosen, repairs)
    sending = [letter for letter in chosen if letter.place not in refused]
    failed = [] if dry_run else asyncio.run(send_back(settings.kafka_config(), settings.topics, sending, repairs))
    sent = len(sending) - len(failed)
    if as_json:
        write_json({
            "dry_run": dry_run,
            "sent": sent,
            "left_alone": left,
            "would_fail": [
                {"partition": place[0], "offset": place[1], **why._asdict()} for place, why in refused.items()
            ],
            "failed": [str(error) for error in failed],
        })  # fmt: skip
    else:
        alone = f"; left alone: {', '.join(f'{count} {became}' for became, count in left.items())}" if left else ""
        write(f"{counted(sent, 'dead letter')} {'would be sent' if dry_run else 'sent'} back{alone}")
        _tell_refused([(letter, refused[letter.place]) for letter in chosen if letter.place in refused])
        for error in failed:
            note(f"not sent: {printable(str(error))}")
    if failed or refused:
        raise typer.Exit(1)


def _tell_refused(refused: "list[tuple[DeadLetter, Refusal]]") -> None:
    if not refused:
        return
    reasons = Counter(why.reason for _, why in refused)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    note(f"not sent, because the intake would refuse {'it' if len(refused) == 1 else 'them'} again: {told}")
    for letter, why in refused[:MOST_TOLD]:
        note(f"  {letter.name}: {printable(why.message)}")
    if len(refused) > MOST_TOLD:
        note(f"  and {len(refused) - MOST_TOLD} more")
    note(
        "Repair them: `livefuse dlq show TOPIC --json --reveal > letters.jsonl`, edit, then `livefuse dlq replay TOPIC "
        "--repaired letters.jsonl`. Or send them all the same: --force."
    )


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror or error}") from error


async def _choose(
    settings: "Settings", asked: str, reason: str | None, partition: int | None, offsets: list[int] | None
) -> "list[tuple[DeadLetter, Status]]":
    from deploy.dead_letters import letters, topic_of

    return await letters(
        settings.kafka_config(),
        topic_of(settings.topics, asked),
        lambda letter: (
            reason in {None, letter.reason}
            and partition in {None, letter.place[0]}
            and (not offsets or letter.place[1] in offsets)
        ),
    )
