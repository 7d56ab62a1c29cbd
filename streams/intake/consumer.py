"""The consumer of the intake: aiokafka's, which also tells how far it is with a partition.

Verified on aiokafka 0.14. ``position`` of a partition moves when ``getmany`` hands records out (or skips markers of
transactions), never before; ``highwater``, ``lso`` and ``timestamp`` are set together by each answer to a fetch. There
is one fetch at a time to each broker, and while one is under way the partitions that it does not name wait, so it must
not wait long for records: ``FETCH_WAIT_MS``. A record that arrives meanwhile is answered at once. When the task that
fetches dies, ``getmany`` goes on returning nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from schemas.errors import BrokerError
from streams import headers
from streams.client import METADATA_MAX_AGE_MS
from streams.config import IntakeConfig, heartbeat_ms
from streams.headers import RUN, Run
from streams.intake.record import Record

FETCH_WAIT_MS: Final = 100


class PartitionState(Protocol):
    """What aiokafka knows about an assigned partition. Offsets are those of the next record."""

    has_valid_position: bool
    position: int
    highwater: int | None
    lso: int | None
    """The last stable offset: what lies behind it is in a transaction that is not committed yet."""
    timestamp: int | None
    """Wall clock (ms) when the last answer to a fetch of the partition was read."""


class SourceConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer that shows the state of its partitions and does not hide that its fetcher is dead."""

    def state_of(self, partition: TopicPartition) -> PartitionState:
        """Return the state of an assigned partition. It stays up to date until the next rebalance."""
        state: PartitionState = self._subscription.subscription.assignment.state_value(partition)
        return state

    async def poll(
        self, partitions: Sequence[TopicPartition], *, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return records of the partitions (none: of all), waiting for them if there are none.

        Once there are enough it stops; those of one run are not parted, so there may be `RUN` more.
        """
        found: dict[TopicPartition, list[Record]] = {}
        left = max_records
        while left > 0:
            begins = self._fetched_in_runs()
            try:
                # With records in hand it must not wait: they count as read, and others may look meanwhile.
                drained = await self.getmany(
                    *partitions, timeout_ms=0 if found else timeout_ms, max_records=max(1, left // RUN)
                )
            except KafkaError:
                if found:
                    # A fetch that fails is tried again, and tells again why.
                    break
                raise
            if not drained:
                break
            for partition, items in drained.items():
                records = _records(items, begins.get(partition, 0))
                found.setdefault(partition, []).extend(records)
                left -= len(records)
        return found

    def _fetched_in_runs(self) -> dict[TopicPartition, int]:
        """Have what has been fetched come in runs, as it is; return where each partition goes on.

        Else aiokafka takes each record through several hands and copies it into an object of 11 attributes. What comes
        while ``getmany`` waits for it comes that way.
        """
        begins = {}
        for partition, fetched in self._fetcher._records.items():  # noqa: SLF001
            batches = getattr(fetched, "_partition_records", None)
            if batches is not None:
                batches._records.in_runs = True  # noqa: SLF001
                batches._consumer_record = _as_it_is  # noqa: SLF001
                begins[partition] = batches.next_fetch_offset
        return begins

    async def committed_times(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the largest times (ms) that were committed with the partitions' offsets."""
        committed = await self._coordinator.fetch_committed_offsets(list(partitions))
        return {each: int(note.metadata) for each, note in committed.items() if note.metadata.isdecimal()}

    def check(self) -> None:
        """Raise BrokerError when the consumer cannot fetch any more, or what keeps it from joining its group."""
        self._coordinator.check_errors()
        if self._fetcher.error_future.done():
            raise BrokerError("the consumer has stopped fetching because of an error in it, see the log above")


def _as_it_is(_: TopicPartition, record: Record | Run) -> Record | Run:
    return record


def _records(items: Sequence[Record | Run], begin: int) -> list[Record]:
    """Return the records from ``begin`` on: a batch may begin before that."""
    found: list[Record] = []
    for item in items:
        if not isinstance(item, Run):
            found.append(item)
        elif item.records[0].offset >= begin:
            found += item.records
        else:
            found += [record for record in item.records if record.offset >= begin]
    return found


def source_consumer(config: IntakeConfig, listener: ConsumerRebalanceListener | None = None) -> SourceConsumer:
    """Return a consumer of all inputs, not started, in the group of the intakes."""
    client: dict[str, Any] = {**config.kafka.client}
    # Anybody may write to the inputs.
    headers.accept_any_names()
    consumer = SourceConsumer(
        **client,
        client_id=f"{config.application}-intake",
        group_id=f"{config.application}-intake",
        # Partition i of every topic goes to the same intake: topics that the shop keys alike stay together.
        partition_assignment_strategy=(RangePartitionAssignor,),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        session_timeout_ms=config.session_timeout_ms,
        heartbeat_interval_ms=heartbeat_ms(config.session_timeout_ms),
        rebalance_timeout_ms=config.session_timeout_ms,
    )
    consumer.subscribe(config.topics.inputs, listener=listener)
    return consumer
