from alerts.pager.schedule import Schedule


def test_names_come_when_they_are_due_and_the_last_word_counts() -> None:
    schedule: Schedule[str] = Schedule()
    for name, due in (("a", 3.0), ("b", 1.0), ("c", 2.0), ("d", 1.0)):
        schedule.put(name, due)
    schedule.put("b", 4.0)
    schedule.drop("c")
    schedule.drop("unknown")
    assert schedule.next() == 1.0
    assert schedule.take(0.5, 10) == []
    assert schedule.take(3.0, 10) == ["d", "a"]
    assert (len(schedule), schedule.next()) == (1, 4.0)
    assert schedule.take(9.0, 10) == ["b"]
    assert schedule.next() is None


def test_no_more_are_taken_than_asked_for() -> None:
    schedule: Schedule[int] = Schedule()
    for name in range(10):
        schedule.put(name, 1.0)
    assert schedule.take(1.0, 4) == [0, 1, 2, 3]
    assert schedule.take(1.0, 0) == []
    assert schedule.take(1.0, 40) == [4, 5, 6, 7, 8, 9]
