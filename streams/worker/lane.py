"""A lane: one signals partition in this worker, with its state, its position and a producer that fences predecessors.

    open      fence, read the state, take up the position
    take      offset below next: seen before      next: applied      beyond: refused, the caller brings the right one
    flush     outputs, and states of a checkpoint, in one transaction; then the frames are acknowledged, in order
    close     nothing more is written or acknowledged; what was not flushed a successor applies again, and a flush that
              is under way ends without a word

Nothing but the position in the state says what has been applied. Kafka's committed offset is a gauge for lag.

A flush is due ``interval`` after the first change, at once when there is a fuse event, and after a second when nothing
but the position has changed. After it the lane rests:

    somebody is to be told         for as long as the flush took; behind, a second
    states                         until encoding them costs all lanes of the worker together a tenth of the time, and
                                   storing them 2 MiB/s
    states, and behind             five seconds, or what sells best would be encoded again and again

but never longer than five seconds, nor when many products have been touched: decoded they take ten times as much
memory. Many bytes of frames that a successor would have to apply again end the rest too. An event does not wait for
states: only that of its product is written with it. States are written in pieces that hold up nobody; behind, when
nobody waits for anything, all at once. Frames are applied while a flush is under way, until there are too many again.

A lane is behind when more frames wait and the last one was written seconds ago, or when the intake that wrote it is
behind and brings what happened a minute ago. In a sale frames always wait, and there an event must not.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple

from schemas.errors import FrameError, LogError, StateError
from schemas.events import cloud_event_headers
from schemas.topics import TopicNames
from streams.engine.events import FUSE_EVENTS, Output
from streams.frames import decode
from streams.worker.checkpoint import Checkpoints
from streams.worker.counts import Transition, WorkerCounts
from streams.worker.inbox import Delivery
from streams.worker.writer import Batch, Record, Writer

_IDLE_S: Final = 1.0
_BEHIND_MS: Final = 2_000
_BEHIND_REST_S: Final = 1.0
_INTAKE_BEHIND_MS: Final = 60_000
_LONGEST_REST_S: Final = 5.0
_REST_OF_STATES: Final = 9.0
_STALLED_S: Final = 5.0
_MOST_CROWDING: Final = 2.0
_PIECE_BYTES: Final = 256 * 1024
"""Of states. Encoded in 1 ms when they are few, in 20 ms when they are of products that sell little."""
_STATE_BYTES_PER_S: Final = 2 * 1024 * 1024
_MANY_BYTES: Final = 16 * 1024 * 1024
"""Of frames behind the last checkpoint, in all lanes of the worker together: applied again in about a second."""
_EARLY_S: Final = 0.001
"""A timer may go off too early by as much as the clock of the loop is coarse."""
_WATCHLIST_BEHIND_S: Final = 5.0
"""With a backlog the log's time flies, and a new watch list would be due at every flush."""


log = logging.getLogger(__name__)


class Flush(NamedTuple):
    """What one transaction writes, and what holds once it is committed.

    ``applied`` is up to which frame every output was written, ``position`` the one from which a successor goes on; None
    when the last one stands.
    """

    outputs: list[Batch]
    state: Batch
    state_bytes: int
    applied: int
    position: int | None
    events: list[dict[str, Any]]
    requests: int


