import asyncio
import ssl
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from mode.utils.queues import FlowControlEvent

from schemas.topics import TopicNames
from streams.config import KafkaConfig, WorkerConfig
from streams.worker import app as app_module
from streams.worker.app import FrameQueue, build, credentials

CONTEXT = ssl.create_default_context()
LOGIN = {"sasl_plain_username": "u", "sasl_plain_password": "p"}


@pytest.mark.parametrize(
    "client",
    [
        {"security_protocol": "PLAINTEXT"},
        {"security_protocol": "SSL", "ssl_context": CONTEXT},
        {"security_protocol": "SASL_SSL", "ssl_context": CONTEXT, "sasl_mechanism": "SCRAM-SHA-512", **LOGIN},
        {"security_protocol": "SASL_PLAINTEXT", "ssl_context": None, "sasl_mechanism": "PLAIN", **LOGIN},
    ],
    ids=lambda client: str(client["security_protocol"]),
)
def test_faust_connects_with_what_every_client_is_given(client: dict[str, Any]) -> None:
    assert credentials_to_aiokafka_auth(credentials({"bootstrap_servers": "x:1", **client})) == client


def test_without_a_word_on_security_the_connection_is_plain() -> None:
    assert credentials({"bootstrap_servers": "x:1"}) is None


def test_a_leader_that_has_moved_is_found_within_seconds() -> None:
    """Faust's default is five minutes, in which a partition without a committed offset stood still."""
    names = TopicNames()
    config = WorkerConfig(KafkaConfig({"bootstrap_servers": "x:1"}), names, partitions=1)
    assert build(config).conf.consumer_metadata_max_age_ms <= 5_000


async def test_the_queue_of_frames_is_full_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "_BUFFERED_BYTES", 100)
    flow = FlowControlEvent(initially_suspended=False, loop=asyncio.get_running_loop())
    queue = FrameQueue(maxsize=1_000, flow_control=flow, clear_on_resume=True)

    def frame(size: int) -> SimpleNamespace:
        return SimpleNamespace(message=SimpleNamespace(value=b"x" * size))

    pressed: list[bool] = []
    for _ in range(3):
        queue.put_nowait_enhanced(
            frame(40), on_pressure_high=lambda: pressed.append(True), on_pressure_drop=lambda: None
        )
    assert (queue.full(), pressed) == (True, [])
    queue.get_nowait()
    assert not queue.full()
    queue.put_nowait_enhanced(frame(99), on_pressure_high=list, on_pressure_drop=list)
    queue.clear()
    assert (queue.full(), queue.qsize()) == (False, 0)
