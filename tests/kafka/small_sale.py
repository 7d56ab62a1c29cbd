"""A sale of twenty seconds with everything in it, and what there is to know of it, for tests of what is shown of one.

It has incidents of all three kinds and traps, duplicates and late records, one record that is none, and commands of an
operator: a pause, a word that keeps a product on sale, an end of a fuse, and one in vain.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from deploy.simulator import CaptureRecord, Label, Sale, SaleConfig
from deploy.simulator.capture import line
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames, partition_of
from streams.engine.events import FUSE_EVENTS
from streams.replay import Replay, Summary
from tests.kafka.cluster import INPUT_PARTITIONS, SIGNALS_PARTITIONS

NAMES: Final = TopicNames()
LASTS: Final = timedelta(seconds=20)
HOUR_MS: Final = 3_600_000

Fuse = tuple[str, str, str]
"""Product, SKU (or nothing) and rule, as in labels."""


@dataclass
class SmallSale:
    """The records, and what `livefuse replay` says of them; topics by the names of the contract."""

    records: list[CaptureRecord]
    labels: Sequence[Label]
    summary: Summary
    events: list[dict[str, Any]]
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def fuses(self) -> dict[Fuse, dict[str, Any]]:
        """The fuses that are open at the end, and the event that opened each."""
        last = {_fuse(each): each for each in self.events if each["to"]}
        return {fuse: each for fuse, each in last.items() if each["to"] == "open"}

    @property
    def paused(self) -> set[str]:
        """The products of which something is paused at the end."""
        last = {each["product_id"]: each["paused"] for each in self.events}
        return {product_id for product_id, paused in last.items() if paused["product"] or paused["skus"]}

    @property
    def transitions(self) -> Counter[tuple[str, str, str]]:
        """How often fuses went from one state to another, by rule."""
        return Counter((each["rule"], each["from"], each["to"]) for each in self.events if each["from"] != each["to"])

    def product(self, name: str) -> str:
        """Return the product of an incident or a trap."""
        return product_of(self.labels, name)


def product_of(labels: Sequence[Label], name: str) -> str:
    """Return the product of the incident or the trap of a name."""
    return next(each.product_id for each in labels if each.name == name)


def small_sale(start: datetime) -> SmallSale:
    """Return the sale that begins at this time."""
    config = SaleConfig(
        start=start.astimezone(UTC),
        duration=LASTS,
        products=60,
        rooms=2,
        orders_per_second=5.0,
        peak_factor=2.0,
        partitions=INPUT_PARTITIONS,
    )
    sale = Sale(config)
    records = list(sale.records())
    labels = sale.labels()
    records += _no_complaint(records, config.start_ms + 1_000)
    records += _commands(labels, config.start_ms + LASTS // timedelta(milliseconds=1))
    letters: Counter[tuple[str, str]] = Counter()
    run = Replay(DEFAULT_RULES, lambda letter: letters.update([(letter.record["topic"], letter.reason)]))
    run.add("the sale", [line(each) for each in records])
    events = [orjson.loads(each.value) for each in run.outputs() if each.topic == FUSE_EVENTS]
    return SmallSale(records, labels, run.summary, events, letters)


def _fuse(event: dict[str, Any]) -> Fuse:
    return event["product_id"], event["sku_id"] or "", event["rule"]


def _no_complaint(records: Sequence[CaptureRecord], at_ms: int) -> list[CaptureRecord]:
    offset = sum((each.topic, each.partition) == (NAMES.complaints, 0) for each in records)
    return [CaptureRecord(NAMES.complaints, 0, offset, at_ms, b"k", b"no complaint")]


def _commands(labels: Sequence[Label], after_ms: int) -> list[CaptureRecord]:
    words: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("pause", "few-sales", {"expires_at": after_ms + HOUR_MS}),
        ("allow", "complaint-surge", {"expires_at": after_ms + HOUR_MS}),
        ("resume", "critical-complaints", {}),
        ("release", "whale-order", {}),
    )
    offsets: Counter[int] = Counter()
    records = []
    for number, (action, name, more) in enumerate(words, 1):
        product_id, at_ms = product_of(labels, name), after_ms + number
        value = {
            "command_id": f"k{number}",
            "product_id": product_id,
            "action": action,
            "actor": "jo",
            "reason": "seen",
            "issued_at": at_ms,
            **more,
        }
        partition = partition_of(product_id, SIGNALS_PARTITIONS)
        records.append(
            CaptureRecord(
                NAMES.commands, partition, offsets[partition], at_ms, product_id.encode(), orjson.dumps(value)
            )
        )
        offsets[partition] += 1
    return records
