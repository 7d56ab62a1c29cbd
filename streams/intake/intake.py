"""The intake process: reads the input topics, writes frames and dead letters, commits what is acknowledged.

    poll ─▶ parse ─▶ merge ─▶ take ─▶ frame writers ─▶ livefuse.signals
              └────▶ dead letters ─▶ dlq.*                     │
                                                               │ acknowledged
                                                               ▼
                                   commit of the offsets of all that had been taken

One loop reads, parses and merges; it never waits for an acknowledgement unless too much is queued. What it does with a
batch, between two awaits, is not interrupted: so what ``poll`` has handed out is always queued, written or refused when
anybody else looks.

Guarantees: an offset is committed only when every signal and every dead letter of the records before it is
acknowledged. A failed send ends the process with SendFailed before that. A crash, a rebalance or a zombie makes
repeats, never gaps: signals of a source come in the order of its offsets in every partition, and repeats bear the same
position.

How it ends::

    stop is set            what has been taken is written, acknowledged and committed; it leaves the group
    SendFailed, any error  nothing more is committed, the error is raised
    the broker is away     it does not end: it waits, for hours if need be
"""

import asyncio
import logging
import time
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.codec import has_snappy
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from schemas.errors import BrokerError, BrokerRefused, BrokerUnavailable, SendFailed
from schemas.rights import missing, rights
from schemas.topics import LARGEST_FRAME_BYTES, TopicNames
from streams.client import (
    REFUSALS,
    RETRY_S,
    addresses,
    require_topics,
    supports_transactions,
    wait_for_broker,
)
from streams.config import IntakeConfig
from streams.intake.commits import Commits
from streams.intake.consumer import SourceConsumer, source_consumer
from streams.intake.dead_letters import Batch, DeadLetters
from streams.intake.frame_writer import FrameWriter
from streams.intake.parse import read_all, readers
from streams.intake.record import Record
from streams.intake.sources import UNREACHABLE_S, SourceTable
from streams.intake.status import IntakeStatus
from streams.rights import require_rights

POLL_MS: Final = 100
CHUNK: Final = 500
"""Records that are parsed in one go: about 3 ms."""

SOURCE_QUEUE: Final = 500
"""Signals of a source that are queued before no more of it are read. More would not stay in the processor's cache."""

CLOSE_S: Final = 2.0
_LOOK_S: Final = 1.0
BATCH_BYTES: Final = 262_144

log = logging.getLogger(__name__)


async def run(config: IntakeConfig, stop: asyncio.Event, status: IntakeStatus) -> None:
    """Run an intake until ``stop`` is set. Raises TopicMismatch, BrokerRefused, SendFailed or another BrokerError."""
    client = config.kafka.client
    while await wait_for_broker(client, stop):
        intake = None
        try:
            await require_rights(client, rights(config.topics, config.partitions, config.application)["intake"])
            await require_topics(client, _needed(config))
            idempotent = config.kafka.transactions
            if idempotent is None:
                idempotent = await supports_transactions(client)
            intake = Intake(config, status, idempotent=idempotent)
            if await _unless(stop, intake.open()):
                await intake.run(stop)
        except BrokerUnavailable as error:
            log.warning("broker.unavailable %s Trying again every %g s.", error, RETRY_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)
        finally:
            status.table = status.writer = None
            if intake is not None:
                await intake.close()


