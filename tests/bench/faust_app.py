"""The idiomatic Faust application that livefuse is measured against: one agent, one record at a time, Faust tables.

It does a simpler job: one merged topic, nothing validated, re-keyed or deduplicated, simplified rules. It runs by
`python -m tests.bench.faust_app worker`; the environment names broker, application and data directory.
"""

import logging
import os
from typing import Any, Final

import faust

from tests.bench.backlog import PARTITIONS
from tests.bench.simple_rules import SimpleRules

APPLICATION: Final = os.environ.get("BENCH_APPLICATION", "bench-faust")

app = faust.App(
    APPLICATION,
    broker=f"kafka://{os.environ.get('BENCH_BROKER', 'localhost:9092')}",
    datadir=os.environ.get("BENCH_DATA", "faust-data"),
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    web_enabled=False,
)
records = app.topic(f"{APPLICATION}-input", value_type=bytes, value_serializer="json", partitions=PARTITIONS)
events = app.topic(f"{APPLICATION}-events", value_serializer="json", partitions=PARTITIONS)
rules = SimpleRules(
    ordered=app.Table("ordered", default=int, partitions=PARTITIONS),
    returned=app.Table("returned", default=int, partitions=PARTITIONS),
    complained=app.Table("complained", default=int, partitions=PARTITIONS),
    stock=app.Table("stock", partitions=PARTITIONS),
    tripped=app.Table("tripped", partitions=PARTITIONS),
)

log = logging.getLogger(__name__)


@app.agent(records)
async def decide(stream: Any) -> None:
    """Send an event for each record that trips a product."""
    async for record in stream:
        try:
            rule = rules.apply(record)
        except Exception:
            # Faust would lose the record, start the agent anew and go on like that for ever.
            log.exception("the agent has failed")
            os._exit(1)
        if rule is not None:
            product_id = record["product_id"]
            await events.send(key=product_id, value={"product_id": product_id, "rule": rule})


if __name__ == "__main__":
    app.main()
