"""`livefuse produce`: a console producer, for trying things out by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import counted, note, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.config import KafkaConfig


def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic to write to, such as live.orders.")],
    *,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write each line of standard input to a topic, as one record without a key.

    It also speaks to the embedded broker, which some producers do not.
    """
    import asyncio
    import sys

    kafka = load_settings(config).kafka_config()
    count = asyncio.run(_produce(kafka, topic, sys.stdin.buffer))
    if as_json:
        write_json({"topic": topic, "records": count})
    else:
        note(f"{counted(count, 'record')} written to {topic}.")


async def _produce(kafka: "KafkaConfig", topic: str, lines: "Iterable[bytes]") -> int:
    import asyncio

    from deploy.kafka import open_producer
    from schemas.errors import TopicMismatch
    from streams.client import partition_counts, refuse_hidden

    if topic not in await partition_counts(kafka.client):
        await refuse_hidden(kafka.client, [topic], "Write")
        raise TopicMismatch(f"there is no topic {topic}. See what there is: livefuse topics list")
    count = 0
    async with open_producer(kafka) as producer:
        source = iter(lines)
        while (line := await asyncio.to_thread(next, source, None)) is not None:
            await producer.send_and_wait(topic, line.rstrip(b"\r\n"))
            count += 1
    return count
