"""Fixtures that every part's tests share: the brokers, and names that keep tests on one broker apart."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from deploy import embedded as embedded_module
from deploy.embedded import EmbeddedBroker
from tests.kafka.broker import KafkaBroker, skipped_without_kafka

# What runs in the background of a shell ignores Ctrl-C, and so would all processes that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Between the choice of a port and its use another process that runs tests could take it: each has some of its own.
_NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
embedded_module._PORTS = embedded_module._PORTS[_NUMBER % 8 :: 8]  # noqa: SLF001 (nobody else shares them out)

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


LONGEST = (
    "kafka/test_broker_failures.py",
    "properties/test_engine_against_reference.py",
    "kafka/test_golden.py",
    "deploy/test_cli_up.py",
    "kafka/test_worker.py",
    "alerts/rules/test_rules.py",
    "kafka/test_paging.py",
    "deploy/test_embedded_golden.py",
    "browser/test_faults.py",
    "deploy/test_up_monitoring.py",
    "browser/test_show.py",
    "kafka/test_console_orders.py",
    "kafka/test_drill.py",
    "kafka/test_rights.py",
    "deploy/test_simulator.py",
)
"""The files that take a minute or more on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, those that keep a core busy among those that wait; then others with a broker.

    The short ones fill the time until the last long one is over.
    """
    here = Path(__file__).parent
    ranks = {here / name: rank for rank, name in enumerate(LONGEST)}
    for item in items:
        if item.get_closest_marker("kafka"):
            ranks.setdefault(item.path, len(LONGEST))
    items.sort(key=lambda item: ranks.get(item.path, len(LONGEST) + 1))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Yield the one real Kafka of the test run; keep topics and groups apart with `prefix`.

    Without Java or the jars the test is skipped, except where CI is set: there it fails.
    """
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    with skipped_without_kafka():
        broker.start()
    yield broker
    # Nobody wants its data any more, and an orderly end may take long.
    broker.kill()


@pytest.fixture(scope="session")
def _mortals() -> Iterator[list[KafkaBroker]]:
    brokers: list[KafkaBroker] = []
    yield brokers
    for each in brokers:
        each.kill()


@pytest.fixture
def mortal_kafka(_mortals: list[KafkaBroker], tmp_path_factory: pytest.TempPathFactory) -> KafkaBroker:
    """Return a real Kafka that runs, and that a test may end and start as it likes; skipped or failed as `kafka`.

    If the last one was left dead this is a new one: one that comes back from a crash answers before it takes topics.
    """
    if not _mortals or _mortals[-1].pid is None:
        broker = KafkaBroker(tmp_path_factory.mktemp("mortal"))
        with skipped_without_kafka():
            broker.start()
        _mortals.append(broker)
    return _mortals[-1]


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """Yield an embedded broker of the test's own, empty."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """Return a name that no other test has: the beginning of its topics, groups and transactional ids."""
    return f"t{uuid4().hex[:10]}"
