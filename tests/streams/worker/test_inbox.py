from streams.worker.inbox import Delivery, Inbox


def delivery(offset: int, size: int = 10) -> Delivery:
    return Delivery(offset, b"x" * size, list)


def test_deliveries_come_out_as_they_came_in_and_earlier_ones_too() -> None:
    inbox = Inbox(100)
    for offset in (3, 4, 2):
        inbox.put(delivery(offset))
    assert inbox.take(2) is None
    assert [each.offset for wanted in (3, 4, 5) if (each := inbox.take(wanted))] == [3, 4, 2]
    assert inbox.take(5) is None


def test_what_is_missing_in_front_of_a_delivery_is_told() -> None:
    inbox = Inbox(100)
    assert inbox.missing(3) is None
    inbox.put(delivery(7))
    assert inbox.missing(3) == 7


def test_a_delivery_without_room_is_read_from_the_broker_and_still_acknowledged() -> None:
    inbox = Inbox(25)
    for offset in range(4):
        inbox.put(delivery(offset))
    assert [each.offset for wanted in (0, 1) if (each := inbox.take(wanted))] == [0, 1]
    assert inbox.take(2) is None
    assert inbox.missing(2) == 4
    inbox.put(delivery(4))
    assert inbox.missing(2) == 4
    passed = inbox.take(4)
    assert passed is not None
    assert (passed.offset, passed.dropped, passed.value) == (2, True, None)


def test_what_a_lane_had_goes_before_what_waits() -> None:
    inbox = Inbox(100)
    inbox.put(delivery(5))
    inbox.put_back([delivery(3), delivery(4)])
    assert [each.offset for wanted in (3, 4, 5) if (each := inbox.take(wanted))] == [3, 4, 5]
    assert len(inbox) == 0


def test_who_reads_a_delivery_without_room_acknowledges_that_delivery_and_it_does_not_come_again() -> None:
    inbox, acknowledged = Inbox(10), list[int]()
    inbox.put(delivery(3))
    inbox.put(Delivery(4, b"x", lambda: acknowledged.append(4)))
    assert inbox.claim(3) is None
    assert inbox.claim(5) is None
    done = inbox.claim(4)
    assert done is not None
    done()
    assert acknowledged == [4]
    assert inbox.claim(4) is None
    assert [each.offset for wanted in (3, 4) if (each := inbox.take(wanted))] == [3]
