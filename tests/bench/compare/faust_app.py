"""The job in Faust: an agent for each input topic sends facts to a topic by product, one more applies the rules.

The states are a table. It runs by `python -m tests.bench.compare.faust_app worker`.
"""

import logging
import os
from typing import Any, Final

import faust

from tests.bench.compare import job
from tests.bench.compare.rules import State, decide, facts

app = faust.App(
    job.APPLICATION,
    broker=f"kafka://{job.BROKER}",
    datadir=job.DATA,
    store="memory://",
    topic_partitions=job.PARTITIONS,
    topic_replication_factor=1,
    broker_session_timeout=job.SESSION_MS / 1000,
    broker_rebalance_timeout=job.SESSION_MS / 1000,
    broker_heartbeat_interval=job.SESSION_MS / 4000,
    broker_commit_interval=job.COMMIT_S,
    producer_acks=-1,
    web_enabled=False,
)
by_product = app.topic(f"{job.APPLICATION}-facts", value_serializer="json", partitions=job.PARTITIONS)
events = app.topic(job.EVENTS, value_serializer="json", partitions=job.PARTITIONS)
states = app.Table("states", partitions=job.PARTITIONS)

_log: Final = logging.getLogger(__name__)


def _reading(name: str, kind: str) -> None:
    async def read(stream: Any) -> None:
        async for value in stream:
            for fact in facts(kind, value):
                await by_product.send(key=fact["product_id"], value=fact)

    records = app.topic(name, value_type=bytes, value_serializer="raw", partitions=job.PARTITIONS)
    app.agent(records, name=f"read-{kind}")(read)


for topic, what in job.KINDS.items():
    _reading(topic, what)


class _Kept:
    """The states of a product in the table."""

    def __init__(self, product_id: str) -> None:
        self._product_id = product_id

    def get(self, name: str) -> State | None:
        state: State | None = states.get(f"{self._product_id}/{name}")
        return state

    def put(self, name: str, state: State) -> None:
        states[f"{self._product_id}/{name}"] = state


@app.agent(by_product)
async def judge(stream: Any) -> None:
    """Send the events of each fact."""
    async for fact in stream:
        product_id = fact["product_id"]
        kept = _Kept(product_id)
        try:
            found = decide(fact, kept.get, kept.put)
        except Exception:  # noqa: BLE001 (there is nothing that the process should outlive)
            # Faust would lose the fact, start the agent anew and go on like that for ever.
            _log.exception("the agent has failed")
            os._exit(1)
        for event in found:
            await events.send(key=product_id, value=event)


if __name__ == "__main__":
    app.main()
