"""What the processes of ``streams`` need to know. Built and checked by ``deploy.settings``, plain values here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.topics import TopicNames

_HEARTBEAT_MS: Final = 500


def heartbeat_ms(session_timeout_ms: int) -> int:
    """Return how often a member of a group tells that it lives.

    The answer to a heartbeat is also how it hears that work is being shared out anew, and all wait for the last one to
    hear it: half a second of every orderly change, where a fifth of the session would be two.
    """
    return min(_HEARTBEAT_MS, session_timeout_ms // 5)


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    """How to reach the broker.

    ``client`` are keyword arguments that every aiokafka client takes (``bootstrap_servers``, ``security_protocol``,
    ``sasl_*``, ``ssl_context``). ``transactions`` tells whether the broker has idempotent and transactional
    producers; None: ask it.
    """

    client: Mapping[str, Any] = field(repr=False)
    transactions: bool | None = None


@dataclass(frozen=True, slots=True)
class IntakeConfig:
    """Settings of an intake process."""

    kafka: KafkaConfig
    topics: TopicNames
    partitions: int
    application: str = "livefuse"
    tick_interval_ms: int = 500
    tick_margin_ms: int = 1_000
    frame_signals: int = 2_000
    session_timeout_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """Settings of a worker process."""

    kafka: KafkaConfig
    topics: TopicNames
    partitions: int
    application: str = "livefuse"
    flush_interval_ms: int = 200
    hot_products: int = 50_000
    session_timeout_ms: int = 10_000
    transaction_timeout_ms: int = 60_000
