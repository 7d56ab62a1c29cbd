"""The job in Bytewax: one dataflow, one source of four topics, state in memory for each product, snapshots to disk.

It runs by `python -m bytewax.run tests.bench.compare.bytewax_app:flow -r DIRECTORY -s SECONDS -b 0`.
"""

from typing import Final

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow

from tests.bench.compare import job
from tests.bench.compare.rules import Event, Fact, State, decide, facts

_BATCH: Final = 1_000


def _by_product(record: KafkaSourceMessage[bytes, bytes]) -> list[tuple[str, Fact]]:
    return [(fact["product_id"], fact) for fact in facts(job.KINDS[record.topic], record.value)]


def _judge(states: dict[str, State] | None, fact: Fact) -> tuple[dict[str, State], list[Event]]:
    states = {} if states is None else states
    return states, decide(fact, states.get, states.__setitem__)


def _message(keyed: tuple[str, Event]) -> KafkaSinkMessage[bytes, bytes]:
    product_id, event = keyed
    return KafkaSinkMessage(product_id.encode(), orjson.dumps(event))


brokers = [job.BROKER]
flow = Dataflow("compare")
records = op.input("records", flow, KafkaSource(brokers, list(job.KINDS), batch_size=_BATCH))
keyed = op.flat_map("by_product", records, _by_product)
events = op.stateful_flat_map("judge", keyed, _judge)
messages = op.map("message", events, _message)
op.output("events", messages, KafkaSink(brokers, job.EVENTS, add_config={"acks": "all", "linger.ms": "0"}))
