"""Deleting: what Kafka can delete of an order or a complaint without harm.

    frames              up to the last one that names it, as far as the lanes have applied them: nobody needs them
    states              read as a successor of the lane reads them, the id replaced, written in one transaction. The
                        worker that has the lane finds itself fenced, opens it again, and goes on with that
    fuse states         the same, in the same transaction
    dead letters        up to the last one that names it, and with it all that are older in its partition: only if told

Fuse events stay: readers count on their sequence, and they are the record of why a product was paused. The shop's
topics are the shop's.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from deploy.forget.search import Search, Status, Trace
from deploy.forget.subject import Subject
from deploy.kafka import in_our_words, open_admin, read_partition
from deploy.settings import Settings
from schemas.errors import BrokerRefused, FencedError
from streams.client import supports_transactions
from streams.worker.store import Recovered, Store, headers_of
from streams.worker.writer import Batch, Record, Writer

_ATTEMPTS: Final = 5
_TRANSACTION_TIMEOUT_MS: Final = 60_000


async def erase(settings: Settings, subject: Subject, found: Search, *, also_older: bool = False) -> None:
    """Delete what can be, and write into each trace what became of it.

    `also_older`: dead letters too, with all older ones of their partition. Raises BrokerError.
    """
    names, config = settings.topics, settings.kafka_config()
    states = defaultdict(list)
    for trace in [*found.of(names.state), *found.of(names.fuse_state)]:
        states[trace.partition].append(trace)
    known = config.transactions
    transactions = await supports_transactions(config.client) if known is None else known
    if states and not transactions:
        _mark(found.of(names.state), "this broker has no transactions: it can only be done where a lane can be fenced")
        states.clear()
    positions: dict[int, int] = {}
    for number in sorted({*states, *(trace.partition for trace in found.of(names.signals))}):
        positions[number] = await _rewrite(settings, subject, number, states[number], transactions=transactions)
    async with in_our_words(config), open_admin(config) as admin:
        for number, traces in _by_partition(found.of(names.signals)):
            await _truncate_frames(admin, traces, positions[number])
        for letters in map(names.dead_letters, names.inputs):
            for _, traces in _by_partition(found.of(letters)):
                await _truncate_letters(admin, traces, also_older=also_older)
    _mark(found.of(names.fuse_events), "kept: the record of why a product was paused, whose readers count sequences")
    for topic in (names.orders, names.returns, names.complaints, names.stock_levels):
        _mark(found.of(topic), "the shop's own topic: kafka-delete-records.sh, with all that is older in the partition")


async def _rewrite(
    settings: Settings, subject: Subject, number: int, traces: list[Trace], *, transactions: bool
) -> int:
    """Replace the id in the states of a partition; return the position of its lane, -1 when there is none."""
    names, config, write = settings.topics, settings.kafka_config(), bool(traces)
    store = Store(config.client, names.state, names.signals, transactions=transactions)
    name = f"{settings.application}-lane-{number}"
    for attempt in range(_ATTEMPTS):
        writer = Writer(
            config.client,
            client_id=f"{name}-forget",
            transactional_id=name,
            transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS,
        )
        try:
            if write:
                await writer.start([names.state, names.fuse_state])
            states: dict[str, bytes | None] = {}
            recovered = await store.recover(number, states.__setitem__)
            if write:
                batches = await _changed(settings, subject, number, states, recovered)
                if batches[1].records or batches[0].records:
                    await writer.write([each for each in batches[:1] if each.records], batches[1])
                    _mark(traces, "the old bytes go when Kafka compacts the topic", status="overwritten")
                else:
                    _mark(
                        traces,
                        "overwritten before; the old bytes go when Kafka compacts the topic",
                        status="overwritten",
                    )
        except FencedError:
            # The worker was quicker; it does not fight for long.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return -1 if recovered.record is None else recovered.record.position
        finally:
            await writer.stop()
    raise AssertionError("unreachable")


async def _changed(
    settings: Settings, subject: Subject, number: int, states: dict[str, bytes | None], recovered: Recovered
) -> tuple[Batch, Batch]:
    """Return the fuse states and the states that name the subject, without it."""
    names = settings.topics
    plain: list[tuple[str, bytes]] = []
    changed: list[Record] = [
        (product_id.encode(), subject.forgotten_in_state(product_id, value), headers_of(recovered.place(product_id)))
        for product_id, value in states.items()
        if value and subject.in_state(product_id, value)
    ]
    fuses: dict[bytes, Any] = {}
    async for record in read_partition(settings.kafka_config(), TopicPartition(names.fuse_state, number)):
        fuses[record.key] = record.value
    told: list[Record] = [
        (key, subject.forgotten_in_event(value), plain)
        for key, value in fuses.items()
        if value and subject.in_event(value) == "evidence"
    ]
    return Batch(names.fuse_state, number, told), Batch(names.state, number, changed)


async def _truncate_frames(admin: AIOKafkaAdminClient, traces: list[Trace], position: int) -> None:
    applied = [trace for trace in traces if trace.offset <= position]
    _mark([trace for trace in traces if trace.offset > position], "no worker has applied it yet: say it again later")
    if applied and await _truncate(admin, applied):
        _mark(applied, "deleted, with the frames before it", status="deleted")


async def _truncate_letters(admin: AIOKafkaAdminClient, traces: list[Trace], *, also_older: bool) -> None:
    if not also_older:
        _mark(traces, "--also-older deletes it, with all letters before it in its partition")
    elif await _truncate(admin, traces):
        _mark(traces, "deleted, with all letters before it in its partition", status="deleted")


async def _truncate(admin: AIOKafkaAdminClient, traces: list[Trace]) -> bool:
    """Delete the records of one partition up to the last of the traces."""
    last = max(traces, key=lambda trace: trace.offset)
    place = TopicPartition(last.topic, last.partition)
    try:
        await admin.delete_records({place: RecordsToDelete(last.offset + 1)})
    except (NotImplementedError, BrokerRefused) as error:
        _mark(traces, f"this broker does not delete records: {error}")
        return False
    return True


def _by_partition(traces: Iterable[Trace]) -> list[tuple[int, list[Trace]]]:
    found = defaultdict(list)
    for trace in traces:
        found[trace.partition].append(trace)
    return sorted(found.items())


def _mark(traces: Iterable[Trace], why: str, *, status: Status = "kept") -> None:
    for trace in traces:
        trace.why, trace.status = why, status
