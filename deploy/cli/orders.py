"""`livefuse fuse pause|allow|release|resume|acknowledge`: an operator's commands, each sent and its answer awaited."""

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from deploy.cli.options import AsJson, ConfigFile, load_settings, user
from deploy.cli.output import note, printable, write, write_json

if TYPE_CHECKING:
    from schemas.commands import Command

_OPTIONS = {"product_id": "PRODUCT", "sku_id": "--sku", "expected_sequence": "--expected-sequence"} | {
    name: f"--{name}" for name in ("reason", "actor", "rule")
}

Product = Annotated[str, typer.Argument(metavar="PRODUCT", help="The product_id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the product's history.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Who says so. By default, the user of this system.")]
For = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="How long it holds: 30m, 2h.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when: 2026-11-11T14:00:00Z.")]
OfRule = Annotated[str | None, typer.Option("--rule", help="Only fuses of this rule.")]
OfSku = Annotated[str | None, typer.Option("--sku", help="Only the fuse of this SKU.")]
ExpectedSequence = Annotated[
    int | None,
    typer.Option("--expected-sequence", help="Change nothing if the product's sequence is another one by then."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=3600, help="How long to wait for the answer.")
]


def pause(
    product_id: Product,
    *,
    reason: Reason,
    lasting: For = None,
    until: Until = None,
    actor: Actor = None,
    expected_sequence: ExpectedSequence = None,
    timeout: Timeout = 10.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a product off sale, whatever its fuses say.

    Until it is released, or the time is over.
    """
    more = {"expires_at": _end(lasting, until, None), "expected_sequence": expected_sequence}
    _send("pause", product_id, reason, actor, more, timeout=timeout, config=config, as_json=as_json)


def allow(
    product_id: Product,
    *,
    reason: Reason,
    lasting: For = None,
    until: Until = None,
    actor: Actor = None,
    expected_sequence: ExpectedSequence = None,
    timeout: Timeout = 10.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep a product on sale, whatever its fuses say.

    For at most 24 hours: --for or --until is needed.
    """
    from streams.engine.commands import LONGEST_ALLOW_MS

    if lasting is None and until is None:
        raise typer.BadParameter("an allow needs an end: --for 30m, or --until TIME; 24 hours at most")
    more = {"expires_at": _end(lasting, until, LONGEST_ALLOW_MS), "expected_sequence": expected_sequence}
    _send("allow", product_id, reason, actor, more, timeout=timeout, config=config, as_json=as_json)


def release(
    product_id: Product,
    *,
    reason: Reason,
    actor: Actor = None,
    expected_sequence: ExpectedSequence = None,
    timeout: Timeout = 10.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a pause or an allow back: the fuses decide again."""
    more = {"expected_sequence": expected_sequence}
    _send("release", product_id, reason, actor, more, timeout=timeout, config=config, as_json=as_json)


def resume(
    product_id: Product,
    *,
    reason: Reason,
    rule: OfRule = None,
    sku: OfSku = None,
    actor: Actor = None,
    expected_sequence: ExpectedSequence = None,
    timeout: Timeout = 10.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a product back on sale, its open fuses on probation.

    Those of over-sell close. --rule and --sku say which; otherwise all do.
    """
    more = {"rule": rule, "sku_id": sku, "expected_sequence": expected_sequence}
    _send("resume", product_id, reason, actor, more, timeout=timeout, config=config, as_json=as_json)


def acknowledge(
    product_id: Product,
    *,
    reason: Reason,
    rule: OfRule = None,
    sku: OfSku = None,
    actor: Actor = None,
    expected_sequence: ExpectedSequence = None,
    timeout: Timeout = 10.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that you have seen the open fuses.

    Nobody else is called then. The product stays paused.
    """
    more = {"rule": rule, "sku_id": sku, "expected_sequence": expected_sequence}
    _send("acknowledge", product_id, reason, actor, more, timeout=timeout, config=config, as_json=as_json)


def _send(
    action: str,
    product_id: str,
    reason: str,
    actor: str | None,
    more: dict[str, Any],
    *,
    timeout: float,
    config: Path | None,
    as_json: bool,
) -> None:
    import asyncio

    from deploy.explain import moment, what_happened
    from deploy.fuses import order

    if not reason.strip():
        raise typer.BadParameter("a reason is needed: it stands in the product's history", param_hint="--reason")
    settings = load_settings(config)
    command = _command({"action": action, "product_id": product_id, "reason": reason, "actor": actor or user(), **more})
    patience = timedelta(seconds=timeout)
    events, unknown = asyncio.run(order(settings.kafka_config(), settings.topics, command, patience))
    rejected = any(event.type == "command.rejected" for event in events)
    if as_json:
        write_json([event.model_dump(mode="json") for event in events])
    else:
        for event in events:
            write(f"{moment(event.occurred_at)}  {printable(what_happened(event))}.")
        paused = events[-1].paused
        but = f" but for {', '.join(paused.skus)}" if paused.skus else ""
        now = "paused" if paused.product else f"on sale{but}"
        write(f"{printable(product_id)} is {now} now.")
    if unknown:
        hint = f"no record of product {printable(product_id)} is known: is the id right?"
        hint += "" if rejected else f" The {action} holds all the same."
        note(orjson.dumps({"note": hint}).decode() if as_json else f"note: {hint}")
    if rejected:
        raise typer.Exit(1)


def _command(data: dict[str, Any]) -> "Command":
    from uuid import uuid4

    from pydantic import ValidationError

    from schemas.commands import Command
    from schemas.wording import in_words

    try:
        return Command.model_validate({**data, "command_id": str(uuid4()), "issued_at": time.time_ns() // 1_000_000})
    except ValidationError as error:
        problems = "; ".join(
            f"{_OPTIONS.get(str(each['loc'][0]), each['loc'][0])} {in_words(each)}" for each in error.errors()
        )
        raise typer.BadParameter(problems) from error


def _end(lasting: str | None, until: str | None, longest_ms: int | None) -> int | None:
    """Return when an override ends (ms), from --for or --until; None for neither. `longest_ms`: from now."""
    from schemas.durations import milliseconds, parse_duration
    from schemas.times import END_MS, from_ms, to_ms

    if lasting is None and until is None:
        return None
    if lasting is not None and until is not None:
        raise typer.BadParameter("--for and --until say the same: give one")
    option = "--for" if until is None else "--until"
    now = time.time_ns() // 1_000_000
    try:
        end = to_ms(until) if lasting is None else to_ms(now + milliseconds(parse_duration(lasting)))
    except ValueError as error:
        raise typer.BadParameter(f"{option} {lasting or until}: {error}") from error
    latest = END_MS if longest_ms is None else now + longest_ms
    if not now < end <= latest:
        words, longest = "more than 0s", " and at most 24h"
        if until is not None:
            words, longest = f"after {from_ms(now)}, which is now", ", and at most 24h later"
        raise typer.BadParameter(f"{option} {lasting or until}: must be {words}{longest if longest_ms else ''}")
    return end
