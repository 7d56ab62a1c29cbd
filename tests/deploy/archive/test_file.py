from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from deploy.archive.contents import saved
from deploy.archive.file import ArchiveWriter, Entry, Head, entries, verified
from deploy.captures import opened_for_writing
from schemas.errors import CaptureError
from schemas.topics import TopicNames

ENTRIES = (
    Entry("livefuse.rules", 0, 3, 1_700_000_000_000, b"rules", b'{"version":1}', [("livefuse.reason", b"caf\xe9")]),
    Entry("livefuse.audit", 0, 0, 1_700_000_000_001, None, b"", []),
    Entry("livefuse.state", 1, 9, 1_700_000_000_002, "größe".encode(), b"\x01\x00[1]", []),
    Entry("livefuse.state", 1, 10, 1_700_000_000_003, b"\x00lane", b"\x01\x00\x00\xff\xfe", []),
)


def head() -> Head:
    topics = {"livefuse.rules": 1, "livefuse.audit": 1, "livefuse.state": 4}
    return Head("5f", "0.1.0", "livefuse", "2026-11-11T12:00:00.000Z", topics, 7, {"2": 5})


def written(path: Path) -> Path:
    with opened_for_writing(path) as file:
        writer = ArchiveWriter(file, head())
        for each in ENTRIES:
            writer.add(each)
        writer.finish()
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.xz"])
def test_an_archive_is_read_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"a.{suffix}")
    found, manifest = verified(path)
    assert asdict(found) == asdict(head())
    assert manifest.records == 4
    assert {name: part.records for name, part in manifest.topics.items()} == {
        "livefuse.rules": 1,
        "livefuse.audit": 1,
        "livefuse.state": 2,
    }
    assert [entry for _, entry in entries(path)] == list(ENTRIES)
    assert [number for number, _ in entries(path)] == [2, 3, 4, 5]


def test_records_are_lines_of_a_capture(tmp_path: Path) -> None:
    lines = written(tmp_path / "a.jsonl").read_bytes().splitlines()
    assert orjson.loads(lines[1]) == {
        "topic": "livefuse.rules",
        "partition": 0,
        "offset": 3,
        "ts": 1_700_000_000_000,
        "key": "rules",
        "payload": '{"version":1}',
        "headers": ["livefuse.reason", "café"],
    }
    assert orjson.loads(lines[4])["payload_base64"] == "AQAA//4="


def test_what_is_cut_off_changed_or_no_archive_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)

    def refused(content: bytes, why: str) -> None:
        path.write_bytes(content)
        with pytest.raises(CaptureError, match=why):
            verified(path)

    refused(b"".join(lines[:-1]), "no manifest at its end")
    refused(whole[:-10], "is not JSON: it is no archive, or was not finished")
    refused(whole.replace(b'\\"version\\":1', b'\\"version\\":2'), "checksums of livefuse.rules differ")
    refused(b"".join([*lines[:2], *lines[3:]]), "checksums of ")
    refused(whole.replace(b'"log_time":7', b'"log_time":8'), "checksums of its first line differ")
    refused(whole + lines[1], "behind the manifest")
    refused(b"".join(lines[1:]), "no archive of livefuse")
    refused(whole.replace(b'"format":1', b'"format":2'), "of format 2, this livefuse reads 1")
    refused(b"", "no manifest")
    refused(b"[1]\n", "no JSON object")
    packed = written(tmp_path / "a.jsonl.xz")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(CaptureError, match="cannot be read"):
        verified(packed)


def test_everything_of_ours_is_saved_but_what_another_cluster_must_not_inherit() -> None:
    names = TopicNames(prefix="x.", dead_letter_prefix="x.dlq.")
    contents = {contract: topic.name for contract, topic in saved(names, 4).items()}
    assert contents.items() >= {
        ("livefuse.rules", "x.rules"),
        ("livefuse.fuse-events", "x.fuse-events"),
        ("livefuse.fuse-state", "x.fuse-state"),
        ("livefuse.state", "x.state"),
        ("livefuse.audit", "x.audit"),
    }
    assert list(contents)[-1] == "livefuse.state", "a worker that is started too early finds nothing rather than half"
    left = {"commands", "signals", "replenishment", "watchlist"}
    assert not {f"livefuse.{name}" for name in left} & contents.keys()
    assert not any("dlq" in name for name in contents)
