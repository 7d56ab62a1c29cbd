from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from streams.headers import RUN, Batches
from tests.streams.strange_names import GARBLED, Header, Written, batch

GOOD: Header = (b"trace", b"7")
BAD: Header = (GARBLED, b"7")
REST: list[Header] = [(b"", b"x"), ("头".encode(), None)]
WHERE = TopicPartition("live.orders", 0)

CODECS = range(5)
"""None, gzip, snappy, lz4, zstd"""


def fetched(records: Any, offset: int = 0, *, check: bool = True) -> PartitionRecords:
    """Return what aiokafka's fetcher makes of the batches of an answer."""
    return PartitionRecords(WHERE, records, [], offset, None, None, check, READ_COMMITTED)


def facts(records: Iterator[Any]) -> list[tuple[Any, ...]]:
    return [(each.offset, each.timestamp, each.key, each.value, each.headers) for each in records]


def values(count: int) -> list[bytes | None]:
    return [None if number % 7 == 3 else b"%d" % number * (1 + number % 400) for number in range(count)]


def with_headers(count: int, *headers: Header) -> list[Written]:
    return [Written(value, headers, b"%d" % len(value or b"")) for value in values(count)]


def at(offset: int, data: bytes) -> bytes:
    """Return a batch as it is stored from this offset on."""
    return offset.to_bytes(8, "big") + data[8:]


def test_aiokafka_alone_would_stop_there() -> None:
    with pytest.raises((UnicodeDecodeError, CorruptRecordException)):
        list(fetched(MemoryRecords(batch([Written(b"1", [BAD])]))))


@pytest.mark.parametrize("codec", CODECS)
def test_records_are_read_without_the_headers_whose_names_are_no_text(codec: int) -> None:
    found = facts(fetched(Batches(batch(with_headers(1_000, GOOD, BAD, (GARBLED, None), *REST), codec=codec))))
    assert found == facts(fetched(MemoryRecords(batch(with_headers(1_000, GOOD, *REST), codec=codec))))
    assert len(found) == 1_000
    assert found[0][-1] == (("trace", b"7"), ("", b"x"), ("头", None))


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_is_lost_or_repeated_where_a_strange_record_stands_between_others(codec: int) -> None:
    of_each: list[list[Header]] = [[GOOD], [GOOD], [BAD], [GOOD, BAD], []]
    found = facts(fetched(Batches(batch([Written(b"value", each, None) for each in of_each], codec=codec))))
    assert [(offset, key, value) for offset, _, key, value, _ in found] == [(n, None, b"value") for n in range(5)]
    assert [len(headers) for *_, headers in found] == [1, 1, 0, 1, 0]


def test_batches_before_and_behind_are_read_and_offsets_go_on() -> None:
    first = at(0, batch(with_headers(3, GOOD)))
    others = at(3, batch(with_headers(5, BAD))) + at(8, batch(with_headers(2)))
    others += at(20, batch(with_headers(4, BAD, GOOD)))
    records = fetched(Batches(first + others + b"the beginning of another"))
    assert [each.offset for each in records] == [*range(10), *range(20, 24)]
    assert records.next_fetch_offset == 24
    assert [each.offset for each in fetched(Batches(others), 5)] == [*range(5, 10), *range(20, 24)]


def test_times_are_those_of_the_broker_where_it_sets_them() -> None:
    data = bytearray(batch(with_headers(3, BAD)))
    data[22] |= 0b1000
    data[35:43] = (77_000).to_bytes(8, "big")
    assert [each.timestamp for each in fetched(Batches(bytes(data)), check=False)] == [77_000] * 3


@pytest.mark.parametrize("end", range(-40, 0))
def test_a_batch_that_is_cut_off_is_said_to_be(end: int) -> None:
    data = batch(with_headers(3, BAD))
    # The size of the batch is right: only what is in it is not.
    cut = data[:8] + (len(data) + end - 12).to_bytes(4, "big") + data[12:end]
    with pytest.raises(CorruptRecordException):
        list(fetched(Batches(cut), check=False))


def test_a_checksum_that_is_wrong_is_noticed() -> None:
    data = bytearray(batch(with_headers(3, BAD)))
    data[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="CRC"):
        list(fetched(Batches(bytes(data))))


def test_the_size_of_an_answer_without_a_whole_batch_is_known() -> None:
    data = batch(with_headers(3, BAD))[:-1]
    assert not Batches(data).has_next()
    assert Batches(data).size_in_bytes() == len(data)


def in_runs(data: bytes, offset: int = 0) -> Any:
    batches = Batches(data)
    batches.in_runs = True
    records = fetched(batches, offset)
    records._consumer_record = lambda _, record: record  # noqa: SLF001
    return records


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("headers", [(), (GOOD,), (BAD, GOOD)])
def test_runs_hold_the_same_records_and_go_on_at_the_same_offsets(codec: int, headers: tuple[Header, ...]) -> None:
    data = batch(with_headers(RUN + 1, *headers), codec=codec) + at(200, batch(with_headers(3, *headers), codec=codec))
    records = fetched(Batches(data))
    runs = in_runs(data)
    found = []
    for run in runs:
        assert len(run.records) <= RUN
        assert run.offset == run.records[-1].offset
        assert runs.next_fetch_offset == run.offset + 1
        found += run.records
    assert [each[:4] for each in facts(iter(found))] == [each[:4] for each in facts(records)]
    assert [tuple(each.headers) for each in found] == [each[4] for each in facts(fetched(Batches(data)))]
    assert runs.next_fetch_offset == records.next_fetch_offset == 203


def test_a_batch_that_begins_before_the_offset_is_a_run_as_a_whole_and_one_that_ends_before_it_none() -> None:
    data = batch(with_headers(3)) + at(3, batch(with_headers(4)))
    assert [[each.offset for each in run.records] for run in in_runs(data, 5)] == [[3, 4, 5, 6]]
    assert [run.offset for run in in_runs(data, 3)] == [6]


def test_a_batch_of_runs_that_is_cut_off_is_said_to_be() -> None:
    data = batch(with_headers(3))
    with pytest.raises(CorruptRecordException):
        list(in_runs(data[:8] + (len(data) - 13).to_bytes(4, "big") + data[12:-1]))
