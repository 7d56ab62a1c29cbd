import pytest

from schemas.errors import StateError
from streams import frames
from streams.worker.store import LaneRecord
from tests.corpus.released import Lane, timeline


def encoded(start_ms: int, offset: int) -> bytes:
    """Return a frame of a log that began anew: one complaint, at the beginning of its source."""
    signal = [3, 0, 256 * offset, start_ms, "p9", f"new-{offset}", "quality", None]
    return frames.encode(frames.Frame("a", ["live.complaints/0"], [], start_ms, live=False, signals=[signal]))


def test_on_another_log_nothing_is_passed_over() -> None:
    line = timeline(2)
    lane = Lane(line.rules)
    signals = [list(step) for step in line.steps if not isinstance(step, int)]
    names = [f"live.complaints/{number}" for number in range(8)]
    lane.take([frames.encode(frames.Frame("a", names, [], 0, live=False, signals=signals))])
    record = lane.save()
    clock = max(signal[3] for signal in signals)
    again = [encoded(clock + number, number) for number in range(3)]

    kept = Lane.opened(record, lane.states)
    kept.next = 1
    kept.take(again)
    assert kept.partition.counts.repeated == 3, "as it is the record knows these positions"

    moved = Lane.opened(LaneRecord.decode(record).on_another_log(-1).encode(), lane.states)
    assert moved.next == 0
    moved.take(again)
    assert moved.partition.counts.repeated == 0
    assert moved.partition.positions == {"live.complaints/0": 512}
    assert moved.partition.plan.version == kept.partition.plan.version
    assert LaneRecord.decode(moved.save()).position == 2


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x01\x00\x00\x00\x02{}"])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        LaneRecord.decode(value)
