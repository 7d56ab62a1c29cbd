"""Labels: what a simulated sale was made to contain, and so what livefuse must and must not find in it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import BinaryIO, Literal

import orjson

from schemas.times import from_ms


@dataclass(frozen=True, slots=True)
class Label:
    """One incident or trap of one product, in which nothing else happens.

    `rule` is the id of a default rule. `at_ms` is the event time at which its fuse opens, that is `occurred_at` of the
    fuse event; None for a trap, whose product opens no fuse at all. `sku_id` is None where the fuse is the product's.
    """

    product_id: str
    sku_id: str | None
    rule: str
    kind: Literal["incident", "trap"]
    name: str
    at_ms: int | None
    note: str


def line(label: Label) -> bytes:
    """Return the label as a line of JSON: the fields of `Label`, with `at` (RFC 3339 or null) in place of `at_ms`."""
    fields = asdict(label)
    at_ms = fields.pop("at_ms")
    fields["at"] = None if at_ms is None else from_ms(at_ms)
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def write(labels: Iterable[Label], file: BinaryIO) -> int:
    """Write the labels as JSON lines and return how many there were."""
    count = 0
    for label in labels:
        file.write(line(label))
        count += 1
    return count
