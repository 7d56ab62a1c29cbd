"""The merge against what the contract says: the next item is the one with the smallest time among the heads."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.signals import STOCK, TICK, Signal, tick_before
from streams.merge import NEVER, Merge

Item = tuple[int, str]
"""(time in ms, item)"""


class Step(NamedTuple):
    """One thing that happens to a source."""

    source: int
    items: int
    caught_up: bool


def by_heads(sources: list[list[Item]]) -> list[str]:
    """Take the head with the smallest time again and again, of equal ones that of the first source."""
    queues = [list(source) for source in sources]
    order = []
    while any(queues):
        _, rank = min((queue[0][0], rank) for rank, queue in enumerate(queues) if queue)
        order.append(queues[rank].pop(0)[1])
    return order


def items_of(times: list[list[int]]) -> list[list[Item]]:
    return [[(time, f"{source}:{place}") for place, time in enumerate(each)] for source, each in enumerate(times)]


def merge_of(sources: list[list[Item]]) -> Merge:
    merge = Merge()
    for rank in range(len(sources)):
        merge.add(f"s{rank}", rank)
    return merge


TIMES = st.lists(st.lists(st.integers(0, 12), max_size=12), min_size=1, max_size=4)


@given(TIMES)
def test_complete_sources_come_out_head_by_head(times: list[list[int]]) -> None:
    sources = items_of(times)
    merge = merge_of(sources)
    for rank, items in enumerate(sources):
        merge.push(f"s{rank}", items)
        merge.mark_caught_up(f"s{rank}", caught_up=True)
    assert [item for _, item in merge.take()] == by_heads(sources)


@given(TIMES, st.data())
def test_a_backlog_comes_out_in_the_same_order_however_it_is_fetched(
    times: list[list[int]], data: st.DataObject
) -> None:
    sources = items_of(times)
    merge = merge_of(sources)
    rest = [list(source) for source in sources]
    taken: list[str] = []
    while any(rest):
        rank = data.draw(st.sampled_from([number for number, queue in enumerate(rest) if queue]))
        count = data.draw(st.integers(1, 5))
        merge.push(f"s{rank}", rest[rank][:count])
        del rest[rank][:count]
        # A source is caught up when it has been read to its end, and not before.
        for number, queue in enumerate(rest):
            merge.mark_caught_up(f"s{number}", caught_up=not queue)
        taken += [item for _, item in merge.take()]
    for number in range(len(sources)):
        merge.mark_caught_up(f"s{number}", caught_up=True)
    taken += [item for _, item in merge.take()]
    assert taken == by_heads(sources)


@given(TIMES)
def test_nothing_earlier_than_the_bound_comes_afterwards(times: list[list[int]]) -> None:
    sources = items_of(times)
    merge = merge_of(sources)
    for rank, items in enumerate(sources):
        merge.push(f"s{rank}", items[: len(items) // 2])
    merge.take()
    bound = merge.bound()
    for rank, items in enumerate(sources):
        merge.push(f"s{rank}", items[len(items) // 2 :])
        merge.mark_caught_up(f"s{rank}", caught_up=True)
    assert all(key >= bound for key, _ in merge.take())
    assert merge.bound() == NEVER


def test_a_source_that_has_brought_nothing_holds_the_others_up_until_it_is_caught_up() -> None:
    merge = merge_of([[], []])
    merge.push("s0", [(5, "a")])
    assert merge.take() == []
    assert list(merge.waiting_for()) == ["s1"]
    merge.mark_caught_up("s1", caught_up=True)
    assert merge.take() == [(5, "a")]


def test_a_late_item_goes_at_the_place_that_its_source_has_reached() -> None:
    merge = merge_of([[], []])
    merge.push("s0", [(10, "on time"), (3, "late")])
    merge.push("s1", [(7, "other"), (12, "later")])
    assert [(key, item) for key, item in merge.take()] == [(7, "other"), (10, "on time"), (10, "late")]
    assert merge.head("s1") == "later"


def test_equal_times_go_by_rank_and_wait_for_the_smaller_one() -> None:
    merge = merge_of([[], []])
    merge.push("s1", [(5, "second")])
    merge.push("s0", [(4, "before")])
    # s0 may still bring an item of time 5, and that would go first.
    assert [item for _, item in merge.take()] == ["before"]
    merge.push("s0", [(5, "first")])
    merge.push("s1", [(6, "third")])
    assert [item for _, item in merge.take()] == ["first"]
    merge.advance("s0", 6)
    assert [item for _, item in merge.take()] == ["second"]
    merge.mark_caught_up("s0", caught_up=True)
    assert [item for _, item in merge.take()] == ["third"]


def test_what_is_removed_holds_nobody_up() -> None:
    merge = merge_of([[], []])
    merge.push("s0", [(5, "a")])
    merge.remove("s1")
    assert len(merge.take()) == 1
    assert "s1" not in merge
    assert len(merge) == 0


def signals_of(sources: list[list[Item]]) -> list[list[Signal]]:
    return [
        [[STOCK, rank, place, time, item] for place, (time, item) in enumerate(items)]
        for rank, items in enumerate(sources)
    ]


@given(TIMES, st.data())
def test_signals_come_out_as_items_do_and_late_ones_behind_their_ticks(
    times: list[list[int]], data: st.DataObject
) -> None:
    sources = items_of(times)
    floors = [data.draw(st.integers(0, 12)) for _ in sources]
    merge, by_item = merge_of(sources), merge_of(sources)
    found, expected = list[Signal](), list[Signal]()
    for turn in range(1, 5):
        for rank, signals in enumerate(signals_of(sources)):
            part = signals[len(signals) * (turn - 1) // 4 : len(signals) * turn // 4]
            merge.push_signals(f"s{rank}", part)
            by_item.push(f"s{rank}", [(signal[3], signal) for signal in part])
            for each in (merge, by_item):
                each.mark_caught_up(f"s{rank}", caught_up=turn == 4)
                if turn == 1:
                    each.begin(f"s{rank}", floors[rank])
        found += merge.take_signals()
        for key, signal in by_item.take():
            expected += [tick_before(key), signal] if signal[3] < key else [signal]
    assert found == expected
    heads = [[(max(floor, time), item) for time, item in items] for floor, items in zip(floors, sources, strict=True)]
    assert [signal[4] for signal in found if signal[0] == STOCK] == by_heads(heads)
    assert len(merge) == 0


def test_signals_are_pushed_by_their_own_time() -> None:
    merge = merge_of([[]])
    signals: list[Signal] = [[2, 0, 256, 9, "p1"], [2, 0, 512, 4, "p2"]]
    merge.push_signals("s0", signals)
    assert merge.reached("s0") == merge.latest() == 9
    assert merge.head("s0") is signals[0]
    assert merge.take_signals() == [signals[0], [TICK, 0, 0, 8, ""], signals[1]]
    assert merge.taken("s0") == 9