class Intake:
    """One intake: a member of the group, from :meth:`open` to :meth:`close`."""

    def __init__(self, config: IntakeConfig, status: IntakeStatus, *, idempotent: bool) -> None:
        self._config = config
        self._status = status
        self._counts = counts = status.counts
        self._topics: TopicNames = config.topics
        self._readers = readers(config.topics)
        self._consumer: SourceConsumer = source_consumer(config, _Rebalance(self))
        self._producer = AIOKafkaProducer(
            **config.kafka.client,
            client_id=f"{config.application}-intake",
            acks="all",
            enable_idempotence=idempotent,
            # aiokafka compresses lz4 at its slowest level, which costs more than all the rest of the intake together.
            compression_type="snappy" if has_snappy() else None,
            max_batch_size=BATCH_BYTES,
            max_request_size=LARGEST_FRAME_BYTES,
        )
        self._writer = FrameWriter(
            f"{config.application}-{uuid4().hex[:12]}",
            config.partitions,
            config.frame_signals,
            self._send_frame,
            counts,
        )
        self._letters = DeadLetters(config.topics, self._producer.create_batch, self._send_letters, counts)
        self._commits = Commits(self._consumer, self._writer, self._letters, counts)
        status.writer, status.letters = self._writer, self._letters
        self._table: SourceTable | None = None
        self._beginning: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and join the group. Raises BrokerUnavailable, BrokerRefused."""
        where = addresses(self._config.kafka.client)
        try:
            await self._producer.start()
            await self._consumer.start()
        except REFUSALS as error:
            raise BrokerRefused(f"the broker at {where} refuses the intake: {missing(error, 'Read')}") from error
        except KafkaError as error:
            raise BrokerUnavailable(f"the broker at {where} went away: {error!r}.") from error
        log.info("intake.joined group=%s-intake", self._config.application)

    async def run(self, stop: asyncio.Event) -> None:
        """Read and write until ``stop`` is set, then drain. Raises SendFailed, BrokerRefused, BrokerError."""
        reading = [asyncio.create_task(each) for each in (self._read_on(), self._commits.run(), self._look())]
        writing = [asyncio.create_task(self._letters.run())]
        writing += [asyncio.create_task(partition.run()) for partition in self._writer.partitions]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*reading, *writing, stopping], return_when=asyncio.FIRST_COMPLETED)
            _raise_failure([*reading, *writing])
            self._status.stopping = True
            await _cancel(reading)
            drained = await self._commits.finish()
            _raise_failure(writing)
            log.info("intake.stopped drained=%s", drained)
        finally:
            await _cancel([*reading, *writing, stopping])

    async def close(self) -> None:
        """Leave the group and disconnect, within a few seconds even when the broker is away."""
        if self._beginning is not None:
            await _cancel([self._beginning])
        closed = await asyncio.gather(
            *(asyncio.wait_for(client.stop(), CLOSE_S) for client in (self._consumer, self._producer)),
            return_exceptions=True,
        )
        for error in closed:
            if error is not None:
                log.warning("intake.close_failed %r", error)

    async def revoked(self) -> None:
        """Finish what has been taken, commit it, and forget the sources."""
        self._table = self._status.table = None
        await self._commits.finish()
        self._writer.close()

    def assigned(self, partitions: Collection[TopicPartition]) -> SourceTable:
        """Begin with new sources; those that were begun with already stay."""
        if self._table is not None:
            return self._table
        consumer, topics = self._consumer, self._topics.inputs
        counts = {topic: len(consumer.partitions_for_topic(topic) or ()) for topic in topics}
        states = {partition: consumer.state_of(partition) for partition in partitions}
        self._table = self._status.table = SourceTable(states, topics, counts, _now_ms())
        self._beginning = asyncio.create_task(self._begin(self._table, partitions))
        self._writer.open(self._table)
        self._commits.open(self._table)
        self._counts.rebalances += 1
        log.info("intake.assigned sources=%d others=%d", len(self._table.names), len(self._table.others))
        return self._table

    async def _begin(self, table: SourceTable, partitions: Collection[TopicPartition]) -> None:
        try:
            table.begin(await self._consumer.committed_times(partitions))
        except KafkaError as error:
            log.warning("intake.times_unknown a late record that comes first will not be known as late: %r", error)
            table.begin({})

    async def _look(self) -> None:
        while True:
            self._status.look()
            await asyncio.sleep(_LOOK_S)

    async def _read_on(self) -> None:
        consumer, tick_s = self._consumer, self._config.tick_interval_ms / 1000
        while True:
            await self._writer.room()
            await self._letters.room()
            wanted = self._table.hungry(SOURCE_QUEUE) if self._table else ()
            try:
                batches = await consumer.poll(wanted, timeout_ms=POLL_MS, max_records=CHUNK)
            except KafkaError as error:
                await _survive(error)
                continue
            consumer.check()
            if batches:
                self._read(batches)
            if self._table:
                self._forward(self._table)
                self._writer.tick(tick_s)
            # With a backlog poll does not wait, and nothing else would get its turn.
            await asyncio.sleep(0)

    def _read(self, batches: Mapping[TopicPartition, Sequence[Record]]) -> None:
        # Records can be there before aiokafka has told about the assignment that they belong to.
        table = self._table or self.assigned(self._consumer.assignment())
        for partition, records in batches.items():
            index = table.index[partition]
            signals, refused = read_all(self._readers[partition.topic], records, index)
            for record, refusal in refused:
                self._counts.refused[partition.topic] += 1
                self._letters.put(partition, record, refusal)
            table.push(index, signals)
            self._counts.records[partition.topic] += len(records)

    def _forward(self, table: SourceTable) -> None:
        if not table.begun:
            return
        for source in table.observe(_now_ms(), time.monotonic()):
            log.warning(
                "source.unreachable %s: the broker has told nothing of it for %g s. The others go on without it; what "
                "it brings later comes late.",
                source.name,
                UNREACHABLE_S,
            )
        signals = table.take()
        progress = table.progress(self._config.tick_margin_ms)
        self._writer.put(signals, progress)
        self._counts.behind, self._counts.passed = not progress.live, progress.passed

    async def _send_frame(self, partition: int, value: bytes) -> None:
        topic = self._topics.signals
        try:
            await (await self._producer.send(topic, value, partition=partition))
        except KafkaError as error:
            why = missing(error, "Write", topic)
            raise SendFailed(f"{topic}[{partition}] does not take a frame of {len(value)} bytes: {why}") from error

    async def _send_letters(self, topic: str, batch: Batch) -> None:
        try:
            await (await self._producer.send_batch(batch, topic, partition=0))
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            raise
        except KafkaError as error:
            raise SendFailed(f"{topic}[0] does not take dead letters: {missing(error, 'Write', topic)}") from error


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the intake which sources it has. aiokafka takes all of them away before it gives new ones."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        del revoked
        await self._intake.revoked()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._intake.assigned(assigned)


def _needed(config: IntakeConfig) -> dict[str, int | None]:
    inputs = config.topics.inputs
    letters = map(config.topics.dead_letters, inputs)
    return {**dict.fromkeys(inputs), **dict.fromkeys(letters), config.topics.signals: config.partitions}


def _now_ms() -> int:
    return int(time.time() * 1000)


def _raise_failure(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work and return True; leave it and return False if ``stop`` is set before it is done."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        task.result()
        return True
    finally:
        await _cancel([task, stopping])


async def _survive(error: KafkaError) -> None:
    """Wait a little after an error that may pass; raise BrokerRefused or BrokerError for one that will not."""
    if isinstance(error, REFUSALS):
        raise BrokerRefused(f"the broker refuses to let the intake read: {missing(error, 'Read')}") from error
    if not error.retriable:
        raise BrokerError(f"the intake cannot read: {error!r}") from error
    log.warning("intake.read_failed %r", error)
    await asyncio.sleep(RETRY_S)
