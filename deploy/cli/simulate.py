"""`livefuse simulate`: a made-up sale, to Kafka or to a capture file."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import orjson
import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings
from deploy.cli.output import note, write, write_json

if TYPE_CHECKING:
    from deploy.settings import Settings
    from deploy.simulator import CaptureRecord, Sale, SaleConfig

DEFAULT_DURATION = "2h"

Pace = Literal["live"] | float | None
"""At the records' own times, so many a second, or (None) as fast as possible."""


def simulate(
    *,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed and start make the same sale; 1.")] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="TIME", help="Event time of the first second.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="DURATION", help="How long: 2h if nothing is said; `endless`.")
    ] = None,
    records: Annotated[int | None, typer.Option("--records", min=1, help="End after so many records.")] = None,
    products: Annotated[int | None, typer.Option("--products", help="How many products there are.")] = None,
    rooms: Annotated[int | None, typer.Option("--rooms", help="How many rooms sell at once.")] = None,
    orders_per_second: Annotated[float | None, typer.Option("--orders", metavar="N", help="Orders a second.")] = None,
    programme: Annotated[str | None, typer.Option("--programme", help="Incidents and traps: show, demo, none.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="The endless sale of `livefuse up`, from now on.")] = False,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate", metavar="RATE", help="live (at its own times) if nothing is said, max, or records a second."
        ),
    ] = None,
    capture: Annotated[
        Path | None, typer.Option("--capture", metavar="FILE", help="Write a capture (.gz, .xz, -) and send nothing.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="Write incidents and traps as JSON lines.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Send this capture (.gz, .xz, -) and make nothing up.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make up a livestream sale, for Kafka or for a file.

    It has incidents that must trip and traps that must not. With --capture it goes to a file instead of Kafka, as fast
    as possible; that needs no broker.
    """
    from deploy.simulator import Sale

    shape = {
        "--start": start, "--duration": duration, "--records": records, "--products": products, "--rooms": rooms,
        "--orders": orders_per_second, "--programme": programme,
    }  # fmt: skip
    made = {"--seed": seed, **shape, "--demo": demo or None, "--labels": labels}
    if source is not None:
        _refuse("--from sends a capture as it is", made | {"--capture": capture})
    if demo:
        _refuse("--demo is a sale of its own", {name: given for name, given in shape.items() if name != "--start"})
        _refuse("--demo has no end", {"--labels": labels})
    if capture is not None:
        _refuse("--capture writes as fast as possible", {"--rate": rate})
    if labels is not None:
        if duration == "endless" and records is None:
            raise typer.BadParameter(
                "--labels are written at the end: a sale of --duration endless needs --records too"
            )
        if capture is not None and labels.absolute() == capture.absolute():
            raise typer.BadParameter("--capture and --labels name the same file")
    pace = _rate(rate or "live")
    sale = None
    if source is None:
        begin = _start(start, pace, duration or DEFAULT_DURATION, to_kafka=capture is None)
        chosen = {
            "products": products, "rooms": rooms, "orders_per_second": orders_per_second, "programme": programme,
        }  # fmt: skip
        length = duration or DEFAULT_DURATION
        sale = Sale(_sale_config(begin, 1 if seed is None else seed, length, records, chosen, demo=demo))
    count, began = 0, time.monotonic()
    if capture is not None and sale is not None:
        count = _to_file(sale, capture)
    else:
        progress = None if quiet else _progress
        count = _to_kafka(sale, source, pace, load_settings(config), progress)
    found = _write_labels(sale, labels) if sale is not None else None
    seconds = time.monotonic() - began
    facts = {"records": count, "seconds": round(seconds, 3), "labels": found}
    if "-" in {str(capture), str(labels)}:
        # Standard output has the records, or the labels.
        note(orjson.dumps(facts).decode() if as_json else f"{count:,} records in {seconds:.1f} s")
    elif as_json:
        write_json(facts)
    else:
        write(f"{count:,} records {'written' if capture else 'sent'} in {seconds:.1f} s")


def _refuse(why: str, others: Mapping[str, object]) -> None:
    """Raise BadParameter when one of the other options was given."""
    if given := [name for name, value in others.items() if value is not None]:
        raise typer.BadParameter(f"{why}; it does not go with {', '.join(given)}")


def _start(start: str | None, pace: Pace, duration: str, *, to_kafka: bool) -> datetime | None:
    """Return when the sale begins: now if it is sent live, so that it ends now if it is sent fast; None: as always."""
    from schemas.durations import parse_duration
    from schemas.times import to_ms

    if start is not None:
        try:
            return datetime.fromtimestamp(to_ms(start) / 1000, UTC)
        except ValueError as error:
            raise typer.BadParameter(f"--start: {error}") from error
    if not to_kafka:
        return None
    now = datetime.now(UTC).replace(microsecond=0)
    length = DEFAULT_DURATION if duration == "endless" else duration
    try:
        return now if pace == "live" else now - parse_duration(length)
    except ValueError as error:
        raise typer.BadParameter(f"--duration: {error}") from error


def _sale_config(
    start: datetime | None, seed: int, duration: str, records: int | None, chosen: dict[str, Any], *, demo: bool
) -> "SaleConfig":
    from deploy.simulator import SaleConfig
    from deploy.simulator.config import Programme
    from schemas.durations import parse_duration

    if demo:
        return SaleConfig.demo(start or datetime.now(UTC), seed=seed)
    length: timedelta | None = None
    if duration != "endless":
        try:
            length = parse_duration(duration)
        except ValueError as error:
            raise typer.BadParameter(f"--duration: {error}") from error
    if chosen["programme"] not in {None, *get_args(Programme)}:
        raise typer.BadParameter(f"--programme is one of {', '.join(get_args(Programme))}")
    given = {name: value for name, value in chosen.items() if value is not None}
    if start is not None:
        given["start"] = start
    return SaleConfig(seed=seed, duration=length, records=records, **given)


def _to_file(sale: "Sale", path: Path) -> int:
    from deploy.captures import opened_for_writing
    from deploy.simulator import capture

    with opened_for_writing(path) as file:
        return capture.write(sale.records(), file)


def _write_labels(sale: "Sale", path: Path | None) -> int | None:
    from deploy.captures import opened_for_writing
    from deploy.simulator import labels

    if path is None:
        return None
    with opened_for_writing(path) as file:
        return labels.write(sale.labels(), file)


def _to_kafka(
    sale: "Sale | None", source: Path | None, pace: Pace, settings: "Settings", progress: Callable[[int], None] | None
) -> int:
    import asyncio

    from deploy.captures import opened_for_reading
    from deploy.simulator import capture

    if sale is not None:
        return asyncio.run(_send(sale.records(), pace, settings, progress))
    with opened_for_reading(source or Path("-")) as lines:
        return asyncio.run(_send(capture.read(lines), pace, settings, progress))


async def _send(
    records: "Iterable[CaptureRecord]", pace: Pace, settings: "Settings", progress: Callable[[int], None] | None
) -> int:
    from deploy.kafka import in_our_words, partitions_of
    from deploy.simulator.feed import feed
    from schemas.topics import TopicNames
    from streams.client import supports_transactions

    reached = settings.kafka_config()
    contract, real = TopicNames(), settings.topics
    names = dict(zip(contract.inputs, real.inputs, strict=True))
    async with in_our_words(reached):
        # To ask the broker for a topic that does not exist may create it, with the wrong number of partitions.
        await partitions_of(reached, [real.orders, real.returns, real.complaints, real.stock_levels])
        known = reached.transactions
        idempotent = await supports_transactions(reached.client) if known is None else known
        return await feed(records, reached.client, names=names, rate=pace, idempotent=idempotent, progress=progress)


def _rate(rate: str) -> Pace:
    if rate == "live":
        return "live"
    if rate == "max":
        return None
    try:
        found = float(rate)
    except ValueError:
        found = 0.0
    if not 0 < found < inf:
        raise typer.BadParameter(f"--rate is live, max, or records a second, not {rate}")
    return found


def _progress(count: int) -> None:
    note(f"{count:,} records sent")
