"""Commits of source offsets: only of what is acknowledged, and only while the sources are ours.

    taken up to      orders/0 @ 120, returns/0 @ 31           a checkpoint: offsets, and how many signals and
    acknowledged     ... some of it                           dead letters had been queued until then
    acknowledged     all of it  ──▶ commit ──▶ the next checkpoint

A commit that does not get through costs repeats, nothing else.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas.errors import BrokerRefused
from schemas.rights import missing
from streams.client import REFUSALS
from streams.intake.consumer import SourceConsumer
from streams.intake.counts import IntakeCounts
from streams.intake.dead_letters import DeadLetters
from streams.intake.frame_writer import FrameWriter
from streams.intake.sources import SourceTable

INTERVAL_S: Final = 0.5
DRAIN_S: Final = 3.0
LAST_COMMIT_S: Final = 2.0

Commitment = tuple[int, str]
"""An offset, and the largest time (ms) of the source before it as text: Kafka keeps both."""

log = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """Source offsets, and what has to be acknowledged before they may be committed."""

    offsets: dict[TopicPartition, Commitment]
    marks: list[int]
    letters: int


class Commits:
    """The commits of one intake, for the sources that it has at the time."""

    def __init__(
        self, consumer: SourceConsumer, writer: FrameWriter, letters: DeadLetters, counts: IntakeCounts
    ) -> None:
        self._consumer = consumer
        self._writer = writer
        self._letters = letters
        self._counts = counts
        self._table: SourceTable | None = None
        self._checkpoint: Checkpoint | None = None
        self._committed: dict[TopicPartition, Commitment] = {}

    def open(self, table: SourceTable) -> None:
        """Commit for these sources from now on."""
        self._table = table
        self._committed = {}

    async def run(self) -> None:
        """Commit now and then until cancelled. Raises BrokerRefused."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            self._writer.warn()
            table, checkpoint = self._table, self._checkpoint
            if table is None:
                continue
            if checkpoint is not None and self._is_acknowledged(checkpoint):
                with suppress(TimeoutError):
                    # aiokafka would try for as long as the broker is away.
                    await asyncio.wait_for(self._commit(checkpoint.offsets), LAST_COMMIT_S)
                checkpoint = None
            # A rebalance may have taken the sources away while the commit was on its way.
            if checkpoint is None and self._table is table:
                self._checkpoint = self._take(table)

    async def finish(self) -> bool:
        """Wait until all that has been taken is acknowledged, and commit it; the sources are not ours afterwards.

        Return False when that took too long: then the next owner reads again what is not committed.
        """
        table, self._table, self._checkpoint = self._table, None, None
        if table is None:
            return True
        checkpoint = self._take(table)
        deadline = time.monotonic() + DRAIN_S
        while not self._is_acknowledged(checkpoint):
            if time.monotonic() > deadline:
                log.warning("intake.not_drained: frames are not acknowledged; their records will be read again")
                return False
            await asyncio.sleep(0.005)
        try:
            # aiokafka would try for as long as the broker is away.
            await asyncio.wait_for(self._commit(checkpoint.offsets), LAST_COMMIT_S)
        except TimeoutError:
            log.warning("commit.failed the broker does not answer; some records will be read again")
            return False
        return True

    def _take(self, table: SourceTable) -> Checkpoint:
        return Checkpoint(table.commitments(), self._writer.marks(), self._letters.queued)

    def _is_acknowledged(self, checkpoint: Checkpoint) -> bool:
        return self._writer.reached(checkpoint.marks) and self._letters.acknowledged >= checkpoint.letters

    async def _commit(self, offsets: Mapping[TopicPartition, Commitment]) -> None:
        changed = {each: offset for each, offset in offsets.items() if self._committed.get(each) != offset}
        if not changed:
            return
        try:
            await self._consumer.commit(changed)
        except (CommitFailedError, IllegalStateError):
            log.info("commit.refused: the sources are given to another intake, which reads from the commit before")
        except REFUSALS as error:
            raise BrokerRefused(f"the broker refuses to commit offsets: {missing(error, 'Read')}") from error
        except KafkaError as error:
            log.warning("commit.failed %r", error)
        else:
            self._committed |= changed
            self._counts.commits += 1
