"""The feed: Faust's consumer as the lanes see it. What is known about the inside of Faust 0.15.3 stands here.

- The aiokafka consumer lives in a thread with a loop of its own; only ``seek_wait``, ``earliest_offsets`` and the like cross
  over safely. Reading a high watermark, an attribute, is safe from anywhere.
- ``perform_seek`` at the end of each rebalance goes to the committed offsets and resumes all partitions. A frame below the
  offset that Faust last handed over is dropped silently, also one that was asked for by a seek while a fetched batch was
  handed over: hence a lane asks again.
- Offsets are committed as far as they were acknowledged without a hole. After a seek forward the hole would never close:
  so the committed offset that Faust remembers is moved along.
- One fetch at a time goes to each broker, and a partition that it does not name waits for its answer, 1.5 s by default when
  nothing arrives. ``FETCH_WAIT_MS`` shortens that; a frame that arrives is answered at once all the same.
"""

from typing import Any, Final

from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

from schemas.errors import BrokerUnavailable

FETCH_WAIT_MS: Final = 100


class FaustFeed:
    """The frames that a Faust app consumes. ``app`` is a started :class:`faust.App`."""

    def __init__(self, app: Any, topic: str) -> None:  # noqa: ANN401 (Faust's interfaces lack what is used here)
        self._app = app
        self._topic = topic

    def fetch_fast(self) -> None:
        """Shorten what a fetch waits for when nothing arrives. After the consumer has started."""
        self._app.consumer._thread._consumer._fetcher._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 (no setting of Faust)

    def end(self, number: int) -> int | None:
        """Return the offset behind the last frame that is known of."""
        try:
            end: int | None = self._app.consumer.highwater(TP(self._topic, number))
        except (IllegalStateError, AttributeError):
            return None
        return end

    def pause(self, number: int) -> None:
        """Deliver nothing of the partition until :meth:`resume`."""
        self._app.consumer.pause_partitions({TP(self._topic, number)})

    def resume(self, number: int) -> None:
        """Deliver again."""
        self._app.consumer.resume_partitions({TP(self._topic, number)})

    async def log_start(self, number: int) -> int:
        """Return the offset of the oldest frame that there is. Raises BrokerUnavailable."""
        partition = TP(self._topic, number)
        try:
            offsets: dict[TP, int] = await self._app.consumer.earliest_offsets(partition)
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(f"{self._topic}[{number}]: {error!r}") from error
        return offsets[partition]

    async def seek(self, number: int, offset: int) -> None:
        """Go on with the frame at ``offset``. While partitions are being given out anew nothing happens: a lane asks again."""
        partition = TP(self._topic, number)
        consumer = self._app.consumer
        try:
            await consumer.seek_wait({partition: offset})
        except (IllegalStateError, KafkaError, TimeoutError):
            return
        committed = consumer._committed_offset.get(partition)  # noqa: SLF001 (see above)
        if committed is not None and committed < offset:
            consumer._committed_offset[partition] = offset  # noqa: SLF001
