"""The console's producer: opened when there is a broker, and asked to say when a record is safe.

Verified on aiokafka 0.14: what is sent while the broker is away is tried again until `request_timeout_ms` is over. So
a record may still arrive after `send` has given up, or be there twice: every record bears an id of its own.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from alerts.consumer import REFUSALS, RETRY_S
from schemas.errors import BrokerRefused
from schemas.rights import missing

REQUEST_TIMEOUT_MS: Final = 10_000
_CLOSE_S: Final = 0.3

Record = tuple[bytes, bytes]
"""Key and value."""

log = logging.getLogger(__name__)


class NotWritten(Exception):  # noqa: N818 (says what did not happen, or not for sure)
    """The broker has not said that it has the records. It may have them, or get them still."""


class Writer:
    """Writes to livefuse's topics. `run` has to run."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self._client = client
        self._producer: AIOKafkaProducer | None = None
        self._opened = asyncio.Event()

    async def run(self) -> None:
        """Hold the producer open until cancelled. Raises BrokerRefused."""
        while True:
            producer = AIOKafkaProducer(**self._client, acks="all", request_timeout_ms=REQUEST_TIMEOUT_MS)
            try:
                await producer.start()
                self._producer = producer
                self._opened.set()
                await asyncio.Event().wait()
            except REFUSALS as error:
                raise BrokerRefused(f"nothing can be written: {missing(error, 'Write')}") from error
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("console.broker_away error=%s", type(error).__name__)
                await asyncio.sleep(RETRY_S)
            finally:
                self._producer = None
                self._opened.clear()
                closing = asyncio.ensure_future(producer.stop())
                _, late = await asyncio.wait({closing}, timeout=_CLOSE_S)
                for each in late:
                    each.cancel()

    async def send(self, topic: str, records: Sequence[Record], within_s: float) -> None:
        """Write records in this order; return when all replicas have all of them. Raises NotWritten."""
        try:
            async with asyncio.timeout(within_s):
                await self._opened.wait()
                producer = self._producer
                if producer is None:
                    raise NotWritten(topic)
                sent = [await producer.send(topic, value, key) for key, value in records]
                # Awaited together: an error of one must not leave the others' errors unread.
                done = await asyncio.gather(*sent, return_exceptions=True)
        except (KafkaError, OSError, TimeoutError) as error:
            raise NotWritten(f"{topic}: {missing(error, 'Write', topic)}") from error
        if errors := [each for each in done if isinstance(each, BaseException)]:
            raise NotWritten(f"{topic}: {missing(errors[0], 'Write', topic)}") from errors[0]
