from streams.worker.health import PATIENCE_S, Health

LATER = PATIENCE_S + 1


def test_a_partition_with_frames_of_which_none_is_applied_is_a_problem() -> None:
    health = Health()
    health.observe(0.0, {0: 5, 1: 5}, {0: 10, 1: 20})
    health.observe(LATER, {0: 5, 1: 5}, {0: 10, 1: 21})
    assert health.problems(LATER) == ["partition 0: frame 10 is there and is not applied, for 31 s"]


def test_growing_lag_is_no_problem_while_frames_are_applied_nor_is_silence_without_lag() -> None:
    health = Health()
    for step in range(10):
        health.observe(step * LATER, {0: step * 100, 1: 0}, {0: step, 1: 7})
    assert health.problems(9 * LATER) == []


def test_a_lane_that_does_not_open_is_a_problem_and_one_that_has_gone_is_not() -> None:
    health = Health()
    health.observe(0.0, {0: None}, {})
    health.observe(LATER, {0: None}, {})
    assert health.problems(LATER) == ["partition 0: its lane is not open, for 31 s"]
    health.observe(LATER, {}, {})
    assert health.problems(2 * LATER) == []


def test_a_caught_up_partition_of_which_the_broker_tells_nothing_is_a_problem() -> None:
    health = Health()
    health.observe(0.0, {0: 0, 1: 0}, {0: 7, 1: 7})
    health.observe(LATER, {0: 0, 1: 0}, {0: 7, 1: 7}, silent={0})
    assert health.problems(LATER) == ["partition 0: the broker tells nothing of it, for 31 s"]
    health.observe(LATER + 1, {0: 0, 1: 0}, {0: 7, 1: 7})
    assert health.problems(LATER + 1) == []
