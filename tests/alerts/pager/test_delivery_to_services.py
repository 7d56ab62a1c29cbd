"""Deliveries to services that behave like the real ones: what the people in the chat room get to see."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from alerts.pager.channel import Channel
from alerts.pager.channels.dingtalk import DingTalk
from alerts.pager.channels.slack import Slack
from alerts.pager.channels.webhook import Webhook
from alerts.pager.delivery import Delivery
from tests.alerts.pager.clock import Clock, until
from tests.alerts.pager.dingtalk import TOKEN, Robot
from tests.alerts.pager.examples import CLOSED, notice
from tests.alerts.pager.service import serving


@asynccontextmanager
async def delivering(channel: Channel, clock: Clock) -> AsyncIterator[Delivery]:
    """Run a delivery for a while."""
    delivery = Delivery(channel, clock=clock, sleep=clock.sleep, chance=lambda: 1.0)
    task = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def done(delivery: Delivery) -> None:
    """Wait until all is dealt with."""
    await until(lambda: not delivery.waiting)


def dingtalk(session: aiohttp.ClientSession, url: str, clock: Callable[[], float], secret: str = "SECold") -> DingTalk:
    """Return the channel to a robot whose clock is the delivery's."""
    return DingTalk("ops", session, f"{url}/robot/send?access_token={TOKEN}", secret=secret, wall=clock)


async def test_a_storm_of_fuses_reaches_a_robot_that_takes_20_messages_a_minute(
    session: aiohttp.ClientSession,
) -> None:
    clock = Clock()
    robot = Robot(now=clock.now)

    def behave(got: object) -> web.Response:
        robot.now = clock.now
        return robot(got)  # type: ignore[arg-type]

    async with serving(behave) as service, delivering(dingtalk(session, service.url, clock), clock) as delivery:
        for number in range(300):
            delivery.put(notice(product_id=f"p{number:03d}"))
        await done(delivery)
        assert delivery.counts == {"sent": 300}
        assert delivery.failures_in_a_row == 0
        told = [each for got in service.received for each in re.findall(r"商品 (p\d+)", got.json["markdown"]["text"])]
    assert sorted(set(told)) == [f"p{number:03d}" for number in range(300)]
    assert len(service.received) == 15
    assert clock.now - 1_000 < 60


async def test_a_rotated_secret_makes_the_channel_failing_until_it_is_set(session: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with serving(Robot(secret="SECnew", now=clock.now)) as service:
        async with delivering(dingtalk(session, service.url, clock), clock) as old:
            for number in range(3):
                old.put(notice(product_id=f"p{number}"))
                await done(old)
            assert old.failing
            assert old.counts == {"rejected": 3}
            assert "put its present signing secret" in str(old.last_error)
        async with delivering(dingtalk(session, service.url, lambda: clock.now, secret="SECnew"), clock) as new:
            new.put(notice())
            await done(new)
            assert not new.failing
            assert new.counts == {"sent": 1}


async def test_a_page_arrives_while_another_channel_hangs(session: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with (
        serving(lambda _: web.Response()) as hanging,
        serving(lambda _: web.Response(text="ok")) as good,
        delivering(Webhook("erp", session, hanging.url), clock) as stuck,
        delivering(Slack("sre", session, good.url), clock) as free,
    ):
        hanging.behave = hanging.hang
        for delivery in (stuck, free):
            delivery.put(notice())
        await done(free)
        await until(lambda: bool(hanging.received))
        assert free.counts == {"sent": 1}
        assert stuck.counts == {}
        assert stuck.waiting == 1


async def test_a_service_that_asks_to_wait_gets_the_opening_and_the_end_in_one_message(
    session: aiohttp.ClientSession,
) -> None:
    clock = Clock()
    answers = [web.Response(status=429, headers={"Retry-After": "30"}), web.Response(text="ok")]
    async with (
        serving(lambda _: answers.pop(0)) as service,
        delivering(Slack("sre", session, service.url), clock) as delivery,
    ):
        delivery.put(notice())
        await until(lambda: bool(service.received))
        delivery.put(notice(CLOSED))
        await done(delivery)
        assert clock.slept == [30]
        assert delivery.counts == {"sent": 2}
        sections = [block for block in service.last.json["blocks"] if block["type"] == "section"]
    assert len(service.received) == 2
    assert [section["text"]["text"].splitlines()[0] for section in sections] == [
        "[warning] Product p42 (room r1): paused, many complaints",
        "[warning] Product p42 (room r1): fuse closed, on sale",
    ]
