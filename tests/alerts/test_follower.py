from alerts.follower import Known, in_order, oldest_opening_ms
from tests.alerts.console.test_board import NOON_MS, fuse, state
from tests.alerts.pager.examples import event


def records(*events: tuple[int, int]) -> list[Known]:
    return [Known(event(sequence=sequence).model_dump_json().encode(), at_ms) for sequence, at_ms in events]


def test_past_events_come_by_time_and_those_of_a_partition_in_its_order() -> None:
    one = records((1, 10), (2, 30), (3, 25), (4, 40))
    other = records((5, 5), (6, 28), (7, 35))
    found = list(in_order([one, other, []]))
    assert [value.sequence for value, _ in found] == [5, 1, 6, 2, 3, 7, 4]
    assert [known_ms for _, known_ms in found] == [5, 10, 28, 30, 25, 35, 40]


def test_what_somebody_else_has_written_is_left_out() -> None:
    assert [value.sequence for value, _ in in_order([[Known(b"{}", 1), Known(b"no JSON", 2), *records((1, 3))]])] == [1]


def test_the_oldest_opening_is_that_of_the_fuses_that_are_open() -> None:
    states = [
        state("a", 1, fuse(since=NOON_MS - 5, shadow=True)),
        state("b", 1, fuse(since=NOON_MS - 4, state="closed")),
        state("c", 1, fuse(since=NOON_MS), fuse(rule="other", since=NOON_MS + 3)),
    ]
    assert oldest_opening_ms(states) == NOON_MS
    assert oldest_opening_ms(states[:2]) is None