class Lane:
    """One open lane. ``failed`` is called once, when a flush has failed: the lane is closed then.

    ``next`` is the offset of the frame that it takes, ``saved`` the last one that will never be needed again,
    ``told`` the last one of which all outputs are written, ``unsaved`` the frames behind that; after a failed flush its
    successor needs those, and reads the others from the broker. ``hot_products`` is how many products all lanes of the
    worker may keep decoded. ``written_ms`` is when the last frame that it took was written (wall clock, 0 if not
    known), ``caught_up_s`` when it last had nothing more to take, by the clock of the loop.
    """

    def __init__(
        self,
        topics: TopicNames,
        checkpoints: Checkpoints,
        writer: Writer,
        *,
        saved: int,
        interval_s: float,
        hot_products: int,
        failed: Callable[["Lane", Exception], None],
        counts: WorkerCounts,
    ) -> None:
        self.partition = checkpoints.partition
        self.number = self.partition.number
        self.next = saved + 1
        self.saved = self.told = saved
        self.closed = False
        self.written_ms = 0
        self.caught_up_s: float | None = None
        self._counts = counts
        self._topics = topics
        self._alignment = checkpoints.alignment
        self._writer = writer
        self._interval_s = interval_s
        self._hot_products = hot_products
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._outputs: list[Output] = []
        self.unsaved: deque[Delivery] = deque()
        self._checkpoints = checkpoints
        # Bytes of frames that were taken: up to now, up to the checkpoint that is under way, to the last complete one.
        self._taken_bytes = self._begun_bytes = self._saved_bytes = 0
        # The frame that was next when the one under way was begun, and when the last complete one was.
        self._begun_next = self._saved_next = saved + 1
        self._behind = True
        self._listed_s = self._loop.time()
        self._changed_s: float | None = None
        self._writing_s: float | None = None
        self._flushing_since: float | None = None
        self._rest_until = self._behind_rest_until = 0.0
        self._states_rest_until = self._paced_until = self._silent_until = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._flusher = asyncio.create_task(self._flush_when_due(), name=f"lane-{self.number}")

    @property
    def held(self) -> int:
        """Count the signals that wait for another intake."""
        return self._alignment.held

    @property
    def behind_checkpoint_bytes(self) -> int:
        """Count the bytes of the frames that a successor would apply again."""
        return self._taken_bytes - self._saved_bytes

    @property
    def unflushed_s(self) -> float:
        """Return how long ago the oldest change was made since which no flush was committed, 0 when there is none."""
        changed_s = self._changed_s if self._writing_s is None else self._writing_s
        return 0.0 if changed_s is None else self._loop.time() - changed_s

    @property
    def stalled(self) -> bool:
        """Tell whether a flush hangs: until it is over nothing more should be applied, or memory would grow."""
        return self._flushing_since is not None and self._loop.time() - self._flushing_since > _STALLED_S

    @property
    def busy(self) -> bool:
        """Tell whether nothing more should be applied until the flush that is under way is over."""
        return self._flushing_since is not None and (self.stalled or self.partition.crowding > _MOST_CROWDING)

    def take(self, delivery: Delivery, *, behind: bool) -> bool:
        """Apply the frame if it is the next one, pass over it if it was applied; False if one is missing.

        ``behind`` tells whether more frames are there already. Raises FrameError for what is no frame, and LogError
        when the engine fails on what is in it; then the lane must be closed.
        """
        offset = delivery.offset
        if offset > self.next:
            return False
        if offset < self.next:
            self._keep(delivery)
            return True
        began = perf_counter()
        self.partition.hot_products = max(1, self._hot_products // max(1, self._counts.lanes))
        try:
            overflows = self._alignment.overflows
            frame = decode(delivery.value)
            self.partition.begin(offset)
            release = self._alignment.add(offset, frame)
            outputs = self.partition.apply(release.sources, release.signals) if release.signals else []
            outputs += self.partition.tick(release.tick)
        except (FrameError, StateError) as error:
            raise type(error)(f"{self._topics.signals}[{self.number}]@{offset}: {error}") from error
        except Exception as error:
            raise LogError(f"{self._topics.signals}[{self.number}]@{offset} cannot be applied: {error!r}") from error
        if self._alignment.overflows > overflows:
            log.warning(
                "lane.overflow partition=%d: too many signals wait for an intake that does not go on, so they are "
                "applied as they are. Look for an intake that stands still: livefuse doctor",
                self.number,
            )
        self.next = offset + 1
        self._taken_bytes += len(delivery.value or b"")
        self._counts.frames += 1
        self._counts.signals += len(release.signals)
        now_ms = time.time() * 1000
        self._behind = (behind and now_ms - delivery.written_ms > _BEHIND_MS) or (
            not frame.live and bool(frame.signals) and now_ms - frame.signals[-1][3] > _INTAKE_BEHIND_MS
        )
        self.written_ms = delivery.written_ms
        self._keep(delivery)
        if outputs:
            self._outputs += outputs
        if self._changed_s is None and (outputs or release.signals):
            self._changed_s = self._loop.time()
        self._plan_flush(outputs, changed=bool(outputs or release.signals))
        if not behind:
            self.note_caught_up()
        self._counts.apply.observe(perf_counter() - began)
        return True

    def note_caught_up(self) -> None:
        """Remember that there was nothing more to take now."""
        self.caught_up_s = self._loop.time()

    def skip_to(self, offset: int) -> None:
        """Go on with the frame at ``offset``, because those before it are gone."""
        self._alignment.skip_to(offset)
        self.next = offset

    async def flush(self, *, quick: bool = False) -> None:
        """Write all that has changed, acknowledge the frames; on failure the lane is closed and ``failed`` is told.

        ``quick``: of the states no more than a piece. The successor has more to apply again, but nobody waits.
        """
        await self._flush(lambda: _PIECE_BYTES if quick else None)

    async def _flush(self, how_much: Callable[[], int | None]) -> None:
        async with self._lock:
            if self.closed or self._alignment.refilling or not (self._outputs or self.next != self._saved_next):
                return
            most = how_much()
            if most == 0 and not self._outputs:
                self._flush_in(self._states_from - self._loop.time())
                return
            began = self._flushing_since = self._loop.time()
            self._writing_s, self._changed_s = self._changed_s, None
            try:
                flush = self._collect(most)
                collected_s = self._loop.time() - began
                await self._writer.write(flush.outputs, flush.state)
            except Exception as error:  # noqa: BLE001 (what it means is decided by the one who is told)
                if not self.closed:
                    await self.close()
                    self._failed(self, error)
                return
            finally:
                self._flushing_since = None
            self._writing_s = None
            took = self._loop.time() - began
            self._count(flush, took)
            self._rest(took, collected_s, most, flush.state_bytes)
            if flush.position is not None:
                self.saved = flush.position
                self._saved_bytes, self._saved_next = self._begun_bytes, self._begun_next
            self.told = flush.applied
            while self.unsaved and self.unsaved[0].offset <= self.told:
                self.unsaved.popleft().acknowledge()
            if flush.position is None or self.partition.changed:
                self._flush_in(max(self._interval_s, self._states_from - self._loop.time()))

    def _most(self) -> int | None:
        """Return how many bytes of states are due now, None for all."""
        if self.partition.crowding > 1:
            return None
        if self._loop.time() + _EARLY_S < self._states_from:
            return 0
        return None if self._behind else _PIECE_BYTES

    def _rest(self, took_s: float, collected_s: float, most: int | None, state_bytes: int) -> None:
        """See how long to rest after a flush. For states one that only told somebody does not count."""
        ended_s, lanes = self._loop.time(), self._counts.lanes
        longest = ended_s + _LONGEST_REST_S
        # Not at once: the markers of this transaction are being written and would hold up the next one.
        self._rest_until = min(longest, ended_s + took_s)
        self._behind_rest_until = ended_s + _BEHIND_REST_S
        if most != 0:
            self._states_rest_until = min(longest, ended_s + _REST_OF_STATES * collected_s * lanes)
            self._paced_until = min(longest, ended_s + state_bytes / _STATE_BYTES_PER_S * lanes)
            self._silent_until = longest

    def _count(self, flush: Flush, took_s: float) -> None:
        counts = self._counts
        counts.flushes += 1
        counts.flush.observe(took_s)
        counts.events += len(flush.events)
        counts.replenishments += flush.requests
        for event in flush.events:
            before, after = event["from"], event["to"]
            if after is not None and before != after:
                counts.transitions[Transition(event["rule"], before, after, event["shadow"])] += 1
            elif event["type"] == "command.rejected":
                counts.rejected += 1

    async def close(self) -> None:
        """Drop everything that was not flushed."""
        if self.closed:
            return
        self.closed = True
        if self._due is not None:
            self._due.cancel()
        if asyncio.current_task() is not self._flusher:
            self._flusher.cancel()
        await self._writer.stop()

    def _keep(self, delivery: Delivery) -> None:
        if delivery.offset <= self.told:
            delivery.acknowledge()
        else:
            self.unsaved.append(delivery)

    def _plan_flush(self, outputs: Sequence[Output], *, changed: bool) -> None:
        """See when to flush after a frame; ``changed``: something but the position has."""
        if outputs and not self._behind and any(output.topic == FUSE_EVENTS for output in outputs):
            self._flush_in(0.0)
            return
        if self.partition.crowding > 1:
            self._rest_until = 0.0
            self._flush_in(0.0)
            return
        if self._outputs:
            rest_until = self._behind_rest_until if self._behind else self._rest_until
        else:
            rest_until = self._states_from
        self._flush_in(max(self._interval_s if changed else _IDLE_S, rest_until - self._loop.time()))

    @property
    def _states_from(self) -> float:
        """Return when states may be written again, by the clock of the loop."""
        if self.behind_checkpoint_bytes * max(1, self._counts.lanes) > _MANY_BYTES:
            return self._states_rest_until
        return max(self._states_rest_until, self._silent_until if self._behind else self._paced_until)

    def _flush_in(self, seconds: float) -> None:
        due = max(self._loop.time() + seconds, self._rest_until)
        if self._due is not None:
            if self._due.when() <= due:
                return
            self._due.cancel()
        self._due = self._loop.call_at(due, self._wake.set)

    async def _flush_when_due(self) -> None:
        while not self.closed:
            await self._wake.wait()
            self._wake.clear()
            self._due = None
            if self._rest_until > self._loop.time():
                # Another flush came in between.
                self._flush_in(0.0)
            else:
                await self._flush(self._most)

    def _collect(self, most: int | None) -> Flush:
        """Take the outputs and ``most`` bytes of states, in one piece: no await may come between them."""
        names, number = self._topics, self.number
        outputs, self._outputs = self._outputs, []
        plain: list[tuple[str, bytes]] = []
        events: list[Record] = []
        requests: list[Record] = []
        for output in outputs:
            if output.topic == FUSE_EVENTS:
                events.append((output.product_id.encode(), output.value, cloud_event_headers(output.event)))
            else:
                requests.append((output.product_id.encode(), output.value, []))
        # Before the record, in which a successor finds who is on it.
        watchlist = None
        if not self._behind or self._loop.time() >= self._listed_s + _WATCHLIST_BEHIND_S:
            self._listed_s = self._loop.time()
            watchlist = self.partition.watchlist()
        stored = self._checkpoints.take(self.next - 1, most)
        if stored.begun:
            self._begun_bytes, self._begun_next = self._taken_bytes, self.next
        fuses: list[Record] = [
            (product_id.encode(), value, plain) for product_id, value in self.partition.take_fuse_states()
        ]
        batches = [
            Batch(names.fuse_events, number, events),
            Batch(names.replenishment, number, requests),
            Batch(names.fuse_state, number, fuses),
            # One partition for all lanes: it is small, and a console reads it as a whole.
            Batch(names.watchlist, 0, [] if watchlist is None else [(str(number).encode(), watchlist, [])]),
        ]
        written = [batch for batch in batches if batch.records]
        said = [output.event for output in outputs if output.topic == FUSE_EVENTS]
        return Flush(
            written,
            Batch(names.state, number, stored.records),
            stored.size,
            self._alignment.position,
            stored.position,
            said,
            len(requests),
        )
