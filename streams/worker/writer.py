"""How a lane writes: everything of one flush in one transaction, or, on a broker without transactions, in one sequence.

    transactions      begin ── outputs, states, the lane's record ── commit      exactly once, fences earlier owners
    none              outputs ── acknowledged ── states, the lane's record      at least once, and fences nobody

A flush may be thousands of states. They go into record batches that are built here, so a record costs one call and no
future. What is queued before the first await reaches the broker in one request to add partitions and one to produce.

aiokafka 0.14, as read: a request of a transaction that meets a broken connection is repeated for ever, so `write` has a
deadline; a batch that the broker refuses does not keep the transaction from being committed, so all batches are awaited
before; the broker tells a fenced producer so at its next request.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer, errors

from schemas.errors import BrokerRefused, BrokerUnavailable, FencedError, SendFailed
from schemas.rights import missing
from streams.client import REFUSALS, REQUEST_TIMEOUT_MS

Headers = list[tuple[str, bytes]]
Record = tuple[bytes, bytes | None, Headers]
"""(key, value or None for a tombstone, headers)"""

_BATCH_BYTES: Final = 900_000
_START_S: Final = 20.0
_WRITE_S: Final = 30.0
_STOP_S: Final = 1.0

_FENCED: Final = (errors.ProducerFenced, errors.InvalidProducerEpoch)
_REFUSED: Final = (*REFUSALS, errors.UnsupportedVersionError, errors.IncompatibleBrokerVersion)
_FOR_GOOD: Final = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTopicError,
    errors.PolicyViolationError,
)


class Batch(NamedTuple):
    """Records for one partition."""

    topic: str
    partition: int
    records: Sequence[Record]


class Writer:
    """The producer of one lane. ``transactional_id`` is None on a broker without transactions.

    Its methods raise FencedError when a successor has taken the lane, BrokerUnavailable when the outcome is unknown,
    BrokerRefused and SendFailed when trying again is of no use.
    """

    def __init__(
        self, client: Mapping[str, Any], *, client_id: str, transactional_id: str | None, transaction_timeout_ms: int
    ) -> None:
        self._name = client_id
        self._transactional = transactional_id is not None
        self._settings = dict(client) | {
            "client_id": client_id,
            "acks": "all",
            "max_batch_size": _BATCH_BYTES,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
        }
        if transactional_id is not None:
            self._settings |= {"transactional_id": transactional_id, "transaction_timeout_ms": transaction_timeout_ms}
        self._producer: Any = None

    async def start(self, topics: Sequence[str]) -> None:
        """Connect, learn of the topics, and fence earlier producers of the lane: their transactions are aborted."""
        producer = self._producer = AIOKafkaProducer(**self._settings)
        with self._failures("opened"):
            async with asyncio.timeout(_START_S):
                await producer.start()
                await producer.client.set_topics(topics)

    async def write(self, outputs: Sequence[Batch], state: Batch) -> None:
        """Write it all, or nothing (with transactions); return when it is committed.

        When it is stopped meanwhile, that is BrokerUnavailable too: a lane is closed without waiting for its flush.
        """
        producer = self._producer
        with self._failures("written"):
            async with asyncio.timeout(_WRITE_S):
                if self._transactional:
                    await producer.begin_transaction()
                    await send(producer, [*outputs, state])
                    await producer.commit_transaction()
                else:
                    await send(producer, outputs)
                    await send(producer, [state])

    async def stop(self) -> None:
        """Let go of the connections. A transaction that is still open is left to the successor, or to its timeout."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_STOP_S):
                await producer.stop()
        except (errors.KafkaError, TimeoutError, OSError):
            # It waits for a broker that does not answer. Its batches are failed, so that its tasks come to an end.
            producer._message_accumulator.fail_all(errors.ProducerClosed())  # noqa: SLF001 (nothing public ends it)
            await producer.client.close()

    @contextlib.contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        try:
            yield
        except _FENCED as error:
            raise FencedError(f"{self._name}: another worker has taken the lane over") from error
        except _REFUSED as error:
            raise BrokerRefused(f"{self._name} cannot be {what}: {missing(error, 'Write', self._name)}") from error
        except _FOR_GOOD as error:
            raise SendFailed(f"{self._name} cannot be {what}: {error!r}") from error
        except (errors.KafkaError, TimeoutError, OSError, AssertionError) as error:
            # The assertions are aiokafka's own, about the state of a transaction that has failed before.
            raise BrokerUnavailable(f"{self._name} was not {what}: {error!r}") from error


async def send(producer: Any, batches: Sequence[Batch]) -> None:
    """Send them and wait until all are acknowledged. Raises what the producer raises.

    Where one batch is refused the others fail, too, with errors that do not say why; the refusal counts.
    """
    pending = []
    for topic, partition, records in batches:
        pending += [
            await producer.send_batch(builder, topic, partition=partition) for builder in _built(producer, records)
        ]
    outcomes = await asyncio.gather(*pending, return_exceptions=True)
    failures = [each for each in outcomes if isinstance(each, BaseException)]
    if failures:
        raise next((each for each in failures if isinstance(each, _REFUSED)), failures[0])


def _built(producer: Any, records: Sequence[Record]) -> Iterator[Any]:
    now_ms = int(time.time() * 1000)
    builder = producer.create_batch()
    for key, value, headers in records:
        if builder.append(timestamp=now_ms, key=key, value=value, headers=headers) is None:
            yield builder
            builder = producer.create_batch()
            builder.append(timestamp=now_ms, key=key, value=value, headers=headers)
    if records:
        yield builder
