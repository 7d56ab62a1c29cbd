"""What the processes of ``streams`` need to know. Built and checked by ``deploy.settings``, plain values here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.topics import TopicNames


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
