import random

import pytest

from alerts.pager.progress import LONGEST_NOTE, Mark, Progress


def test_the_mark_is_the_first_event_that_is_not_dealt_with() -> None:
    progress = Progress(5)
    assert all(progress.begin(offset) for offset in (5, 6, 8, 9))
    progress.finish(6)
    progress.finish(8)
    assert progress.mark() == Mark(5, "1 5 0,4")
    progress.finish(5)
    assert progress.mark() == Mark(9, "1 1 0")
    progress.finish(9)
    assert progress.mark() == Mark(10, "1 0")
    assert len(progress) == 0


def test_a_successor_deals_with_what_waited_and_with_nothing_else() -> None:
    progress = Progress(0)
    for offset in range(6):
        progress.begin(offset)
    for offset in (0, 2, 3):
        progress.finish(offset)
    successor = Progress.from_mark(progress.mark())
    assert len(successor) == 3
    assert [offset for offset in range(successor.first, 8) if successor.begin(offset)] == [1, 4, 5, 6, 7]
    assert not successor.begin(4)


@pytest.mark.parametrize("seed", range(20))
def test_through_many_restarts_every_event_is_dealt_with_once(seed: int) -> None:
    chance = random.Random(seed)
    end, progress = 200, Progress(0)
    waiting: list[int] = []
    dealt: list[int] = []
    at = 0
    while len(dealt) < end:
        if chance.random() < 0.1:
            progress = Progress.from_mark(progress.mark())
            waiting, at = [], progress.first
        elif at < end and chance.random() < 0.6:
            if progress.begin(at):
                waiting.append(at)
            at += 1
        elif waiting:
            done = waiting.pop(chance.randrange(len(waiting)))
            progress.finish(done)
            dealt.append(done)
    assert sorted(dealt) == list(range(end))
    assert progress.mark() == Mark(end, "1 0")


def test_a_note_is_never_too_long_for_kafka_and_nothing_is_lost() -> None:
    progress = Progress(10_000_000)
    for offset in range(10_000_000, 10_005_000):
        progress.begin(offset)
    mark = progress.mark()
    assert len(mark.note.encode()) <= LONGEST_NOTE
    successor = Progress.from_mark(mark)
    assert all(successor.begin(offset) for offset in range(10_000_000, 10_005_000))


@pytest.mark.parametrize("note", ["", "something else", "2 5 1,2", "1 x"])
def test_a_note_of_somebody_else_counts_as_none(note: str) -> None:
    progress = Progress.from_mark(Mark(7, note))
    assert (progress.first, progress.next, len(progress)) == (7, 7, 0)


def test_events_that_kafka_has_deleted_are_not_waited_for() -> None:
    progress = Progress.from_mark(Mark(5, "1 10 0,3,8"))
    progress.pass_to(9)
    assert progress.begin(13)
    progress.finish(13)
    assert progress.mark() == Mark(15, "1 0")


def test_what_became_of_the_last_exercises_is_kept_beside_the_position() -> None:
    progress = Progress(5)
    for offset in range(5, 13):
        progress.begin(offset)
    for offset in (5, 6, 8, 9, 11):
        progress.finish(offset, "rejected" if offset == 9 else "sent")
    assert progress.mark() == Mark(7, "1 6 0,3,5; 6=sent,8=sent,9=rejected,11=sent")
    successor = Progress.from_mark(progress.mark())
    assert successor.outcomes == {6: "sent", 8: "sent", 9: "rejected", 11: "sent"}
    assert successor.mark() == progress.mark()
    assert [offset for offset in range(5, 14) if successor.has_done(offset)] == [5, 6, 8, 9, 11]


def test_a_long_note_has_room_for_outcomes() -> None:
    progress = Progress(10**15)
    for offset in range(10**15, 10**15 + 5_000):
        progress.begin(offset)
    for offset in range(4):
        progress.finish(10**15 + 2 * offset, "suppressed")
    note = progress.mark().note
    assert len(note.encode()) <= LONGEST_NOTE
    assert note.count("=suppressed") == 4
