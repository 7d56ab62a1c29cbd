"""How long the broker has been silent, as aiokafka's consumer knows it."""

from types import SimpleNamespace

from aiokafka import TopicPartition

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
