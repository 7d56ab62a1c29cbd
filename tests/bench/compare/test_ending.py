from collections import defaultdict

from tests.bench.backlog import PARTITIONS
from tests.bench.compare.ending import ending, keyed
from tests.bench.compare.rules import SENTINEL, decide, facts
from tests.bench.compare.test_rules import KINDS


def test_from_each_partition_of_each_topic_a_sentinel_goes_to_each_partition_by_product() -> None:
    reached = defaultdict(set)
    for product_id, record in ending(0, 1_760_000_000_000).items():
        reached[record.topic, record.partition].add(keyed(product_id))

    assert set(reached) == {(topic, partition) for topic in KINDS for partition in range(PARTITIONS)}
    assert all(partitions == set(range(PARTITIONS)) for partitions in reached.values())


def test_each_sentinel_is_answered_once_and_trips_nothing() -> None:
    for product_id, record in ending(0, 1_760_000_000_000).items():
        (fact,) = facts(KINDS[record.topic], record.value)
        states: dict[str, dict[str, object]] = {}

        (event,) = decide(fact, states.get, states.__setitem__)

        assert (event["product_id"], event["rule"]) == (product_id, SENTINEL)


def test_batches_have_sentinels_of_their_own() -> None:
    assert not ending(0, 1_760_000_000_000).keys() & ending(1, 1_760_000_000_000).keys()
