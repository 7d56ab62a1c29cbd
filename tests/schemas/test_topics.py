import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigurationError
from schemas.topics import LARGEST_RECORD_BYTES, Topic, TopicNames, partition_of, topics
from tests.schemas.unhurried import TEXT, UNHURRIED

PROJECT = Path(__file__).resolve().parents[2]
DAYS: Callable[[int], timedelta] = timedelta

# Section 2 of the contract, and the audit of the console: name, cleanup, retention.
TABLE = [
    ("live.orders", "delete", None),
    ("live.returns", "delete", None),
    ("live.complaints", "delete", None),
    ("live.stock-levels", "delete", None),
    ("livefuse.commands", "delete", DAYS(30)),
    ("livefuse.rules", "compact", None),
    ("livefuse.signals", "delete", DAYS(3)),
    ("livefuse.fuse-events", "delete", DAYS(30)),
    ("livefuse.fuse-state", "compact", None),
    ("livefuse.replenishment", "delete", DAYS(7)),
    ("livefuse.watchlist", "compact", None),
    ("livefuse.state", "compact", None),
    ("livefuse.audit", "delete", DAYS(365)),
    ("dlq.live.stock-levels", "delete", DAYS(14)),
    ("dlq.live.orders", "delete", DAYS(14)),
    ("dlq.live.returns", "delete", DAYS(14)),
    ("dlq.live.complaints", "delete", DAYS(14)),
    ("dlq.livefuse.commands", "delete", DAYS(14)),
    ("dlq.livefuse.rules", "delete", DAYS(14)),
]


def listed(names: TopicNames | None = None, partitions: int = 4) -> dict[str, Topic]:
    return {topic.name: topic for topic in topics(names or TopicNames(), partitions)}


def test_the_topics_are_those_of_the_contract() -> None:
    assert [(topic.name, topic.cleanup, topic.retention) for topic in listed().values()] == TABLE


def test_what_belongs_to_a_product_has_as_many_partitions_as_the_signals() -> None:
    found = {name: topic.partitions for name, topic in listed(partitions=12).items() if topic.layout == "lanes"}
    assert found == dict.fromkeys(
        [
            "livefuse.commands",
            "livefuse.signals",
            "livefuse.fuse-events",
            "livefuse.fuse-state",
            "livefuse.replenishment",
            "livefuse.state",
        ],
        12,
    )


def test_the_shop_s_topics_are_its_own() -> None:
    own = [topic for topic in listed().values() if not topic.ours]
    assert [topic.name for topic in own] == ["live.orders", "live.returns", "live.complaints", "live.stock-levels"]
    assert all(topic.partitions is None and topic.broker_configs() == {} for topic in own)


def test_broker_configs() -> None:
    found = listed()
    assert found["livefuse.signals"].broker_configs() == {
        "cleanup.policy": "delete",
        "retention.ms": "259200000",
        "max.message.bytes": "4194304",
    }
    assert found["livefuse.state"].broker_configs()["cleanup.policy"] == "compact"
    assert "retention.ms" not in found["livefuse.state"].broker_configs()
    assert all(isinstance(value, str) for topic in found.values() for value in topic.broker_configs().values())


def test_a_dead_letter_may_be_larger_than_any_record_that_is_used() -> None:
    for name in TopicNames().inputs:
        limit = listed()[TopicNames().dead_letters(name)].max_message_bytes
        assert limit is not None
        assert limit > 10 * LARGEST_RECORD_BYTES


def test_inputs_are_in_the_order_of_ties() -> None:
    assert TopicNames().inputs == (
        "live.stock-levels",
        "live.orders",
        "live.returns",
        "live.complaints",
        "livefuse.commands",
        "livefuse.rules",
    )


def test_names_are_settings() -> None:
    names = TopicNames(orders="shop.orders.v2", prefix="fuses-")
    found = listed(names)
    assert {"shop.orders.v2", "dlq.shop.orders.v2", "fuses-state", "dlq.fuses-commands"} <= set(found)
    assert not [name for name in found if "livefuse" in name]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (TopicNames(orders="live.returns"), '"live.returns" is the name of two topics'),
        (TopicNames(returns="livefuse.state"), '"livefuse.state" is the name of two topics'),
        (TopicNames(orders="my orders"), '"my orders" \\(orders\\) is no name of a topic'),
        (TopicNames(orders=""), "is no name of a topic"),
        (TopicNames(orders=".", dead_letter_prefix="x"), "is no name of a topic"),
        (TopicNames(orders="x" * 246), "records of x+ that cannot be used"),
        (TopicNames(dead_letter_prefix=""), "is the name of two topics"),
    ],
)
def test_impossible_names_are_refused(names: TopicNames, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        topics(names, 4)


def test_there_is_a_partition() -> None:
    with pytest.raises(ConfigurationError, match="at least 1 partition"):
        topics(TopicNames(), 0)


def test_partition_vectors() -> None:
    vectors = json.loads((PROJECT / "schemas/generated/partition-vectors.json").read_text())["vectors"]
    assert len(vectors) >= 8
    for vector in vectors:
        for count, partition in vector["partition_of"].items():
            assert partition_of(vector["product_id"], int(count)) == partition


def test_the_page_on_partitioning_shows_the_same_vectors() -> None:
    text = (PROJECT / "docs/partitioning.md").read_text()
    (header,) = re.findall(r"^\| product_id \|.*$", text, re.MULTILINE)
    counts = [int(count) for count in re.findall(r"of (\d+)", header)]
    rows = re.findall(r"^\| `([^`()]+)` \| (\d+) \| (.+) \|$", text, re.MULTILINE)
    assert len(rows) >= 8
    for product_id, crc, partitions in rows:
        assert [int(each) for each in partitions.split(" | ")] == [int(crc) % count for count in counts]
        assert [partition_of(product_id, count) for count in counts] == [int(crc) % count for count in counts]


def crc32_by_hand(data: bytes) -> int:
    """Compute the polynomial division bit by bit, as the standard has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@UNHURRIED
@given(TEXT, st.integers(1, 10_000))
def test_the_partition_is_the_common_crc_32(product_id: str, partitions: int) -> None:
    assert partition_of(product_id, partitions) == crc32_by_hand(product_id.encode()) % partitions


def test_products_spread_evenly() -> None:
    counts = [0] * 12
    for number in range(12_000):
        counts[partition_of(f"product-{number}", 12)] += 1
    assert max(counts) < 1_150
    assert min(counts) > 850
