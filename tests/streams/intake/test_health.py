from streams.intake.health import PATIENCE_S, Health, Place

LATER = PATIENCE_S + 1
NONE = (0, 0)


OTHER = Place("live.returns/0", 5, 0, 0.1)


def place(position: int, unread: int = 0, silent_s: float = 0.0) -> Place:
    return Place("live.orders/0", position, unread, silent_s)


def test_records_that_are_there_and_are_not_read_are_a_problem() -> None:
    health = Health()
    health.observe(0.0, [place(5, unread=1)], 0.0, NONE)
    health.observe(LATER, [place(5, unread=900)], 0.0, NONE)
    assert health.problems(LATER) == ["live.orders/0: 900 records are there and none is read, for 31 s"]
    health.observe(LATER + 1, [place(6, unread=900)], 0.0, NONE)
    assert health.problems(LATER + 1) == []


def test_lag_that_grows_while_records_are_read_is_no_problem_nor_is_silence_of_the_shop() -> None:
    health = Health()
    for step in range(10):
        health.observe(step * LATER, [place(step, unread=step * 100)], 0.0, NONE)
    assert health.problems(9 * LATER) == []
    for step in range(10, 20):
        health.observe(step * LATER, [place(9)], 0.0, NONE)
    assert health.problems(19 * LATER) == []


def test_a_source_of_which_the_broker_tells_nothing_is_a_problem() -> None:
    health = Health()
    health.observe(0.0, [place(5, silent_s=LATER), OTHER], 0.0, NONE)
    assert health.problems(0.0) == ["live.orders/0: the broker tells nothing of it, for 31 s"]
    health.observe(1.0, [place(5, silent_s=LATER), OTHER._replace(silent_s=LATER)], 0.0, NONE)
    assert health.problems(1.0) == ["the broker tells nothing of any source, for 31 s"]


def test_a_frame_that_is_not_acknowledged_is_a_problem() -> None:
    health = Health()
    health.observe(0.0, [], PATIENCE_S, NONE)
    assert health.problems(0.0) == []
    health.observe(1.0, [], LATER, NONE)
    assert health.problems(1.0) == ["a frame is not acknowledged, for 31 s"]


def test_dead_letters_that_are_not_acknowledged_are_a_problem() -> None:
    health = Health()
    health.observe(0.0, [], 0.0, (3, 3))
    health.observe(1.0, [], 0.0, (5, 3))
    health.observe(LATER, [], 0.0, (9, 4))
    assert health.problems(LATER) == []
    health.observe(2 * LATER, [], 0.0, (9, 4))
    assert health.problems(2 * LATER) == ["dead letters are not acknowledged, for 31 s"]
    health.observe(2 * LATER + 1, [], 0.0, (9, 9))
    assert health.problems(2 * LATER + 1) == []


def test_a_source_that_was_taken_away_is_no_problem() -> None:
    health = Health()
    health.observe(0.0, [place(5, unread=1)], 0.0, NONE)
    health.observe(LATER, [], 0.0, NONE)
    assert health.problems(LATER) == []
