"""The feed: Faust's consumer as the worker sees it. What is known about the inside of Faust 0.15.3 stands here.

- The aiokafka consumer lives in a thread with a loop of its own. Reading a high watermark, an attribute, is safe here.
- After a rebalance Faust goes to the committed offsets. It drops a frame below the offset that it last handed over, and
  that offset moves on even when the hand-over was suspended; records of a paused partition it drops, too. So frames may
  be missing, and seeking back does not bring them for sure: under load that was seen to go on for minutes. Lanes read
  what is missing by themselves instead.
- It commits up to the first offset that is not acknowledged, and no further for ever: what it did not deliver must be
  acknowledged, too.
- One fetch at a time goes to each broker, and a partition that it does not name waits for its answer: 1.5 s when
  nothing arrives. ``FETCH_WAIT_MS`` shortens that; a frame that arrives is answered at once all the same.
"""

import contextlib
from typing import Any, Final

from aiokafka import TopicPartition
from faust.exceptions import ConsumerNotStarted
from faust.types import TP, Message

from schemas.errors import BrokerError

FETCH_WAIT_MS: Final = 100


class Feed:
    """The frames that a Faust app consumes."""

    def __init__(self, app: Any, topic: str) -> None:
        self._app = app
        self._topic = topic
        self._asked: dict[int, tuple[Any, float]] = {}

    def hasten(self) -> None:
        """Shorten what a fetch waits for when nothing arrives. After the consumer has started."""
        consumer = self._app.consumer._thread._consumer  # noqa: SLF001 (Faust has no setting for it)
        consumer._fetcher._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001

    def check(self) -> None:
        """Raise BrokerError when the consumer cannot fetch any more: Faust goes on asking it all the same."""
        try:
            fetcher = self._app.consumer._thread._consumer._fetcher  # noqa: SLF001
        except AttributeError:
            return
        if fetcher is not None and fetcher.error_future.done():
            raise BrokerError("the consumer has stopped fetching because of an error in it, see the log above")

    def silent_s(self, number: int, now_s: float) -> float | None:
        """Return how long the broker has told nothing of a partition; ``now_s`` is the wall clock.

        Before it has told anything that is the time since this was first asked. None where it is not assigned.
        """
        try:
            subscription = self._app.consumer._thread._consumer._subscription.subscription  # noqa: SLF001
            state = subscription.assignment.state_value(TopicPartition(self._topic, number))
        except (AttributeError, KeyError, ConsumerNotStarted):
            return None
        known, since_s = self._asked.get(number, (None, now_s))
        if known is not state:
            # Every rebalance makes new ones.
            self._asked[number] = (state, since_s := now_s)
        return now_s - (since_s if state.timestamp is None else state.timestamp / 1000)

    def acknowledge(self, number: int, offset: int) -> None:
        """Acknowledge a frame that Faust has not delivered."""
        read = Message(self._topic, number, offset, 0.0, 0, None, None, None, None, tp=TP(self._topic, number))
        with contextlib.suppress(AssertionError, AttributeError, ConsumerNotStarted):
            self._app.consumer.ack(read)

    def end(self, number: int) -> int | None:
        """Return the offset behind the last frame of a partition that is known of."""
        try:
            end: int | None = self._app.consumer.highwater(TP(self._topic, number))
        except (AssertionError, AttributeError, ConsumerNotStarted):
            # Not assigned, or not yet, or no longer: rebalances happen in the other thread.
            return None
        return end
