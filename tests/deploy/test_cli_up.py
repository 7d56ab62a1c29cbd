"""`livefuse up` as a person starts it: on the embedded broker, in a process tree of its own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

UP = [sys.executable, "-m", "deploy.cli", "up"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("LIVEFUSE_")}


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `up` with --json; it is ended at the end of the block, if it has not ended itself."""
    process = subprocess.Popen(
        [*UP, "--json", *arguments],
        env=ENVIRONMENT | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], kind: str, seconds: float = 40.0) -> dict[str, Any]:
    """Return the next object of a type that `up` writes, whatever comes before it."""
    deadline = time.monotonic() + seconds
    assert process.stdout
    for line in process.stdout:
        told: dict[str, Any] = json.loads(line)
        if told["type"] == kind:
            return told
        assert time.monotonic() < deadline, f"no {kind} within {seconds} s"
    raise AssertionError(f"up ended without a {kind}: {process.stderr and process.stderr.read()}")


def descendants(pid: int) -> set[int]:
    """Return the processes that a process has started, and theirs."""
    children = {
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if (parts := _stat(path)) and parts == pid
    }
    return children | {each for child in children for each in descendants(child)}


def _stat(path: Path) -> int | None:
    """Return the parent of a process; None when it is gone or is only waited for."""
    try:
        _, _, rest = path.read_text().rpartition(") ")
    except OSError:
        return None
    state, parent, *_ = rest.split()
    return None if state == "Z" else int(parent)


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if _stat(Path(f"/proc/{pid}/stat")) is not None}


def gone(pids: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pids)


def test_ready_shows_a_fuse_and_ends_in_order() -> None:
    began = time.monotonic()
    with running() as process:
        ready = until(process, "ready")
        assert time.monotonic() - began < 20, "10 s on a machine that has nothing else to do"
        assert ready["embedded"]
        assert re.fullmatch(r"127\.0\.0\.1:\d+", ready["bootstrap_servers"])
        names = {each["name"] for each in until(process, "status")["processes"]}
        assert names == {"intake", "worker", "simulator"}
        event = until(process, "event", 60)["event"]
        assert event["type"] == "fuse.opened"
        started = descendants(process.pid)
        assert len(started) >= 4, "broker, intake, worker, simulator"
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=10)
        assert time.monotonic() - asked < 5
        assert gone(started, 0.5)
        assert process.returncode == 0
        assert "Traceback" not in told


def test_everything_dies_with_it_when_it_is_killed() -> None:
    with running("--no-demo") as process:
        until(process, "ready")
        started = descendants(process.pid)
        assert len(started) >= 3
        process.kill()
        assert gone(started, 5)


def test_a_child_that_dies_is_told_and_started_again() -> None:
    with running("--no-demo") as process:
        until(process, "ready")
        worker = next(each for each in until(process, "status")["processes"] if each["name"] == "worker")
        os.kill(worker["pid"], signal.SIGKILL)
        assert "worker has ended (signal SIGKILL); it is started again" in until(process, "notice")["text"]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = next(each for each in until(process, "status")["processes"] if each["name"] == "worker")
            if found["restarts"] == 1 and found["pid"]:
                break
        else:
            pytest.fail("it was not started again")
        assert found["pid"] != worker["pid"]


def test_at_rest_nothing_is_behind() -> None:
    with running("--no-demo") as process:
        until(process, "ready")
        deadline = time.monotonic() + 60
        at_rest = 0
        while at_rest < 5:
            assert time.monotonic() < deadline, "there was lag all the time, with nothing to do but ticks"
            status = until(process, "status")
            at_rest = 0 if status["worker_lag_frames"] or status["intake_lag_records"] else at_rest + 1


def test_several_workers_on_the_embedded_broker_are_warned_about() -> None:
    with running("--no-demo", "--workers", "2") as process:
        assert "no transactions" in until(process, "notice")["text"]
        assert until(process, "ready")["workers"] == 2


def test_plain_lines_when_it_is_no_terminal() -> None:
    process = subprocess.Popen(
        [*UP, "--no-demo"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().startswith("ready: embedded broker 127.0.0.1:")
    assert process.stdout.readline().startswith("status: 0 records/s")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_table_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*UP, "--no-demo"], env=ENVIRONMENT | {"TERM": "xterm-256color"}, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 40
    while b"Ctrl-C ends everything" not in shown and time.monotonic() < deadline:
        shown += os.read(ours, 65536)
    assert b"ready: embedded broker" in shown
    assert b"records/s" in shown
    assert b"paused: 0" in shown
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        with suppress(OSError):
            os.read(ours, 65536)
    os.close(ours)
    assert process.returncode == 0


def test_settings_that_cannot_work_end_it_with_the_reason() -> None:
    done = subprocess.run(
        UP, env=ENVIRONMENT | {"LIVEFUSE_PARTITIONS": "none"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "LIVEFUSE_PARTITIONS=none" in done.stderr
