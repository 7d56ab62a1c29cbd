"""What the engine counts, on the signals of a small sale."""

from schemas.rules import DEFAULT_RULES, RuleSet
from streams.engine.counts import Counts
from streams.engine.partition import Partition
from streams.engine.signals import COMMAND, COMPLAINT, ORDER, RULES, Signal

NOON = 1_762_862_400_000
SOURCES = ["live.complaints/0"]
RULE_IDS = {"oversell", "return-spike", "complaint-surge", "critical-complaints"}


def order(position: int, product_id: str = "p1", number: int | None = None) -> Signal:
    name = f"o{position if number is None else number}"
    return [ORDER, 0, position, NOON + position, product_id, 1, name, None, 1, None, "room", None]


def complaint(position: int, category: str = "quality", time_ms: int = 0) -> Signal:
    return [COMPLAINT, 0, position, time_ms or NOON + position, "p1", f"c{position}", category, "room"]


def command(position: int, action: str) -> Signal:
    given = {
        "command_id": f"k{position}", "action": action, "actor": "li", "reason": "because",
        "issued_at": NOON + position, "rule": None, "sku_id": None, "expires_at": None, "expected_sequence": None,
    }  # fmt: skip
    return [COMMAND, 0, position, NOON + position, "p1", given]


def rule_set(position: int, version: int, rules: RuleSet = DEFAULT_RULES) -> Signal:
    data = rules.model_copy(update={"version": version}).model_dump(mode="json")
    return [RULES, 0, position, NOON + position, "", data]


def test_signals_are_counted_by_kind_and_outcome() -> None:
    partition = Partition(0, DEFAULT_RULES)
    partition.apply(SOURCES, [order(1), order(2), order(2), order(3, number=1), complaint(4), command(5, "pause")])
    partition.apply(SOURCES, [rule_set(6, 1), rule_set(7, 1)])
    counts = partition.counts
    assert [counts.applied[kind] for kind in (ORDER, COMPLAINT, COMMAND, RULES)] == [2, 1, 1, 1]
    assert (counts.duplicates[ORDER], counts.repeated, counts.old_rule_sets) == (1, 1, 1)


def test_a_rule_is_shown_the_signals_of_the_kinds_that_it_wants_to_see() -> None:
    partition = Partition(0, DEFAULT_RULES)
    partition.apply(SOURCES, [order(1), order(2), complaint(3), command(4, "pause")])
    assert partition.counts.evaluations() == {
        "oversell": 2,
        "return-spike": 2,
        "complaint-surge": 1,
        "critical-complaints": 1,
    }


def test_counts_go_on_under_new_rules_and_when_partitions_share_them() -> None:
    counts = Counts()
    only = DEFAULT_RULES.model_copy(update={"rules": DEFAULT_RULES.rules[2:3]})
    first, second = (Partition(number, DEFAULT_RULES, counts=counts) for number in range(2))
    first.apply(SOURCES, [complaint(1), rule_set(2, 1, only), complaint(3)])
    second.apply(SOURCES, [complaint(1)])
    assert counts.applied[COMPLAINT] == 3
    assert {name: number for name, number in counts.evaluations().items() if number} == {
        "complaint-surge": 3,
        "critical-complaints": 2,
    }


def test_a_signal_older_than_the_reach_of_a_rule_is_late_for_it() -> None:
    partition = Partition(0, DEFAULT_RULES)
    partition.apply(SOURCES, [complaint(1), complaint(2, time_ms=NOON - 7_200_000)])
    assert partition.counts.late[COMPLAINT] == 1


def test_open_fuses_are_counted_also_after_recovery() -> None:
    partition = Partition(0, DEFAULT_RULES)
    partition.apply(SOURCES, [complaint(number, "allergy") for number in range(1, 7)])
    assert partition.open_fuses == {("critical-complaints", False): 1}
    again = Partition(0, DEFAULT_RULES)
    for product_id, value in partition.take_dirty():
        again.load(product_id, value)
    again.restore(partition.snapshot())
    again.loaded()
    assert again.open_fuses == partition.open_fuses
    again.apply(SOURCES, [command(10, "acknowledge"), command(11, "resume")])
    assert +again.open_fuses == {}


def test_products_are_counted_once_stored_or_not() -> None:
    partition = Partition(0, DEFAULT_RULES)
    partition.hot_products = 2
    partition.apply(SOURCES, [order(number, f"p{number % 5}") for number in range(20)])
    assert len(partition) == 5
    partition.take_dirty()
    partition.apply(SOURCES, [order(number, f"p{number % 7}") for number in range(20, 40)])
    assert len(partition) == 7
    partition.take_dirty()
    assert len(partition) == 7


def test_what_is_counted_does_not_grow_with_the_number_of_products() -> None:
    partition = Partition(0, DEFAULT_RULES)
    partition.apply(SOURCES, [order(1)])
    before = (len(partition.counts.tallies), len(partition.counts.evaluations()))
    partition.apply(SOURCES, (order(number, f"p{number}") for number in range(2, 5_002)))
    assert len(partition) == 5_001
    assert (len(partition.counts.tallies), len(partition.counts.evaluations())) == before
