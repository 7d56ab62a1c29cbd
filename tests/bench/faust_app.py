"""The idiomatic Faust application that livefuse is measured against: one agent, one record at a time, Faust tables.

It does a simpler job: one merged topic, nothing validated, re-keyed or deduplicated, three simplified rules. It runs by
`python -m tests.bench.faust_app worker`; the environment names broker, application and data directory.

    complaints   more than 50 for a product in this hour
    returns      at least 5 and a fifth of what was ordered in this hour
    stock        nothing left of what was last counted
"""

import os
from typing import Any, Final

import faust

from tests.bench.backlog import NAMES, PARTITIONS

APPLICATION: Final = os.environ.get("BENCH_FAUST_APPLICATION", "bench-faust")
INPUT: Final = f"{APPLICATION}-input"
OUTPUT: Final = f"{APPLICATION}-events"

app = faust.App(
    APPLICATION,
    broker=f"kafka://{os.environ.get('BENCH_FAUST_BROKER', 'localhost:9092')}",
    datadir=os.environ.get("BENCH_FAUST_DATA", "faust-data"),
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    web_enabled=False,
)
records = app.topic(INPUT, value_type=bytes, value_serializer="json", partitions=PARTITIONS)
events = app.topic(OUTPUT, value_serializer="json", partitions=PARTITIONS)
ordered = app.Table("ordered", default=int, partitions=PARTITIONS)
returned = app.Table("returned", default=int, partitions=PARTITIONS)
complained = app.Table("complained", default=int, partitions=PARTITIONS)
stock = app.Table("stock", default=int, partitions=PARTITIONS)
tripped = app.Table("tripped", default=bool, partitions=PARTITIONS)


@app.agent(records)
async def decide(stream: Any) -> None:
    """Count, compare, and say once that a product trips."""
    async for record in stream:
        product_id, kind, hour = record["product_id"], record["kind"], record["time_ms"] // 3_600_000
        bucket = f"{product_id}/{hour}"
        if kind == NAMES.orders:
            ordered[bucket] += record["quantity"]
            if product_id in stock:
                stock[product_id] -= record["quantity"]
        elif kind == NAMES.returns:
            returned[bucket] += record["quantity"]
        elif kind == NAMES.complaints:
            complained[bucket] += 1
        elif kind == NAMES.stock_levels:
            stock[product_id] = record["on_hand"]
        rule = _verdict(bucket, product_id)
        if (rule and not tripped[product_id]) or kind == "sentinel":
            tripped[product_id] = True
            await events.send(key=product_id, value={"product_id": product_id, "rule": rule})


def _verdict(bucket: str, product_id: str) -> str | None:
    if complained[bucket] > 50:
        return "complaint-surge"
    if returned[bucket] >= 5 and returned[bucket] >= 0.2 * ordered[bucket]:
        return "return-spike"
    if product_id in stock and stock[product_id] <= 0:
        return "oversell"
    return None


if __name__ == "__main__":
    app.main()
