"""The job in Quix Streams: four dataframes, concatenated and grouped by product, state in RocksDB with changelogs.

It runs by `python -m tests.bench.compare.quix_app`.
"""

from typing import Any, Final

from quixstreams import Application, State
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.models import Topic

from tests.bench.compare import job
from tests.bench.compare.rules import Event, Fact, decide, facts

# To merge topics by time it collects records for so long, by default a second, at each of the two steps.
_POLL_S: Final = 0.02


def _product(of: dict[str, Any]) -> str:
    return str(of["product_id"])


def _judge(fact: Fact, state: State) -> list[Event]:
    return decide(fact, state.get, state.set)


def run() -> None:
    """Run until it is ended."""
    app = Application(
        broker_address=job.BROKER,
        consumer_group=job.APPLICATION,
        auto_offset_reset="earliest",
        state_dir=job.DATA,
        commit_interval=job.COMMIT_S,
        consumer_poll_timeout=_POLL_S,
        consumer_extra_config={"session.timeout.ms": job.SESSION_MS, "heartbeat.interval.ms": job.SESSION_MS // 4},
        producer_extra_config={"acks": "all", "linger.ms": 5},
        loglevel="WARNING",
    )
    events = app.topic(job.EVENTS, key_serializer="str", value_serializer="json")
    orders, *others = (
        _facts(app, app.topic(name, value_deserializer="bytes"), kind) for name, kind in job.KINDS.items()
    )
    merged = orders
    for other in others:
        merged = merged.concat(other)
    by_product = merged.group_by(_product, name="product", key_serializer="str", key_deserializer="str")
    by_product.apply(_judge, stateful=True, expand=True).to_topic(events, key=_product)
    app.run()


def _facts(app: Application, topic: Topic, kind: str) -> StreamingDataFrame:
    return app.dataframe(topic).apply(lambda value: facts(kind, value), expand=True)


if __name__ == "__main__":
    run()
