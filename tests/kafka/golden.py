"""The golden invariant, asked of a real Kafka: what comes out equals, byte for byte, what `livefuse replay` says.

    expected = replay(records, tmp_path)
    await send_all(cluster, records)            # or send_live: each record when its time has come
    await compare(cluster, expected)

Everything is compared: the values in their order, product by product, keys, partitions and headers, the replenishment
requests too, and that the topic of fuse states has the latest of each product. Replay ends with a
tick at the last event time of the capture; a live system goes on, and timers that are due later fire there. So replay
must be a prefix of what comes out of each product, and what follows may only be timers' events after the end.
"""

import contextlib
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from deploy.simulator.capture import CaptureRecord, write
from schemas.rules import DEFAULT_RULES
from schemas.times import to_ms
from schemas.topics import partition_of
from streams.engine.events import FUSE_EVENTS, REPLENISHMENT
from streams.replay import Replay
from tests.kafka.cluster import LIVEFUSE, PROJECT, SIGNALS_PARTITIONS, Cluster, TooLateError, until
from tests.kafka.reading import Record, committed, drained

Events = dict[str, list[bytes]]
"""The values of an output topic for each product, in their order."""

_TICKS: Final = timedelta(seconds=45)
"""How far ticks may stay behind the wall clock."""

_TIMER_EVENTS: Final = frozenset({"fuse.probation", "fuse.closed", "override.cleared"})


class Expected(NamedTuple):
    """What replay says about a capture: fuse events, replenishment requests, and the last event time in it.

    The requests are None where nobody has asked for them: the command does not write them.
    """

    events: Events
    requests: Events | None
    end_ms: int

    @property
    def total(self) -> int:
        """How many fuse events there are."""
        return sum(map(len, self.events.values()))


def replay(records: Iterable[CaptureRecord], directory: Path) -> Expected:
    """Write the records to a capture in the directory and do what `livefuse replay` does with it, without a process."""
    capture = directory / "capture.jsonl"
    with capture.open("wb") as file:
        write(records, file)
    run = Replay(DEFAULT_RULES)
    with capture.open("rb") as file:
        run.add(capture.name, file)
    outputs = list(run.outputs())
    events, requests = (
        by_product(each.value for each in outputs if each.topic == topic) for topic in (FUSE_EVENTS, REPLENISHMENT)
    )
    return Expected(events, requests, _end_ms(capture))


