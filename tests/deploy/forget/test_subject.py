import orjson
import pytest

from deploy.forget.subject import FORGOTTEN, Subject
from schemas.rules import DEFAULT_RULES
from streams import frames
from streams.engine import codec
from streams.engine.events import FUSE_EVENTS
from streams.engine.partition import Partition
from streams.frames import Frame
from tests.streams.driver import SOURCE, Driver, rules

ORDER, COMPLAINT = Subject("order", "7"), Subject("complaint", "7")
SURGE = {"id": "surge", "kind": "complaint_surge", "more_than": 2}
OVERSELL = {"id": "stock", "kind": "oversell"}


def tripped() -> Driver:
    """Return a product with a surge fuse opened by complaints 5, 6 and 7, and an over-sell fuse opened by order 7."""
    driver = Driver(rules(SURGE, OVERSELL))
    for number in (5, 6, 7):
        driver.complain(f"12:00:0{number}", str(number))
    driver.stock("12:00:08", 3)
    driver.order("12:00:09", 3, "7", line=1)
    driver.order("12:00:09", 1, "7", line=2)
    assert [event["type"] for event in driver.events] == ["fuse.opened", "fuse.opened"]
    return driver


def state_of(driver: Driver) -> bytes:
    ((_, value),) = driver.partition.take_dirty()
    return value


@pytest.mark.parametrize(
    ("value", "order", "complaint"),
    [
        ({"order_id": "7"}, "id", None),
        ({"order_id": 7, "lines": [{"product_id": "7"}]}, "id", None),
        ({"complaint_id": "7", "order_id": "8"}, None, "id"),
        ({"complaint_id": "1", "order_id": "7", "text": "no"}, "id", None),
        ({"complaint_id": "1", "text": "my order 7 never came"}, "text", "text"),
        ({"product_id": "7", "quantity": 7}, None, None),
        ({"order_id": "77"}, None, None),
        ({"who": {"complaint_id": "7"}, "reason": "x"}, None, "id"),
    ],
)
def test_records_name_it_as_an_id_or_in_a_text(value: object, order: str | None, complaint: str | None) -> None:
    assert (ORDER.in_record(orjson.dumps(value)), COMPLAINT.in_record(orjson.dumps(value))) == (order, complaint)


def test_an_id_is_found_however_json_writes_it_and_where_there_is_no_json() -> None:
    subject = Subject("order", 'größe "1"')
    assert subject.in_record(orjson.dumps({"order_id": 'größe "1"'})) == "id"
    assert subject.in_record(b'{"order_id": "gr\\u00f6\\u00dfe \\"1\\""}') == "id"
    assert subject.in_record(b'{"order_id": "gr\xc3\xb6\xc3\x9fe \\"1\\"", ') == "bytes that are no JSON"


def test_frames_name_orders_and_complaints_by_their_kind() -> None:
    driver_order = [0, 0, 257, 1, "p", 1, "7", None, 1, None, None, None]
    complaint = [3, 0, 512, 1, "p", "7", "quality", None]
    command = [5, 0, 768, 1, "p", {"command_id": "k", "reason": "complaint 7 says it all"}]

    def frame(*signals: list[object]) -> bytes:
        return frames.encode(Frame("a", [SOURCE], [], 0, live=False, signals=list(signals)))

    assert (ORDER.in_frame(frame(driver_order)), COMPLAINT.in_frame(frame(driver_order))) == ("signal", None)
    assert (ORDER.in_frame(frame(complaint)), COMPLAINT.in_frame(frame(complaint))) == (None, "signal")
    assert ORDER.in_frame(frame(command)) == COMPLAINT.in_frame(frame(command)) == "text"
    assert ORDER.in_frame(frame()) is None


def test_evidence_is_told_apart_by_its_rule() -> None:
    driver = tripped()
    surge, oversell = (output.value for output in driver.outputs if output.topic == FUSE_EVENTS)
    assert (ORDER.in_event(surge), COMPLAINT.in_event(surge)) == (None, "evidence")
    assert (ORDER.in_event(oversell), COMPLAINT.in_event(oversell)) == ("evidence", None)
    ((_, fuse_state),) = driver.partition.take_fuse_states()
    assert fuse_state is not None
    left = COMPLAINT.forgotten_in_event(fuse_state)
    assert (ORDER.in_event(left), COMPLAINT.in_event(left)) == ("evidence", None)
    assert orjson.loads(left)["fuses"][1]["cause"]["evidence"] == ["5", "6", FORGOTTEN]


def test_a_state_forgets_the_id_and_nothing_else() -> None:
    value = state_of(tripped())
    for subject, other in ((ORDER, COMPLAINT), (COMPLAINT, ORDER)):
        assert subject.in_state("p1", value) == "memory of what was seen"
        left = subject.forgotten_in_state("p1", value)
        assert subject.in_state("p1", left) is None
        assert other.in_state("p1", left) == "memory of what was seen"
        assert subject.forgotten_in_state("p1", left) == left, "twice changes nothing more"
        before, after = codec.decode("p1", value), codec.decode("p1", left)
        assert [len(memory) for memory in after.memories] == [len(memory) for memory in before.memories]
        assert [list(memory.values()) for memory in after.memories] == [list(m.values()) for m in before.memories]
        assert [fuse.state for fuse in after.all_fuses()] == ["open", "open"]
    both = ORDER.forgotten_in_state("p1", COMPLAINT.forgotten_in_state("p1", value))
    assert b'"7' not in both


def test_what_was_counted_stays_counted() -> None:
    driver = Driver(rules(SURGE))
    driver.complain("12:00:05", "7")
    driver.complain("12:00:06", "8")
    left = COMPLAINT.forgotten_in_state("p1", state_of(driver))
    partition = Partition(0, DEFAULT_RULES)
    partition.restore(driver.partition.snapshot())
    partition.load("p1", left)
    partition.loaded()
    driver.partition = partition
    (event,) = driver.complain("12:00:07", "9")
    assert event["cause"]["measured"] == 3
    assert event["cause"]["evidence"] == [FORGOTTEN, "8", "9"]


def test_a_cut_id_is_no_trace() -> None:
    driver = Driver(rules(SURGE))
    driver.order("12:00:00", 1, "70")
    driver.order("12:00:01", 1, "17", line=2)
    driver.order("12:00:02", 1, "x", event="7")
    assert ORDER.in_state("p1", state_of(driver)) is None
