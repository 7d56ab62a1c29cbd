"""The intake on a real Kafka: order, sharing, latency, and every way in which it ends."""

import asyncio
import logging
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded import EmbeddedBroker
from schemas.errors import SendFailed, TopicMismatch
from schemas.topics import TopicNames, partition_of, topics
from streams.client import partition_counts, supports_transactions
from streams.config import IntakeConfig, KafkaConfig
from streams.engine.signals import LINES_PER_OFFSET, Signal
from streams.frames import Frame, decode
from streams.headers import RUN
from streams.intake import commits
from streams.intake.consumer import source_consumer
from streams.intake.intake import run
from streams.intake.record import Record
from streams.intake.status import IntakeStatus
from tests.kafka.broker import KafkaBroker, come_back
from tests.kafka.cluster import until
from tests.streams.strange_names import GARBLED, Written, send

pytestmark = pytest.mark.kafka

PARTITIONS = 3
SOON = timedelta(seconds=90)

Line = tuple[str, int, int, Signal]
"""(topic, partition, offset, signal) of a signal in a frame"""


class Rig:
    """One livefuse of a test: its topics, what is sent to them, and what the intake makes of it."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.names = TopicNames(
            orders=f"{prefix}.orders",
            returns=f"{prefix}.returns",
            complaints=f"{prefix}.complaints",
            stock_levels=f"{prefix}.stock",
            prefix=f"{prefix}.",
            dead_letter_prefix=f"{prefix}.dlq.",
        )
        self.config = IntakeConfig(
            KafkaConfig({"bootstrap_servers": bootstrap}),
            self.names,
            PARTITIONS,
            application=prefix,
            session_timeout_ms=6_000,
        )

    async def create_topics(self, **changed: int) -> None:
        """Create all topics; `changed` gives topics (by attribute) other numbers of partitions, 0 for none at all."""
        counts = {getattr(self.names, name): count for name, count in changed.items()}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        await admin.create_topics(
            [
                NewTopic(topic.name, count, 1, topic_configs=topic.broker_configs())
                for topic in topics(self.names, PARTITIONS)
                if (count := counts.get(topic.name, topic.partitions or PARTITIONS))
            ]
        )
        await admin.close()

    @asynccontextmanager
    async def producer(self, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
        """Yield a producer for the inputs."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", **options)
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def send(self, records: Iterable[tuple[str, int, dict[str, Any] | bytes]]) -> None:
        """Send (topic, partition, record), in this order within each partition."""
        async with self.producer() as producer:
            pending = [
                await producer.send(topic, encoded(record), partition=partition) for topic, partition, record in records
            ]
            await asyncio.gather(*pending)

    async def read(self, topic: str, count: int, size: Callable[[Any], int] = lambda _: 1) -> list[Any]:
        """Read a topic until it has brought `count` by `size`."""
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await consumer.start()
        found: list[Any] = []
        try:

            async def is_there() -> bool:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found.extend(batch)
                return sum(map(size, found)) >= count

            await until(is_there, f"{count} in {topic}", within=SOON, between=timedelta(0))
        finally:
            await consumer.stop()
        return found

    async def frames(self, signals: int) -> dict[int, list[Frame]]:
        """Wait for so many signals; return the frames of each partition."""
        frames: dict[int, list[Frame]] = defaultdict(list)
        for record in await self.read(self.names.signals, signals, lambda each: len(decode(each.value).signals)):
            frames[record.partition].append(decode(record.value))
        return frames

    async def committed(self) -> dict[TopicPartition, int]:
        """Return the committed offsets of the intakes."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        offsets = await admin.list_consumer_group_offsets(f"{self.config.application}-intake")
        await admin.close()
        return {partition: found.offset for partition, found in offsets.items() if found.offset >= 0}


def encoded(record: dict[str, Any] | bytes) -> bytes:
    return record if isinstance(record, bytes) else orjson.dumps(record)


def lines(frames: Sequence[Frame]) -> list[Line]:
    """Return the signals of the frames with the places that they come from."""
    found = []
    for frame in frames:
        for signal in frame.signals:
            topic, _, partition = frame.sources[signal[1]].rpartition("/")
            found.append((topic, int(partition), signal[2] // LINES_PER_OFFSET, signal))
    return found


def now_ms() -> int:
    return int(time.time() * 1000)


def order(number: int, time_ms: int, product_id: str = "p1") -> dict[str, Any]:
    return {
        "order_id": f"o{number}",
        "occurred_at": time_ms,
        "lines": [{"product_id": product_id, "quantity": 1}],
    }


def complaint(number: int, time_ms: int, product_id: str = "p1") -> dict[str, Any]:
    return {"complaint_id": f"c{number}", "occurred_at": time_ms, "product_id": product_id}


def stock(number: int, time_ms: int, product_id: str = "p1") -> dict[str, Any]:
    return {"product_id": product_id, "on_hand": number, "occurred_at": time_ms}


class Running:
    """An intake in this process."""

    def __init__(self, config: IntakeConfig) -> None:
        self.status = IntakeStatus(config.topics.inputs)
        self.counts = self.status.counts
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(run(config, self.stop, self.status))

    async def live(self) -> None:
        """Wait until it is caught up."""

        async def is_live() -> bool:
            if self.task.done():
                self.task.result()
            return not self.counts.behind

        await until(is_live, "the intake is caught up", within=SOON)

    async def end(self) -> None:
        """Stop it in order."""
        self.stop.set()
        await asyncio.wait_for(self.task, 60)


@asynccontextmanager
async def intake(config: IntakeConfig) -> AsyncIterator[Running]:
    """Run an intake; stop it in order at the end."""
    running = Running(config)
    try:
        yield running
    finally:
        if not running.task.done():
            await running.end()


@pytest.fixture
async def rig(kafka: KafkaBroker, prefix: str) -> Rig:
    rig = Rig(kafka.bootstrap, prefix)
    await rig.create_topics()
    return rig


def backlog(names: TopicNames, count: int, seed: int) -> list[tuple[str, int, dict[str, Any]]]:
    """Return records of three topics whose times rise in each partition; many times are equal."""
    rng = Random(seed)
    makers = ((names.orders, order), (names.complaints, complaint), (names.stock_levels, stock))
    records = []
    time_ms = now_ms() - 3_600_000
    for number in range(count):
        time_ms += rng.choice((0, 0, 1, 50))
        topic, make = rng.choice(makers)
        records.append((topic, rng.randrange(PARTITIONS), make(number, time_ms, f"p{rng.randrange(40)}")))
    return records


def merged(names: TopicNames, records: list[tuple[str, int, dict[str, Any]]]) -> list[tuple[str, int, int]]:
    """Return the places of the records as the contract orders them: by time, then topic, partition, offset."""
    offsets: dict[tuple[str, int], int] = defaultdict(int)
    keyed = []
    for topic, partition, record in records:
        offset = offsets[topic, partition]
        offsets[topic, partition] += 1
        keyed.append(((record["occurred_at"], names.inputs.index(topic), partition, offset), topic))
    return [(topic, partition, offset) for (_, _, partition, offset), topic in sorted(keyed)]


async def test_a_backlog_is_merged_by_time_over_topics_and_partitions(rig: Rig) -> None:
    records = backlog(rig.names, 6_000, seed=1)
    await rig.send(records)
    async with intake(rig.config) as running:
        frames = await rig.frames(len(records))
        await running.live()
    expected = merged(rig.names, records)
    partitions = {
        (topic, partition, offset): partition_of(signal[4], PARTITIONS)
        for found in frames.values()
        for topic, partition, offset, signal in lines(found)
    }
    for number in range(PARTITIONS):
        found = [place[:3] for place in lines(frames[number])]
        assert found == [place for place in expected if partitions[place] == number]
    assert running.counts.frames < 300


async def test_order_lines_and_their_frames_say_where_they_come_from(rig: Rig) -> None:
    record = order(1, now_ms(), "p1") | {"lines": [{"product_id": f"p{n}", "quantity": 1} for n in range(30)]}
    await rig.send([(rig.names.orders, 2, b"{}"), (rig.names.orders, 2, record)])
    async with intake(rig.config) as running:
        frames = await rig.frames(30)
        await running.live()
    found = [signal for number in range(PARTITIONS) for *_, signal in lines(frames[number])]
    assert sorted(signal[2] for signal in found) == [LINES_PER_OFFSET + line for line in range(1, 31)]
    assert {place[:3] for each in frames.values() for place in lines(each)} == {(rig.names.orders, 2, 1)}
    assert all(not frame.others for each in frames.values() for frame in each)
    letters = await rig.read(rig.names.dead_letters(rig.names.orders), 1)
    assert letters[0].value == b"{}"
    assert await rig.committed() == {
        TopicPartition(topic, number): 2 if (topic, number) == (rig.names.orders, 2) else 0
        for topic in rig.names.inputs
        for number in range(1 if topic == rig.names.rules else PARTITIONS)
    }


async def test_a_rule_set_and_a_command_go_their_ways(rig: Rig) -> None:
    before, after = now_ms() - 5, now_ms()
    rules = {"version": 1, "issued_at": before, "actor": "ann", "rules": []}
    command = {
        "command_id": "k",
        "product_id": "p7",
        "action": "pause",
        "actor": "ann",
        "reason": "",
        "issued_at": after,
    }
    async with rig.producer() as producer:
        await producer.send_and_wait(rig.names.rules, orjson.dumps(rules), key=b"rules", partition=0)
        await producer.send_and_wait(rig.names.rules, b"[]", key=b"rules", partition=0)
        await producer.send_and_wait(rig.names.commands, orjson.dumps(command), partition=1)
    async with intake(rig.config):
        frames = await rig.frames(PARTITIONS + 1)
    kinds = {number: [signal[0] for *_, signal in lines(found)] for number, found in frames.items()}
    own = partition_of("p7", PARTITIONS)
    assert kinds == {number: [6, 5] if number == own else [6] for number in range(PARTITIONS)}
    (letter,) = await rig.read(rig.names.dead_letters(rig.names.rules), 1)
    assert (letter.key, letter.value) == (b"rules", b"[]")


async def test_a_record_of_nothing_becomes_a_dead_letter_of_nothing(rig: Rig) -> None:
    async with rig.producer() as producer:
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=None, headers=[("trace", b"\xff"), ("nothing", None)])
        await (await producer.send_batch(batch, rig.names.orders, partition=0))
    async with intake(rig.config) as running:
        (letter,) = await rig.read(rig.names.dead_letters(rig.names.orders), 1)
        await running.live()
    assert (letter.key, letter.value) == (None, None)
    headers = dict(letter.headers)
    assert headers["livefuse.reason"] == b"empty"
    assert headers["trace"] == b"\xff"
    assert headers["nothing"] is None
    assert running.counts.dead_letters == {(rig.names.orders, "empty"): 1}


async def test_headers_whose_names_are_no_text_do_not_matter(rig: Rig) -> None:
    at, strange = now_ms(), [(GARBLED, b"7"), (b"trace", b"8")]
    good, bad = orjson.dumps(order(1, at)), b'{"order_id": "o2"}'
    orders = [Written(good, strange), Written(bad, strange), Written(b"{}")]
    await send(rig.bootstrap, rig.names.orders, 0, orders, timestamp=at)
    await rig.send([(rig.names.orders, 0, order(3, at + 1)), (rig.names.complaints, 0, complaint(1, at + 2))])
    rules = orjson.dumps({"version": 1, "issued_at": at, "actor": "ann", "rules": []})
    await send(rig.bootstrap, rig.names.rules, 0, [Written(rules, strange)], timestamp=at)
    async with intake(rig.config) as running:
        frames = await rig.frames(3 + PARTITIONS)
        await running.live()
    found = Counter(place[:3] for each in frames.values() for place in lines(each))
    assert found == {
        (rig.names.orders, 0, 0): 1,
        (rig.names.orders, 0, 3): 1,
        (rig.names.complaints, 0, 0): 1,
        (rig.names.rules, 0, 0): PARTITIONS,
    }
    letter, _ = await rig.read(rig.names.dead_letters(rig.names.orders), 2)
    assert (letter.key, letter.value) == (b"key", bad)
    assert [name for name, _ in letter.headers if not name.startswith(("__streams", "livefuse"))] == ["trace"]
    assert running.counts.rebalances == 1
    assert (await rig.committed())[TopicPartition(rig.names.orders, 0)] == 4


async def test_a_record_is_in_a_frame_at_once_when_the_intake_is_idle(rig: Rig) -> None:
    consumer = AIOKafkaConsumer(rig.names.signals, bootstrap_servers=rig.bootstrap)
    direct = AIOKafkaConsumer(rig.names.orders, bootstrap_servers=rig.bootstrap)
    async with intake(rig.config) as running, rig.producer() as producer:
        await running.live()
        await consumer.start()
        await direct.start()
        took, trips = [], []
        for number in range(30):
            await asyncio.sleep(0.05)
            began = time.perf_counter()
            sent = await producer.send(
                rig.names.orders, encoded(order(number, now_ms())), partition=number % PARTITIONS
            )
            await direct.getone()
            trips.append(time.perf_counter() - began)
            async for record in consumer:
                if decode(record.value).signals:
                    break
            took.append(time.perf_counter() - began)
            await sent
        await direct.stop()
        await consumer.stop()
    # No poll interval, no linger, no tick: these are 100, 500 ms. What remains is a trip through the broker, as the one
    # that the record itself has made, and as much again for the work: a busy machine takes longer for all of it.
    assert statistics.median(took) < 0.06 + 3 * statistics.median(trips)


async def test_ticks_come_to_every_partition_and_follow_the_clock(rig: Rig) -> None:
    async with intake(replace(rig.config, tick_interval_ms=200)) as running:
        await running.live()
        records: list[tuple[int, int, Frame]] = []

        async def have_come() -> bool:
            found = await rig.read(rig.names.signals, 4 * PARTITIONS)
            records[:] = [(each.partition, each.timestamp, decode(each.value)) for each in found]
            live = Counter(partition for partition, _, frame in records if frame.live)
            return all(live[number] >= 4 for number in range(PARTITIONS))

        await until(have_come, "every partition has ticks", within=SOON)
    for number in range(PARTITIONS):
        ticks = [(sent, frame) for partition, sent, frame in records if partition == number]
        assert len(ticks) >= 4
        assert all(not frame.signals for _, frame in ticks)
        passed = [frame.passed for _, frame in ticks if frame.live]
        assert passed == sorted(passed)
        assert all(frame.passed <= sent - rig.config.tick_margin_ms for sent, frame in ticks)
        # The newest that a machine with other work to do has brought in time.
        assert max(frame.passed - sent for sent, frame in ticks) > -rig.config.tick_margin_ms - 700


async def test_two_intakes_share_the_sources_and_nothing_is_missing(rig: Rig) -> None:
    records = backlog(rig.names, 3_000, seed=2)
    async with intake(rig.config) as first, intake(rig.config) as second:
        await first.live()
        await second.live()

        async def shared() -> bool:
            return (
                len(first.status.lag()) > 0
                and len(second.status.lag()) > 0
                and not (first.status.lag().keys() & second.status.lag().keys())
            )

        await until(shared, "the sources are shared", within=SOON)
        sources = [[*each.status.lag()] for each in (first, second)]
        await rig.send(records)
        frames = await rig.frames(len(records))
    places = {place[:3] for found in frames.values() for place in lines(found)}
    assert places == set(merged(rig.names, records))
    for found in frames.values():
        last = found[-1]
        assert set(last.sources) | set(last.others) == {*sources[0], *sources[1]}
        assert not set(last.sources) & set(last.others)
    assert all(each.counts.signals for each in (first, second))
    # Partition i of every topic is with the same intake.
    for names in sources:
        numbers = [
            {name.rpartition("/")[2] for name in names if name.startswith(topic)} for topic in rig.names.inputs[:4]
        ]
        assert all(each == numbers[0] for each in numbers)


async def test_stopping_drains_and_the_next_one_goes_on_without_a_repeat(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In production an end is not put off for longer; there repeats are cheaper.
    monkeypatch.setattr(commits, "DRAIN_S", 60.0)
    monkeypatch.setattr(commits, "LAST_COMMIT_S", 60.0)
    records = backlog(rig.names, 20_000, seed=3)
    await rig.send(records)
    config = replace(rig.config, frame_signals=100)
    async with intake(config) as first:

        async def is_busy() -> bool:
            return first.counts.signals > 500

        await until(is_busy, "some signals are written", within=SOON, between=timedelta(milliseconds=5))
    async with intake(config) as second:
        frames = await rig.frames(len(records))
        await second.live()
    found = [place[:3] for each in frames.values() for place in lines(each)]
    assert len(found) == len(set(found)) == len(records)
    assert first.counts.signals + second.counts.signals == len(records)


async def test_a_cancelled_intake_commits_nothing_that_is_not_written(rig: Rig) -> None:
    records = backlog(rig.names, 5_000, seed=4)
    await rig.send(records)
    config = replace(rig.config, frame_signals=50)
    first = Running(config)

    async def is_busy() -> bool:
        return first.counts.signals > 500

    await until(is_busy, "some signals are written", within=SOON, between=timedelta(milliseconds=5))
    first.task.cancel()
    await asyncio.gather(first.task, return_exceptions=True)
    async with intake(config):
        frames: dict[int, list[Frame]] = {}

        async def is_complete() -> bool:
            nonlocal frames
            frames = await rig.frames(len(records))
            return len({place[:3] for each in frames.values() for place in lines(each)}) == len(records)

        await until(is_complete, "all signals are there", within=SOON)
    for number, each in frames.items():
        # Repeats are fine, gaps are not: without the repeats each source stands in its own order.
        last: dict[tuple[str, int], int] = defaultdict(lambda: -1)
        for topic, partition, offset, signal in lines(each):
            assert partition_of(signal[4], PARTITIONS) == number
            last[topic, partition] = max(last[topic, partition], offset)


async def test_transactions_of_the_shop_are_read_when_they_are_committed_and_hold_nobody_up(rig: Rig) -> None:
    async with intake(rig.config) as running, rig.producer(transactional_id=rig.config.application) as shop:
        await running.live()
        async with shop.transaction():
            await shop.send_and_wait(rig.names.orders, encoded(order(1, now_ms())), partition=0)
        await shop.begin_transaction()
        await shop.send_and_wait(rig.names.orders, encoded(order(2, now_ms())), partition=0)
        await rig.send([(rig.names.complaints, 0, complaint(3, now_ms()))])
        frames = await rig.frames(2)
        await running.live()
        await shop.abort_transaction()
        await rig.send([(rig.names.complaints, 0, complaint(4, now_ms()))])
        frames = await rig.frames(3)

        async def has_passed_the_markers() -> bool:
            # Two orders and two markers.
            return (await rig.committed()).get(TopicPartition(rig.names.orders, 0)) == 4

        await until(has_passed_the_markers, "what was aborted is passed over", within=SOON)
    found = [place[:3] for each in frames.values() for place in lines(each)]
    assert sorted(found) == sorted(
        [(rig.names.orders, 0, 0), (rig.names.complaints, 0, 0), (rig.names.complaints, 0, 1)]
    )


async def test_missing_topics_are_named(rig: Rig, prefix: str, kafka: KafkaBroker) -> None:
    other = Rig(kafka.bootstrap, f"{prefix}-2")
    await other.create_topics(complaints=0)
    with pytest.raises(TopicMismatch, match=rf"{prefix}-2\.complaints.*livefuse topics apply"):
        await run(other.config, asyncio.Event(), IntakeStatus(other.config.topics.inputs))
    assert other.names.complaints not in await partition_counts(other.config.kafka.client)
    with pytest.raises(TopicMismatch, match="has 3 partitions, not 4"):
        await run(replace(rig.config, partitions=4), asyncio.Event(), IntakeStatus(rig.config.topics.inputs))


async def test_frames_that_the_broker_never_takes_end_the_intake_and_are_not_committed(
    kafka: KafkaBroker, prefix: str
) -> None:
    rig = Rig(kafka.bootstrap, prefix)
    await rig.create_topics(signals=0)
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
    await admin.start()
    small = {"max.message.bytes": "600"}
    await admin.create_topics([NewTopic(rig.names.signals, PARTITIONS, 1, topic_configs=small)])
    await admin.close()
    rng = Random(5)
    products = [rng.randbytes(60).hex() for _ in range(60)]
    await rig.send((rig.names.orders, 0, order(number, now_ms(), each)) for number, each in enumerate(products))
    status = IntakeStatus(rig.config.topics.inputs)
    with pytest.raises(SendFailed, match=r"does not take a frame of \d+ bytes"):
        await asyncio.wait_for(run(rig.config, asyncio.Event(), status), 90)
    assert (await rig.committed()).get(TopicPartition(rig.names.orders, 0), 0) == 0


async def test_a_broker_that_is_away_is_waited_for(
    mortal_kafka: KafkaBroker, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "streams")
    broker = mortal_kafka
    rig = Rig(broker.bootstrap, prefix)
    await rig.create_topics()
    await asyncio.to_thread(broker.kill)
    async with intake(rig.config) as running:

        async def is_told() -> bool:
            return "broker.unavailable" in caplog.text

        await until(is_told, "the intake says that no broker is there", within=SOON)
        assert broker.bootstrap in caplog.text
        await come_back(broker)
        await rig.send([(rig.names.orders, 0, order(1, now_ms()))])
        await rig.frames(1)
        # It goes away in mid-stream, with records on their way.
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(2)
        await come_back(broker)
        await rig.send([(rig.names.orders, 0, order(2, now_ms()))])
        frames = await rig.frames(2)
        await running.live()
    found = [place[:3] for each in frames.values() for place in lines(each)]
    assert sorted(set(found)) == [(rig.names.orders, 0, 0), (rig.names.orders, 0, 1)]


async def test_stopping_while_the_broker_is_away_does_not_take_long(mortal_kafka: KafkaBroker, prefix: str) -> None:
    rig = Rig(mortal_kafka.bootstrap, prefix)
    await rig.create_topics()
    running = Running(rig.config)
    await running.live()
    await asyncio.to_thread(mortal_kafka.kill)
    await asyncio.sleep(1)
    began = time.monotonic()
    await running.end()
    # Its own limits make up some seven seconds; a request that waits for the broker takes forty.
    assert time.monotonic() - began < 30
    waiting = Running(rig.config)
    await asyncio.sleep(0.5)
    await waiting.end()


async def test_the_embedded_broker_is_served_without_idempotence(embedded: EmbeddedBroker, prefix: str) -> None:
    rig = Rig(embedded.bootstrap, prefix)
    await rig.create_topics()
    assert not await supports_transactions(rig.config.kafka.client)
    records = backlog(rig.names, 500, seed=6)
    await rig.send(records)
    async with intake(rig.config) as running:
        frames = await rig.frames(len(records))
        await running.live()
    assert {place[:3] for each in frames.values() for place in lines(each)} == set(merged(rig.names, records))


async def test_records_are_handed_out_as_aiokafka_reads_them(rig: Rig) -> None:
    await rig.send((rig.names.orders, 0, b"%d" % number) for number in range(5))
    consumer = source_consumer(rig.config)
    await consumer.start()
    records: list[Record] = []
    try:
        while len(records) < 5:
            for found in (await consumer.poll((), timeout_ms=1_000, max_records=1)).values():
                records += found
    finally:
        await consumer.stop()
    assert [(each.offset, each.key, each.value, tuple(each.headers)) for each in records] == [
        (number, None, b"%d" % number, ()) for number in range(5)
    ]
    assert all(0 <= now_ms() - each.timestamp < 60_000 for each in records)
    # The first one came while `poll` was waiting, and aiokafka has made a record of its own of it.
    assert [isinstance(each, ConsumerRecord) for each in records[1:]] == [False] * 4


async def test_what_has_been_fetched_comes_in_runs_from_the_committed_offset_on(rig: Rig) -> None:
    place = TopicPartition(rig.names.orders, 0)
    committed, written = 130, 5 * RUN
    async with rig.producer(max_batch_size=1_000_000) as producer:
        one_batch = producer.create_batch()
        for number in range(written):
            assert one_batch.append(key=None, value=b"%d" % number, timestamp=None)
        await (await producer.send_batch(one_batch, place.topic, partition=place.partition))
    predecessor = source_consumer(rig.config)
    await predecessor.start()
    await predecessor.commit({place: committed})
    await predecessor.stop()
    consumer = source_consumer(rig.config)
    await consumer.start()
    try:

        async def is_fetched() -> bool:
            return place in consumer._fetcher._records  # noqa: SLF001

        await until(is_fetched, "the batch is fetched before anybody asks for it", within=SOON)
        offsets: list[int] = []
        while len(offsets) < written - committed:
            found = await consumer.poll((), timeout_ms=1_000, max_records=RUN)
            assert 0 < len(found[place]) <= 2 * RUN
            assert not any(isinstance(each, ConsumerRecord) for each in found[place])
            offsets += [each.offset for each in found[place]]
            assert consumer.state_of(place).position == offsets[-1] + 1
    finally:
        await consumer.stop()
    assert offsets == list(range(committed, written))


async def test_kafka_has_transactions(kafka: KafkaBroker) -> None:
    assert await supports_transactions({"bootstrap_servers": kafka.bootstrap})
