"""How long the broker has been silent, as aiokafka's consumer knows it; and what Faust commits."""

from collections import defaultdict
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from faust.transport.consumer import Consumer as FaustConsumer
from faust.types import TP

from streams.worker.feed import Feed

NOW_S = 1_000.0


class Consumer:
    """The partitions of a consumer inside a Faust app, and when the broker told of each last (ms)."""

    def __init__(self) -> None:
        self.states: dict[TopicPartition, SimpleNamespace] = {}
        subscription = SimpleNamespace(assignment=SimpleNamespace(state_value=self.states.__getitem__))
        inner = SimpleNamespace(_subscription=SimpleNamespace(subscription=subscription))
        self.feed = Feed(SimpleNamespace(consumer=SimpleNamespace(_thread=SimpleNamespace(_consumer=inner))), "signals")

    def assign(self, number: int) -> SimpleNamespace:
        state = self.states[TopicPartition("signals", number)] = SimpleNamespace(timestamp=None)
        return state


def test_silence_counts_from_what_was_told_last() -> None:
    consumer = Consumer()
    consumer.assign(0).timestamp = (NOW_S - 7) * 1000
    assert consumer.feed.silent_s(0, NOW_S) == 7


def test_a_broker_that_has_told_nothing_yet_is_silent_since_it_was_first_asked() -> None:
    consumer = Consumer()
    state = consumer.assign(0)
    assert [consumer.feed.silent_s(0, NOW_S + seconds) for seconds in (0, 6)] == [0, 6]
    state.timestamp = (NOW_S + 6) * 1000
    assert consumer.feed.silent_s(0, NOW_S + 8) == 2


def test_a_rebalance_begins_anew() -> None:
    consumer = Consumer()
    consumer.assign(0)
    assert consumer.feed.silent_s(0, NOW_S) == 0
    consumer.assign(0)
    assert [consumer.feed.silent_s(0, NOW_S + seconds) for seconds in (60, 61)] == [0, 1]


def test_what_is_not_assigned_is_not_known() -> None:
    assert Consumer().feed.silent_s(0, NOW_S) is None
    assert Feed(SimpleNamespace(consumer=None), "signals").silent_s(0, NOW_S) is None


def test_faust_commits_what_it_did_not_deliver_and_a_lane_has_read() -> None:
    topic = TP("signals", 0)
    topics = SimpleNamespace(acks_enabled_for=lambda _: True)
    # What Faust's own methods keep their books in; a whole consumer would start a thread.
    consumer: Any = SimpleNamespace(
        app=SimpleNamespace(topics=topics),
        _committed_offset={topic: 3},
        _acked=defaultdict(list),
        _acked_index=defaultdict(set),
        _gap=defaultdict(list),
        _unacked_messages=set(),
        _n_acked=0,
        _waiting_for_ack=None,
    )
    consumer.ack = partial(FaustConsumer.ack, consumer)
    feed = Feed(SimpleNamespace(consumer=consumer), "signals")
    for offset in (5, 6):
        feed.acknowledge(0, offset)
    assert FaustConsumer._new_offset(consumer, topic) is None  # noqa: SLF001 (nothing public tells)
    for offset in (2, 4, 5, 3):
        feed.acknowledge(0, offset)
    assert FaustConsumer._new_offset(consumer, topic) == 7  # noqa: SLF001
    Feed(SimpleNamespace(consumer=None), "signals").acknowledge(0, 0)
