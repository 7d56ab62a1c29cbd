"""A shop that stays ahead: it sends a capture while intakes read it, always more than they have read, until it is told.

    event time of the capture   ├──────────────┼───────────────────┼──────────────▶
                                           read by             sent, acknowledged
                                           the intakes         by all replicas

So there is a load for as long as a test wants, however fast the machine is, and brokers may come and go while records
are sent. What was sent is what replay must be asked about. No intake ever sees the end of what there is: else it would
follow the wall clock there, and a record of an earlier time could come too late.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.simulator.capture import CaptureRecord
from schemas.topics import TopicNames
from tests.kafka.cluster import Cluster, TooLateError
from tests.kafka.feeding import Send, acknowledged, sender
from tests.kafka.reading import admin_of

_SLICE: Final = 300
_LOOK_S: Final = 0.3
_LATE_MS: Final = 25_000
"""More than any record of a dense sale is late."""


class Shop:
    """`ahead` is how far, in event time, what is sent is ahead of what is read. `sent` counts the records.

    Set `more`, and some records are sent though nobody has read anything.
    """

    def __init__(self, cluster: Cluster, records: Sequence[CaptureRecord], ahead: timedelta) -> None:
        self.sent = 0
        self.more = asyncio.Event()
        self._cluster = cluster
        self._records = records
        self._ahead_ms = ahead / timedelta(milliseconds=1)
        self._times: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self._topics = dict(zip(cluster.names.inputs, TopicNames().inputs, strict=True))
        for record in records:
            self._times[record.topic, record.partition].append(record.ts)

    async def open(self) -> None:
        """Send what lies ahead before anything is read."""
        async with sender(self._cluster) as send:
            await self._send_up_to(send, self._records[0].ts)

    async def run(self, enough: asyncio.Event) -> list[CaptureRecord]:
        """Go on until it is enough; return all that was sent and acknowledged.

        Raises TooLateError when the capture is too short for that, and when something was read too early.
        """
        async with sender(self._cluster) as send, admin_of(self._cluster.bootstrap) as admin:
            while not enough.is_set():
                read_ms = await self._read_ms(admin)
                if read_ms is not None:
                    unsent_ms = self._records[self.sent].ts
                    if read_ms > unsent_ms - _LATE_MS:
                        raise TooLateError("the intakes have overtaken the shop: nothing can be compared")
                    await self._send_up_to(send, read_ms)
                if self.more.is_set():
                    self.more.clear()
                    await self._send_slice(send)
                await asyncio.sleep(_LOOK_S)
        return list(self._records[: self.sent])

    async def _send_up_to(self, send: Send, read_ms: float) -> None:
        while self._records[self.sent].ts < read_ms + self._ahead_ms:
            await self._send_slice(send)

    async def _send_slice(self, send: Send) -> None:
        part = self._records[self.sent : self.sent + _SLICE]
        await acknowledged([(record, await send(record)) for record in part])
        self.sent += len(part)
        if self.sent >= len(self._records):
            raise TooLateError(f"all {self.sent:,} records were sent before it was enough: take a longer capture")

    async def _read_ms(self, admin: AIOKafkaAdminClient) -> int | None:
        """Return the latest event time that an intake has read of any source; None when Kafka does not say."""
        try:
            offsets = await admin.list_consumer_group_offsets(self._cluster.intake_group)
        except KafkaError:
            return None
        found = [self._records[0].ts]
        for partition, committed in offsets.items():
            times = self._times[self._topics[partition.topic], partition.partition]
            if committed.offset > 0:
                found.append(times[committed.offset - 1])
        return max(found)
