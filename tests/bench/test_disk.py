"""Bytes that are appended to a topic are counted through new segments and compaction."""

from pathlib import Path

from tests.bench.disk import Log


def _segment(data: Path, partition: str, first: int, size: int) -> None:
    directory = data / partition
    directory.mkdir(exist_ok=True)
    (directory / f"{first:020d}.log").write_bytes(bytes(size))


def test_growth_of_the_last_segment_counts(tmp_path: Path) -> None:
    _segment(tmp_path, "t.state-0", 0, 100)
    _segment(tmp_path, "t.state-1", 0, 50)
    _segment(tmp_path, "t.state-x-0", 0, 1000)
    log = Log(tmp_path, "t.state")
    assert log.size == 150
    assert log.appended() == 0
    _segment(tmp_path, "t.state-0", 0, 130)
    assert log.appended() == 30
    assert log.appended() == 0


def test_a_new_segment_counts_and_what_compaction_takes_does_not(tmp_path: Path) -> None:
    _segment(tmp_path, "t.state-0", 0, 100)
    log = Log(tmp_path, "t.state")
    _segment(tmp_path, "t.state-0", 0, 120)
    _segment(tmp_path, "t.state-0", 7, 40)
    assert log.appended() == 60
    _segment(tmp_path, "t.state-0", 0, 10)
    _segment(tmp_path, "t.state-0", 7, 45)
    assert log.appended() == 5
    assert log.size == 55
