"""What happened to one product, from the fuse events in Kafka.

Its partition is read backwards, block by block, until its first event is found, or enough of them. Others write to the
same partition, so that may take long: there is a limit, and what is older is then left out and said to be.
"""

import asyncio
import logging
import time
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from alerts.console.config import ConsoleConfig
from alerts.console.refused import Refused
from alerts.consumer import REFUSALS, open_consumer, reached, start_at
from schemas.events import FuseEvent
from schemas.topics import partition_of

MOST_EVENTS: Final = 500
LONGEST_S: Final = 10.0
AT_ONCE: Final = 2
"""How many are read at the same time, and how long each may take."""

_BLOCK: Final = 20_000

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """Events of one product by sequence. `complete`: none is missing, from the first one on."""

    events: list[FuseEvent]
    complete: bool


class Histories:
    """Reads histories, a few at a time."""

    def __init__(self, config: ConsoleConfig) -> None:
        self._config = config
        self._reading = 0

    async def read(self, product_id: str) -> Found:
        """Return the newest events of a product. Raises Refused where too many ask, or Kafka does not answer."""
        if self._reading >= AT_ONCE:
            raise Refused(503, "busy", "Other histories are being read. Try again in a moment.", retry_after=2)
        self._reading += 1
        found: dict[int, FuseEvent] = {}
        whole = False
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._read(product_id, found)
                whole = True
        except TimeoutError:
            if not found:
                raise Refused(503, "broker_away", "Kafka does not answer in time.", retry_after=5) from None
        except REFUSALS as error:
            log.warning("console.history_refused error=%s", type(error).__name__)
            raise Refused(503, "broker_away", "Kafka refuses to tell.", retry_after=30) from error
        except (KafkaError, OSError) as error:
            raise Refused(503, "broker_away", "Kafka does not answer.", retry_after=5) from error
        finally:
            self._reading -= 1
        newest = [found[sequence] for sequence in sorted(found)][-MOST_EVENTS:]
        complete = all(each.sequence == number for number, each in enumerate(newest, 1)) and (bool(newest) or whole)
        return Found(newest, complete)

    async def _read(self, product_id: str, found: dict[int, FuseEvent]) -> None:
        key = product_id.encode()
        partition = TopicPartition(self._config.topics.fuse_events, partition_of(product_id, self._config.partitions))
        began = time.monotonic()
        async with open_consumer(self._config.client, wait_ms=100) as consumer:
            (first,) = (await consumer.beginning_offsets([partition])).values()
            (end,) = (await consumer.end_offsets([partition])).values()
            while end > first and 1 not in found and len(found) < MOST_EVENTS:
                begin = max(first, end - _BLOCK)
                await _read_block(consumer, partition, begin, end, key, found)
                end = begin
        log.debug("console.history_read events=%d seconds=%.2f", len(found), time.monotonic() - began)


async def _read_block(
    consumer: AIOKafkaConsumer,
    partition: TopicPartition,
    begin: int,
    end: int,
    key: bytes,
    found: dict[int, FuseEvent],
) -> None:
    start_at(consumer, {partition: begin})
    while not await reached(consumer, {partition: end}):
        records: list[Any] = (await consumer.getmany(timeout_ms=200, max_records=2_000)).get(partition, [])
        for record in records:
            if record.key == key and record.offset < end:
                try:
                    event = FuseEvent.model_validate_json(record.value or b"")
                except ValidationError:
                    continue
                found.setdefault(event.sequence, event)
