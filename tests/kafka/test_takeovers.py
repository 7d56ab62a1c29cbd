"""How a takeover is timed, with the decisions of lanes written down by hand."""

import pytest

from tests.kafka.takeovers import Decisions, Gone, Takeover, percentile


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Decisions:
    """Return the transactions of two partitions: each is seen 50 ms after it was written."""
    made = Decisions()
    for partition, moments_s in ((0, (10.0, 10.2, 17.3, 17.5)), (1, (10.1, 10.3, 18.0))):
        for written_s in moments_s:
            monkeypatch.setattr("tests.kafka.takeovers.time.time", lambda seen_s=written_s + 0.05: seen_s)
            made.add(partition, round(written_s * 1000), round(written_s * 10))
    return made


def test_a_transaction_that_decides_nothing_does_not_count(decisions: Decisions) -> None:
    decisions.add(1, 19_000, 180)
    assert decisions.first_after(1, 18.5) is None
    decisions.add(1, 19_100, 181)
    assert decisions.first_after(1, 18.5) is not None


def test_what_the_dead_had_written_does_not_count_though_it_is_seen_later(decisions: Decisions) -> None:
    decisions.gone.append(Gone("killed", 10.21, frozenset({0})))
    (takeover,) = decisions.takeovers()
    assert takeover._replace(seconds=0.0) == Takeover("killed", 0, 0.0)
    assert takeover.seconds == pytest.approx(17.35 - 10.21)


def test_a_successor_that_goes_before_it_has_decided_makes_the_wait_longer(decisions: Decisions) -> None:
    decisions.gone += [Gone("killed", 10.35, frozenset({0, 1})), Gone("killed", 17.4, frozenset({1}))]
    assert [(each.partition, each.again, round(each.seconds, 2)) for each in decisions.takeovers()] == [
        (0, False, 7.0),
        (1, True, 7.7),
        (1, False, 0.65),
    ]


def test_a_partition_that_is_never_decided_again_has_no_takeover(decisions: Decisions) -> None:
    decisions.gone.append(Gone("killed", 18.0, frozenset({1})))
    assert decisions.takeovers() == []


def test_the_longest_wait_counts_from_and_to_the_ends_of_the_look(decisions: Decisions) -> None:
    assert decisions.longest_wait(0, 10.0, 18.0) == pytest.approx(17.35 - 10.25)
    assert decisions.longest_wait(0, 17.4, 20.0) == pytest.approx(20.0 - 17.55)
    assert decisions.longest_wait(1, 11.0, 12.0) == pytest.approx(1.0)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [5.0, 1.0, 3.0, 2.0, 4.0]
    assert [percentile(values, share) for share in (0.5, 0.9, 1.0)] == [3.0, 5.0, 5.0]
    assert percentile([7.0], 0.5) == 7.0
