"""The queue of a channel. Its clock stands still but for its own sleeps, so minutes pass at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import SupportsIndex

import pytest

from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.delivery import CAPACITY, Dealt, Delivery
from alerts.pager.notice import Notice
from tests.alerts.pager.clock import Clock, until
from tests.alerts.pager.examples import notice


@dataclass
class Robot:
    """A channel that remembers the messages it was given, and when; `answers` are raised in turn, None is success."""

    clock: Clock
    answers: list[Exception | None] = field(default_factory=list)
    name: str = "robot"
    largest_batch: int = 20
    per_minute: int | None = None
    messages: list[tuple[float, list[str]]] = field(default_factory=list)
    wanted: Callable[[Notice], bool] = lambda _: True
    hanging: asyncio.Event | None = None

    def takes(self, notice: Notice) -> bool:
        return self.wanted(notice)

    async def send(self, notices: Sequence[Notice]) -> None:
        self.messages.append((self.clock.now, [each.event.product_id for each in notices]))
        if self.hanging is not None:
            await self.hanging.wait()
        if self.answers and (answer := self.answers.pop(0)) is not None:
            raise answer


class _Breaks(list[Exception | None]):
    """The answers of a receiver that breaks over one product."""

    def __init__(self, robot: Robot, product_id: str) -> None:
        super().__init__([None])
        self._robot = robot
        self._product_id = product_id

    def pop(self, index: SupportsIndex = 0) -> Exception | None:
        del index
        broken = self._robot.messages[-1][1] == [self._product_id]
        return Unavailable("channel robot: HTTP 500") if broken else None


@dataclass
class Rig:
    """A delivery with its channel, its clock and what it has dealt with."""

    clock: Clock
    robot: Robot
    delivery: Delivery
    dealt: list[Dealt]

    def put(self, *product_ids: str, severity: str = "warning") -> None:
        for product_id in product_ids:
            self.delivery.put(notice(product_id=product_id, severity=severity))

    async def idle(self) -> None:
        """Wait until nothing waits any more."""
        await until(lambda: not self.delivery.waiting)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(each.notice.event.product_id, each.outcome) for each in self.dealt]


@asynccontextmanager
async def rig(
    *answers: Exception | None, per_minute: int | None = None, largest_batch: int = 20, deadline_s: float = 600.0
) -> AsyncIterator[Rig]:
    clock = Clock()
    robot = Robot(clock, list(answers), per_minute=per_minute, largest_batch=largest_batch)
    dealt: list[Dealt] = []
    delivery = Delivery(
        robot,
        deadline_s=deadline_s,
        dealt=dealt.append,
        clock=clock,
        wall=lambda: 1_794_398_400.0 + clock.now,
        sleep=clock.sleep,
        chance=lambda: 1.0,
    )
    task = asyncio.create_task(delivery.run())
    try:
        yield Rig(clock, robot, delivery, dealt)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_notice_is_sent_at_once_and_counted_once() -> None:
    async with rig() as it:
        it.put("a")
        await it.idle()
        assert it.robot.messages == [(1_000.0, ["a"])]
        assert it.delivery.counts == {"sent": 1}
        assert it.delivery.last_success == 1_794_399_400.0
        assert not it.delivery.failing
        assert it.clock.slept == []


async def test_what_waits_goes_out_in_one_message_the_most_severe_first() -> None:
    async with rig(largest_batch=3) as it:
        it.put("a", "b", severity="info")
        it.put("c", severity="critical")
        it.put("d", "e")
        await it.idle()
        assert [products for _, products in it.robot.messages] == [["c", "d", "e"], ["a", "b"]]


async def test_a_service_that_is_away_is_tried_again_ever_more_slowly_until_it_is_back() -> None:
    away = [Unavailable("channel robot: no connection") for _ in range(9)]
    async with rig(*away) as it:
        it.put("a")
        await it.idle()
        assert it.clock.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        assert it.outcomes == [("a", "sent")]
        assert it.dealt[0].seconds == sum(it.clock.slept)


async def test_jitter_takes_up_to_half_of_a_pause() -> None:
    clock = Clock()
    robot = Robot(clock, [Unavailable("away"), Unavailable("away")])
    delivery = Delivery(robot, clock=clock, sleep=clock.sleep, chance=lambda: 0.0)
    task = asyncio.create_task(delivery.run())
    delivery.put(notice())
    await until(lambda: not delivery.waiting)
    task.cancel()
    assert clock.slept == [0.5, 1.0]


async def test_the_wait_that_a_service_asks_for_is_kept_and_what_comes_meanwhile_is_merged() -> None:
    async with rig(Unavailable("channel robot: 429", retry_after_s=37)) as it:
        it.put("a")
        await until(lambda: bool(it.robot.messages))
        it.put("b")
        await it.idle()
        assert it.robot.messages == [(1_000.0, ["a"]), (1_037.0, ["a", "b"])]


async def test_a_wait_that_is_too_short_does_not_shorten_the_pause() -> None:
    async with rig(Unavailable("a", 0), Unavailable("b", 0), Unavailable("c", 0)) as it:
        it.put("a")
        await it.idle()
        assert it.clock.slept == [1, 2, 4]


async def test_a_notice_expires_at_its_deadline_and_not_when_the_service_would_have_it() -> None:
    async with rig(Unavailable("channel robot: 429", retry_after_s=3_600), deadline_s=600) as it:
        it.put("a")
        await it.idle()
        assert it.outcomes == [("a", "expired")]
        assert it.dealt[0].seconds == 600
        assert len(it.robot.messages) == 1


async def test_the_deadline_runs_from_when_the_event_was_read() -> None:
    async with rig(deadline_s=600) as it:
        it.delivery.put(notice(), read_at=it.clock.now - 601)
        await it.idle()
        assert it.delivery.counts == {"expired": 1}
        assert it.robot.messages == []


async def test_a_notice_over_which_the_receiver_breaks_does_not_hold_up_the_others() -> None:
    async with rig(largest_batch=1, deadline_s=60) as it:
        it.robot.answers = _Breaks(it.robot, "poison")
        it.put("poison", severity="critical")
        it.put("a", "b", "c")
        it.put("poison")
        await it.idle()
        assert it.outcomes == [
            ("a", "sent"),
            ("b", "sent"),
            ("c", "sent"),
            ("poison", "expired"),
            ("poison", "expired"),
        ]
        assert it.dealt[2].seconds < 10
        # The second one of the product never went before the first.
        assert {tuple(products) for _, products in it.robot.messages[6:]} == {("poison",)}


async def test_a_refused_message_is_never_sent_again() -> None:
    async with rig(Rejected("channel robot: HTTP 403")) as it:
        it.put("a")
        await it.idle()
        it.put("b")
        await it.idle()
        assert it.outcomes == [("a", "rejected"), ("b", "sent")]
        assert it.clock.slept == []


async def test_a_notice_that_is_refused_does_not_take_the_others_of_its_message_with_it() -> None:
    refused = Rejected("channel robot: sensitive words")
    async with rig(refused, None, refused, None) as it:
        it.put("a", "b", "c")
        await it.idle()
        assert [products for _, products in it.robot.messages] == [["a", "b", "c"], ["a"], ["b"], ["c"]]
        assert it.outcomes == [("a", "sent"), ("b", "rejected"), ("c", "sent")]


async def test_a_channel_that_breaks_loses_its_notice_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async with rig(ValueError("https://example.com/?token=hush-hush")) as it:
        it.put("a")
        await it.idle()
        it.put("b")
        await it.idle()
        assert it.outcomes == [("a", "failed"), ("b", "sent")]
    assert "channel.broken channel=robot: ValueError at test_delivery.py:" in caplog.text
    assert "hush-hush" not in caplog.text


async def test_the_third_failure_in_a_row_of_any_kind_makes_a_channel_failing_until_a_success(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    refused = Rejected("channel robot: 310000. Check the secret.")
    async with rig(refused, refused, None, refused, refused, Unavailable("channel robot: away")) as it:
        states = []
        for product_id in "abcdef":
            it.put(product_id)
            await it.idle()
            states.append(it.delivery.failures_in_a_row)
        # The sixth message failed, and went through at the second attempt.
        assert states == [1, 2, 0, 1, 2, 0]
        assert it.delivery.last_error is None
    said = [record.getMessage() for record in caplog.records]
    assert said.count("channel.failing channel=robot") == 1
    assert said.index("channel.failing channel=robot") == 5
    assert said[-1] == "channel.recovered channel=robot failures=3"
    assert "channel.rejected channel robot: 310000. Check the secret." in said


async def test_a_failing_channel_says_so_and_why() -> None:
    async with rig(*[Rejected("channel robot: 310000")] * 3) as it:
        for product_id in "abc":
            assert not it.delivery.failing
            it.put(product_id)
            await it.idle()
        assert it.delivery.failing
        assert it.delivery.last_error == "channel robot: 310000"
        assert it.delivery.last_success is None


async def test_no_more_messages_go_out_in_any_minute_than_the_service_takes() -> None:
    async with rig(per_minute=20, largest_batch=1) as it:
        it.put(*(f"p{index}" for index in range(100)))
        await it.idle()
        times = [time for time, _ in it.robot.messages]
        assert len(times) == 100
        assert times[4] == 1_000.0
        for first in times:
            assert sum(first <= time <= first + 60 for time in times) <= 20
        # Steady: the hundredth goes after little more than a hundred twentieths of a minute.
        assert times[-1] < 1_000 + 60 * 100 / 20 + 120


async def test_a_grave_notice_behind_many_others_waits_for_seconds() -> None:
    async with rig(per_minute=20, largest_batch=1) as it:
        it.put(*(f"p{index}" for index in range(50)), severity="info")
        await until(lambda: len(it.robot.messages) >= 12)
        since = it.clock.now
        it.put("grave", severity="critical")
        await it.idle()
        assert next(time for time, products in it.robot.messages if products == ["grave"]) - since < 5


async def test_a_thousand_notices_are_merged_into_the_messages_that_may_go_out() -> None:
    async with rig(per_minute=20) as it:
        it.put(*(f"p{index}" for index in range(1_000)))
        await it.idle()
        assert len(it.robot.messages) == 50
        assert it.delivery.counts == {"sent": 1_000}
        assert it.clock.now - 1_000 < 200


async def test_what_a_service_has_no_place_for_is_suppressed() -> None:
    async with rig() as it:
        it.robot.wanted = lambda each: each.opening is not None
        it.delivery.put(notice(type="override.set", rule=None, epoch=None))
        it.delivery.suppress(notice())
        assert it.delivery.counts == {"suppressed": 2}
        assert it.delivery.waiting == 0


async def test_a_full_queue_gives_up_the_oldest_of_the_least_severe() -> None:
    async with rig(largest_batch=1) as it:
        it.robot.hanging = asyncio.Event()
        it.put("in flight")
        await until(lambda: bool(it.robot.messages))
        it.put("first", severity="critical")
        it.put(*(f"p{index}" for index in range(CAPACITY - 1)))
        it.put("last", severity="critical")
        assert it.outcomes == [("p0", "expired")]
        assert it.delivery.waiting == CAPACITY + 1


async def test_a_channel_that_hangs_does_not_hold_up_another_and_put_never_waits() -> None:
    async with rig() as slow, rig() as fast:
        slow.robot.hanging = asyncio.Event()
        slow.put("a", "b", "c")
        fast.put("a")
        await fast.idle()
        assert fast.outcomes == [("a", "sent")]
        assert slow.outcomes == []
        assert slow.delivery.waiting == 3


async def test_cancelling_in_the_middle_of_a_message_counts_nothing_and_keeps_what_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with rig(largest_batch=2) as it:
        it.robot.hanging = asyncio.Event()
        it.put("a", "b", "c")
        await until(lambda: bool(it.robot.messages))
    assert it.delivery.waiting == 3
    assert it.delivery.counts == {}
    assert "channel.stopped channel=robot waiting=3" in caplog.text
