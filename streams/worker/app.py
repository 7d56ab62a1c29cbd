"""The Faust app of the worker: one agent over frames, without tables, and without anything that Faust would decide.

Each setting is there for a reason that was seen: acknowledgements wait for the flush, so nothing in Faust may wait for
them (``stream_wait_empty``); one agent with concurrency 1, and raw bytes, because an exception in an agent acknowledges
the message and loses it; short timeouts, because a group join with the default ones takes half a minute.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import faust
from faust.auth import GSSAPICredentials, OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types import TP
from mode.utils.queues import ThrowableQueue
from yarl import URL

from streams.client import METADATA_MAX_AGE_MS
from streams.config import WorkerConfig, heartbeat_ms
from streams.worker.inbox import Delivery
from streams.worker.lanes import Lanes

_BUFFERED_BYTES: Final = 8 * 1024 * 1024
_BUFFERED_FRAMES: Final = 4_096
_COMMIT_S: Final = 0.5
_FETCH_BYTES: Final = 1024 * 1024


class FrameQueue(ThrowableQueue[Any]):
    """What lies between Faust's consumer and the agent, bounded by bytes: a frame may hold one signal or a thousand.

    Faust's own bound counts messages, and a partition that exceeds it is not fetched until half of it is done; when all
    partitions are such ones the consumer sleeps for a second.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._bytes = 0

    def full(self) -> bool:
        """Tell whether the consumer must wait."""
        return self._bytes >= _BUFFERED_BYTES or super().full()

    def clear(self) -> None:
        """Drop everything, as at a rebalance."""
        super().clear()
        self._bytes = 0

    @property
    def pressure_high_size(self) -> int:
        """Return a size that is never reached."""
        return 1 << 30

    def _put(self, item: Any) -> None:
        self._bytes += len(item.message.value or b"")
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self._bytes -= len(item.message.value or b"")
        return item


class WorkerApp(faust.App):
    """Faust, with its queue bounded by bytes."""

    def FlowControlQueue(  # noqa: N802 (the name is Faust's)
        self, maxsize: int | None = None, *, clear_on_resume: bool = False
    ) -> ThrowableQueue[Any]:
        """Return the queue of a channel."""
        return FrameQueue(maxsize=maxsize, flow_control=self.flow_control, clear_on_resume=clear_on_resume)


def group_of(application: str) -> str:
    """Return the name of the consumer group of the workers."""
    return f"{application}-worker"


def build(config: WorkerConfig) -> WorkerApp:
    """Return the app, not started, with nothing to do yet."""
    client = config.kafka.client
    servers = client["bootstrap_servers"]
    addresses = servers.split(",") if isinstance(servers, str) else list(servers)
    session_s = config.session_timeout_ms / 1000
    return WorkerApp(
        group_of(config.application),
        broker=[URL(f"kafka://{address}") for address in addresses],
        broker_credentials=credentials(client),
        broker_client_id=group_of(config.application),
        broker_session_timeout=session_s,
        broker_heartbeat_interval=heartbeat_ms(config.session_timeout_ms) / 1000,
        broker_rebalance_timeout=session_s,
        broker_request_timeout=max(session_s, 30.0),
        broker_commit_interval=_COMMIT_S,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_BYTES,
        consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
        # It must be there, and nothing is written to it: there are no tables.
        datadir=Path(tempfile.gettempdir()),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        stream_buffer_maxsize=_BUFFERED_FRAMES,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )


def attach(app: WorkerApp, lanes: Lanes, topic: str, end_process: Callable[[Exception], None]) -> None:
    """Let the app feed the lanes with the frames of ``topic``."""

    async def feed(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            try:
                written_ms = max(0, int((message.timestamp or 0) * 1000))
                delivery = Delivery(message.offset, message.value, event.ack, written_ms=written_ms)
                lanes.take(message.partition, delivery)
            except Exception as error:  # noqa: BLE001 (Faust would log it, acknowledge the frame and go on)
                end_process(error)

    async def revoked(*_: Any, **__: Any) -> None:
        await lanes.on_revoked()

    async def assigned(*given: Any, **_: Any) -> None:
        partitions: set[TP] = given[1]
        lanes.on_assigned(each.partition for each in partitions if each.topic == topic)

    frames = app.topic(topic, key_type=bytes, value_type=bytes, allow_empty=True)
    app.agent(frames, name="feed", concurrency=1)(feed)
    app.on_partitions_revoked.connect(revoked, weak=False)
    app.on_partitions_assigned.connect(assigned, weak=False)


def credentials(client: Mapping[str, Any]) -> Any:
    """Return Faust's form of the security arguments that aiokafka clients take; None for a plain connection."""
    protocol = client.get("security_protocol", "PLAINTEXT")
    context = client.get("ssl_context")
    if protocol == "PLAINTEXT":
        return None
    if protocol == "SSL":
        return SSLCredentials(context)
    mechanism = client.get("sasl_mechanism", "PLAIN")
    if mechanism == "GSSAPI":
        found: Any = GSSAPICredentials(
            kerberos_service_name=client.get("sasl_kerberos_service_name", "kafka"),
            kerberos_domain_name=client.get("sasl_kerberos_domain_name"),
            ssl_context=context,
            mechanism=mechanism,
        )
    elif mechanism == "OAUTHBEARER":
        found = OAuthCredentials(oauth_cb=client["sasl_oauth_token_provider"], ssl_context=context)
    else:
        found = SASLCredentials(
            username=client["sasl_plain_username"],
            password=client["sasl_plain_password"],
            ssl_context=context,
            mechanism=mechanism,
        )
    return found
