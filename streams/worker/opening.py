"""How a lane opens: fence, read the state, take up the position, and see whether the log still fits it."""

import logging
import time
from collections.abc import Callable
from typing import Final

from schemas.errors import StateError
from schemas.rules import DEFAULT_RULES
from streams.config import WorkerConfig
from streams.engine.partition import Partition
from streams.worker.alignment import Alignment, source_rank
from streams.worker.checkpoint import Checkpoints
from streams.worker.counts import WorkerCounts
from streams.worker.lane import Lane
from streams.worker.store import Recovered, Store
from streams.worker.writer import Writer

_MS: Final = 1_000

log = logging.getLogger(__name__)


class Opening:
    """Opens lanes. ``transactions`` tells whether the broker has them."""

    def __init__(self, config: WorkerConfig, counts: WorkerCounts, *, transactions: bool) -> None:
        self.store = Store(config.kafka.client, config.topics.state, config.topics.signals, transactions=transactions)
        self._config = config
        self._counts = counts
        self._transactions = transactions

    async def open(self, number: int, failed: Callable[[Lane, Exception], None]) -> Lane:
        """Return the lane of a partition, ready for its next frame.

        Raises BrokerUnavailable and FencedError, after which it may be tried again, and other LivefuseErrors.
        """
        config, began = self._config, time.monotonic()
        name = f"{config.application}-lane-{number}"
        writer = Writer(
            config.kafka.client,
            client_id=name,
            transactional_id=name if self._transactions else None,
            transaction_timeout_ms=config.transaction_timeout_ms,
        )
        try:
            # In this order: nothing can be written any more to what is read then.
            await writer.start(_written(config))
            partition = Partition(number, DEFAULT_RULES, self._counts.engine)
            recovered = await self.store.recover(number, partition.load)
            alignment = Alignment(source_rank(config.topics), lambda: partition.positions)
            saved, checkpoints = self._take_up(partition, alignment, recovered)
        except BaseException as error:
            await writer.stop()
            if isinstance(error, StateError):
                raise StateError(f"{config.topics.state}[{number}]: {error}") from error
            raise
        log.info(
            "lane.opened partition=%d position=%d states=%d behind=%d seconds=%.3f",
            number,
            saved,
            recovered.states,
            recovered.log_end - saved - 1,
            time.monotonic() - began,
        )
        return Lane(
            config.topics,
            checkpoints,
            writer,
            saved=saved,
            interval_s=config.flush_interval_ms / _MS,
            hot_products=config.hot_products,
            failed=failed,
            counts=self._counts,
        )

    def _take_up(self, partition: Partition, alignment: Alignment, recovered: Recovered) -> tuple[int, Checkpoints]:
        """Restore what the lane's record holds; return the position from which the lane goes on, and what stores it."""
        record, start, end = recovered.record, recovered.log_start, recovered.log_end
        topic = f"{self._config.topics.signals}[{partition.number}]"
        if record is None:
            partition.loaded()
            alignment.skip_to(start)
            return start - 1, Checkpoints(partition, alignment, log=0, goes_on=False)
        partition.restore(record.partition)
        applied = max([record.position, *recovered.ahead.values()])
        if applied >= end:
            log.error(
                "lane.log_shorter %s ends at %d, but the state has applied it up to %d: the topic was made anew, or "
                "the broker has lost its end. Going on with its beginning, %d; what was applied is not applied again.",
                topic,
                end,
                applied,
                start,
            )
            partition.loaded()
            alignment.skip_to(start)
            return start - 1, Checkpoints(partition, alignment, log=record.log + 1, goes_on=False)
        partition.loaded(recovered.ahead)
        checkpoints = Checkpoints(partition, alignment, log=record.log, goes_on=True)
        alignment.restore(record.position, record.alignment)
        if record.position + 1 < start:
            self._counts.gap_frames += start - record.position - 1
            log.error(
                "lane.gap %s: the frames %d to %d are gone (deleted by retention?). Their signals are missing; "
                "going on with %d.",
                topic,
                record.position + 1,
                start - 1,
                start,
            )
            alignment.skip_to(start)
            return start - 1, checkpoints
        return record.position, checkpoints


def _written(config: WorkerConfig) -> list[str]:
    names = config.topics
    return [names.fuse_events, names.fuse_state, names.replenishment, names.watchlist, names.state]
