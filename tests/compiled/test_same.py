"""Compiled and plain say the same, byte for byte, and the tests of the engine hold for both."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.simulator.capture import line
from schemas.parse import Refusal
from schemas.rules import DEFAULT_RULES
from schemas.topics import TopicNames
from streams.intake.parse import read, readers
from streams.merge import Merge
from tests.bench.backlog import backlog
from tests.compiled import transcript
from tests.compiled.wheel import PROJECT, alone, built, install
from tests.properties.strategies import seeded_timeline
from tests.properties.timelines import SOURCES

pytestmark = [pytest.mark.compiled, pytest.mark.timeout(900)]

TIMELINES = 150
STEPS = 140
RECORDS = 40_000
START_MS = 1_794_398_400_000


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that runs the compiled modules."""
    return install(built(), tmp_path_factory.mktemp("compiled") / "venv")


def run(*command: str) -> bytes:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:].decode(errors="replace")
    return done.stdout


def timelines() -> Iterator[dict[str, Any]]:
    for seed in range(TIMELINES):
        timeline = seeded_timeline(seed, STEPS)
        chance = random.Random(seed)
        frames: list[list[Any] | int] = [[]]
        for step in timeline.steps:
            last = frames[-1]
            if isinstance(step, int) or isinstance(last, int):
                frames.append(step if isinstance(step, int) else [step])
            elif len(last) >= chance.choice((1, 3, 20)):
                frames.append([step])
            else:
                last.append(step)
        yield {"rules": timeline.rules.model_dump(mode="json"), "sources": SOURCES, "frames": frames}


def sale() -> dict[str, Any]:
    names = TopicNames()
    known, merge, sources = readers(names), Merge(), list[str]()
    for record in backlog(RECORDS, START_MS):
        name = f"{record.topic}/{record.partition}"
        if name not in merge:
            merge.add(name, len(sources))
            sources.append(name)
        signals = read(known[record.topic], record.value, record.ts, sources.index(name), record.offset)
        assert not isinstance(signals, Refusal)
        merge.push_signals(name, signals)
    for name in sources:
        merge.mark_caught_up(name, caught_up=True)
    signals = merge.take_signals()
    frames = [signals[start : start + 700] for start in range(0, len(signals), 700)]
    return {"rules": DEFAULT_RULES.model_dump(mode="json"), "sources": sources, "frames": frames}


def test_events_states_and_snapshots_are_the_same(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "told.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(told) for told in (*timelines(), sale())))
    script = transcript.__file__
    plain = run(sys.executable, "-m", transcript.__name__, str(file))
    compiled = run(*alone(python), script, str(file))
    # Not `==` alone: what differs would be megabytes.
    differing = [pair for pair in zip(plain.splitlines(), compiled.splitlines(), strict=True) if pair[0] != pair[1]]
    assert differing[:3] == []
    assert plain.count(b'"fuse.opened"') > TIMELINES


def test_records_and_refusals_are_read_the_same(python: Path, tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl"
    chance = random.Random(7)
    with capture.open("wb") as file:
        for record in backlog(RECORDS, START_MS):
            value = record.value
            place = chance.randrange(len(value))
            if value.isascii() and chance.random() < 0.2:
                value = value[:place] + chance.choice((b"", b"0", b'"', b"-", b"}", b"null")) + value[place + 1 :]
            file.write(line(record._replace(value=value)))
    replay = ("-m", "deploy.cli", "replay", str(capture), "--dead-letters")
    refused, refused_compiled = tmp_path / "plain.jsonl", tmp_path / "compiled.jsonl"
    plain = run(sys.executable, *replay, str(refused))
    compiled = run(*alone(python), *replay, str(refused_compiled))
    assert compiled == plain
    assert refused_compiled.read_bytes() == refused.read_bytes()
    assert refused.read_bytes().count(b"\n") > RECORDS // 20


def test_the_tests_of_the_engine_hold_for_the_compiled_one(python: Path) -> None:
    # Appended, not put in front: the project's directory holds the plain modules too.
    tests = (
        "tests/streams/engine",
        "tests/properties",
        "tests/contract",
        "tests/streams/test_merge.py",
        "tests/streams/test_replay.py",
        "tests/streams/intake/test_frame_writer.py",
    )
    options = ("--import-mode=append", "-q", "-p", "no:cacheprovider")
    said = run(*alone(python), "-m", "pytest", *options, *tests)
    assert b" passed" in said