def replay_file(capture: Path) -> Expected:
    """Run `livefuse replay` on a capture."""
    command = [*LIVEFUSE, "replay", str(capture)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return Expected(by_product(done.stdout.splitlines()), None, _end_ms(capture))


def _end_ms(capture: Path) -> int:
    with capture.open("rb") as file:
        return max(time_ms(orjson.loads(orjson.loads(line)["payload"])) for line in file)


def by_product(values: Iterable[bytes]) -> Events:
    """Sort the values of an output topic by product, without changing their order."""
    events: Events = defaultdict(list)
    for value in values:
        events[orjson.loads(value)["product_id"]].append(value)
    return dict(events)


def time_ms(value: dict[str, Any]) -> int:
    """Return the event time of an input record."""
    return to_ms(value["occurred_at"] if "occurred_at" in value else value["issued_at"])


async def compare(
    cluster: Cluster, expected: Expected, *, within: timedelta = timedelta(seconds=150), repeats: bool = False
) -> int:
    """Wait until the cluster has worked off all that was sent to it, and hold its fuse events against replay.

    Returns how many fuse events there are. Raises AssertionError as `check`. With `repeats`, events that came again
    with the same bytes are left out first: a broker without transactions cannot keep them away.
    """
    await drained(cluster, within)

    async def read(topic: str) -> list[Record]:
        records = await committed(cluster.bootstrap, topic)
        return _without_repeats(records) if repeats else records

    async def has_passed_the_end() -> bool:
        found = Counter(record.key.decode() for record in await read(cluster.names.fuse_events))
        return all(found[product_id] >= len(wanted) for product_id, wanted in expected.events.items())

    # Replay ends with a tick at the end of the capture. For the live system that time may be still to come.
    ahead = timedelta(milliseconds=max(0.0, expected.end_ms - time.time() * 1000))
    with contextlib.suppress(TooLateError):
        await until(has_passed_the_end, "all events of replay are there", within=ahead + _TICKS)
    states = await committed(cluster.bootstrap, cluster.names.fuse_state)
    events = await read(cluster.names.fuse_events)
    check(expected, events, cluster.directory)
    _check_states(expected, states, events)
    if expected.requests is not None:
        assert by_product(record.value for record in await read(cluster.names.replenishment)) == expected.requests
    return len(events)


def _without_repeats(records: Iterable[Record]) -> list[Record]:
    first: dict[bytes, Record] = {}
    for record in records:
        first.setdefault(record.value, record)
    return list(first.values())


def check(expected: Expected, records: Sequence[Record], logs: Path) -> None:
    """Compare what a read_committed reader has read of the fuse events with what replay said.

    Raises AssertionError about the first product that is different, with both lists of events and where the `logs` are.
    """
    events = by_product(record.value for record in records)
    for product_id in sorted(expected.events.keys() | events.keys()):
        wanted, found = expected.events.get(product_id, []), events.get(product_id, [])
        wrong = _first_difference(wanted, found, expected.end_ms)
        assert wrong is None, _difference(product_id, wanted, found, wrong, logs)
    for record in records:
        _check_envelope(record)


def _check_states(expected: Expected, states: Sequence[Record], events: Sequence[Record]) -> None:
    """Check that the last state of each product, read before the events, is as new as replay and no newer than they."""
    latest = {record.key.decode(): record.value for record in states}
    told = Counter(record.key.decode() for record in events)
    for product_id, wanted in expected.events.items():
        # A tombstone: no fuse was ever open.
        if (value := latest[product_id]) is not None:
            assert len(wanted) <= orjson.loads(value)["sequence"] <= told[product_id]


def _first_difference(wanted: Sequence[bytes], found: Sequence[bytes], end_ms: int) -> int | None:
    """Return the index of the first event that is not as it must be."""
    for index, value in enumerate(found):
        if index < len(wanted):
            if value != wanted[index]:
                return index
            continue
        event = orjson.loads(value)
        by_timer = event["actor"] == "timer" and event["type"] in _TIMER_EVENTS
        if not by_timer or to_ms(event["occurred_at"]) <= end_ms or event["sequence"] != index + 1:
            return index
    return None if len(found) >= len(wanted) else len(found)


def _check_envelope(record: Record) -> None:
    event = orjson.loads(record.value)
    assert record.key is not None
    assert record.key.decode() == event["product_id"]
    assert record.partition == partition_of(event["product_id"], SIGNALS_PARTITIONS)
    headers = dict(record.headers)
    assert headers["ce_id"].decode() == event["event_id"]
    assert headers["ce_time"].decode() == event["occurred_at"]


def _difference(product_id: str, wanted: Sequence[bytes], found: Sequence[bytes], index: int, logs: Path) -> str:
    """Write down both lists, marking the events that are in one of them only, and the first different ones in full."""
    lines = [f"the events of product {product_id!r} differ from number {index + 1} on; the logs are in {logs}"]
    for name, mark, these, others in (("replay says", "-", wanted, found), ("Kafka says", "+", found, wanted)):
        lines.append(f"{name} ({len(these)} events):")
        unknown = set(these) - set(others)
        lines += [f"{mark if value in unknown else ' '} {_in_short(value)}" for value in these]
        lines += [value.decode() for value in these[index : index + 1]]
    return "\n".join(lines)


def _in_short(value: bytes) -> str:
    event = orjson.loads(value)
    parts = ("sequence", "occurred_at", "type", "rule", "sku_id", "epoch", "actor")
    return " ".join(str(event[part]) for part in parts if event[part] is not None)
