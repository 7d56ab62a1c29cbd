"""`livefuse up` as a person starts it: on the embedded broker, in a process tree of its own."""

import http.client
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import free_port

UP = [sys.executable, "-m", "deploy.cli", "up"]
# Several of these run at the same time: each console takes any port.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("LIVEFUSE_")} | {
    "LIVEFUSE_CONSOLE__PORT": "0"
}

ENDS_WITHIN_S = 25.0
"""Less than five on a machine that has nothing else to do; with the usual graces it would be half a minute."""


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
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], kind: str, seconds: float = 120.0) -> dict[str, Any]:
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
        assert time.monotonic() - began < 60, "10 s on a machine that has nothing else to do"
        assert ready["embedded"]
        assert re.fullmatch(r"127\.0\.0\.1:\d+", ready["bootstrap_servers"])
        names = {each["name"] for each in until(process, "status")["processes"]}
        assert names == {"intake", "worker", "console", "simulator"}
        event = until(process, "event", 180)["event"]
        assert event["type"] == "fuse.opened"
        started = descendants(process.pid)
        assert len(started) >= 5, "broker, intake, worker, console, simulator"
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert time.monotonic() - asked < ENDS_WITHIN_S
        assert gone(started, 30)
        assert process.returncode == 0
        assert "Traceback" not in told


def test_everything_dies_with_it_when_it_is_killed_and_the_next_one_removes_what_it_left(tmp_path: Path) -> None:
    with running("--no-demo", TMPDIR=str(tmp_path)) as process:
        until(process, "ready")
        started = descendants(process.pid)
        assert len(started) >= 4
        process.kill()
        assert gone(started, 30)
    # The key of the console's sessions is in it.
    (left,) = tmp_path.glob("livefuse-console-*")
    with running("--no-demo", TMPDIR=str(tmp_path)) as process:
        until(process, "ready")
        assert not left.exists()


def is_ready(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        return bool(answer.status == HTTPStatus.OK)
    return False


def sign_in(url: str, name: str, password: str) -> http.client.HTTPResponse:
    """Ask a console for a session; the answer is returned whatever it is."""
    asked = urllib.request.Request(  # noqa: S310 (of this machine)
        f"{url}/api/v1/login",
        data=json.dumps({"name": name, "password": password}).encode(),
        headers={"Content-Type": "application/json", "Origin": url, "Sec-Fetch-Site": "same-origin"},
        method="POST",
    )
    try:
        return urllib.request.urlopen(asked, timeout=60)  # type: ignore[no-any-return]  # noqa: S310 (as above)
    except urllib.error.HTTPError as error:
        return error  # type: ignore[return-value]


@dataclass(frozen=True)
class Up:
    """An `up` without a simulation that several tests look at: what it said when it was ready, and its ports."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    ports: list[int]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    ports, scratch = [free_port(), free_port()], tmp_path_factory.mktemp("up")
    own = {"LIVEFUSE_INTAKE__WEB_PORT": str(ports[0]), "LIVEFUSE_WORKER__WEB_PORT": str(ports[1])}
    with running("--no-demo", TMPDIR=str(scratch), **own) as process:
        yield Up(process, until(process, "ready"), ports)
    assert list(scratch.glob("livefuse-console-*")) == []


def test_processes_say_on_their_ports_when_they_are_ready(up: Up) -> None:
    deadline = time.monotonic() + 60
    while not all(map(is_ready, up.ports)):
        assert time.monotonic() < deadline, "not all processes are ready"
        time.sleep(0.1)


def test_at_rest_nothing_is_behind(up: Up) -> None:
    deadline = time.monotonic() + 60
    at_rest = 0
    while at_rest < 5:
        assert time.monotonic() < deadline, "there was lag all the time, with nothing to do but ticks"
        status = until(up.process, "status")
        at_rest = 0 if status["worker_lag_frames"] or status["intake_lag_records"] else at_rest + 1


def test_a_console_is_there_with_accounts_to_try_it_out_and_its_death_ends_no_session(up: Up) -> None:
    console = up.ready["console"]
    accounts = {each["name"]: each["password"] for each in console["accounts"]}
    assert accounts.keys() == {"operator", "viewer"}
    deadline = time.monotonic() + 120
    while (answer := sign_in(console["url"], "operator", accounts["operator"])).status != HTTPStatus.OK:
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE, answer.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert json.load(answer)["user"] == {"name": "operator", "role": "operator"}
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert sign_in(console["url"], "viewer", accounts["operator"]).status == HTTPStatus.UNAUTHORIZED
    old = next(each for each in until(up.process, "status")["processes"] if each["name"] == "console")["pid"]
    os.kill(old, signal.SIGKILL)
    while True:
        (found,) = (each for each in until(up.process, "status")["processes"] if each["name"] == "console")
        if found["restarts"] and found["pid"]:
            break
        assert time.monotonic() < deadline
    asked = urllib.request.Request(f"{console['url']}/api/v1/session", headers={"Cookie": cookie})  # noqa: S310
    while True:
        with suppress(OSError), urllib.request.urlopen(asked, timeout=5) as again:  # noqa: S310 (of this machine)
            assert json.load(again)["user"] == {"name": "operator", "role": "operator"}
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_child_that_dies_is_told_and_started_again_and_several_workers_are_warned_about() -> None:
    with running("--no-demo", "--no-console", "--workers", "2") as process:
        assert "no transactions" in until(process, "notice")["text"]
        ready = until(process, "ready")
        assert (ready["workers"], "console" in ready) == (2, False)
        processes = until(process, "status")["processes"]
        assert {each["name"] for each in processes} == {"intake", "worker-1", "worker-2"}
        worker = next(each for each in processes if each["name"].startswith("worker"))
        os.kill(worker["pid"], signal.SIGKILL)
        assert f"{worker['name']} has ended (signal SIGKILL); it is started again" in until(process, "notice")["text"]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = next(each for each in until(process, "status")["processes"] if each["name"] == worker["name"])
            if found["restarts"] == 1 and found["pid"]:
                break
        else:
            pytest.fail("it was not started again")
        assert found["pid"] != worker["pid"]


def test_plain_lines_when_it_is_no_terminal() -> None:
    process = subprocess.Popen(
        [*UP, "--no-demo"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline().startswith("ready: embedded broker 127.0.0.1:")
    assert re.fullmatch(
        r" +console http://127\.0\.0\.1:\d+   sign in as operator / \S+ or viewer / \S+\n", process.stdout.readline()
    )
    assert process.stdout.readline().startswith("status: 0 records/s")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_table_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*UP, "--no-demo"], env=ENVIRONMENT | {"TERM": "xterm-256color"}, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 120
    while b"Ctrl-C ends everything" not in shown and time.monotonic() < deadline:
        shown += os.read(ours, 65536)
    assert b"ready: embedded broker" in shown
    assert b"records/s" in shown
    assert b"paused: 0" in shown
    assert shown.count(b"sign in as operator / ") >= 2, "on the ready line, and in the table"
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
