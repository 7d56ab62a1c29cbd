"""A test of every way to people, which says that it is one and that nothing has happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import aiohttp

from alerts.pager.alertmanager import Client
from alerts.pager.channel import Channel, Rejected, Unavailable
from alerts.pager.config import PagerConfig
from alerts.pager.drill import DRILL_PREFIX
from alerts.pager.making import RenewedChannel, make_channels
from alerts.pager.notice import Notice
from alerts.pager.payload import Links, Payloads
from schemas.errors import ConfigurationError
from schemas.events import Cause, FuseEvent, Paused, event_id

PATIENCE_S: Final = 15.0
_PRODUCT: Final = f"{DRILL_PREFIX}test"


class Trial(NamedTuple):
    """What became of the test of one channel; `problem` is None when it was accepted."""

    channel: str
    problem: str | None
    seconds: float


async def run(config: PagerConfig) -> list[Trial]:
    """Try all at the same time. ConfigurationError when there are none, or one cannot be made."""
    now_ms = int(time.time() * 1000)
    async with aiohttp.ClientSession() as session:
        channels = make_channels(config, session)
        payloads = Payloads(config.application, Links(), escalate_after_ms=None)
        clients = [Client(url, config.alertmanager, session) for url in config.alertmanager.urls]
        trials = [_try(each.name, partial(_post, each, payloads.test(now_ms))) for each in clients]
        trials += [_try(each.name, partial(_say, each, now_ms)) for each in channels]
        if not trials:
            raise ConfigurationError(
                "the pager has nobody to tell: set LIVEFUSE_PAGER__ALERTMANAGER__URLS, or write [[pager.channel]] into "
                "the settings file."
            )
        return await asyncio.gather(*trials)


async def _post(client: Client, alert: dict[str, Any]) -> None:
    await client.check()
    await client.post([alert])


async def _say(channel: Channel, now_ms: int) -> None:
    await channel.send([Notice.of(_event("fuse.opened", now_ms), drill=True)])
    if isinstance(channel, RenewedChannel) and channel.kind == "pagerduty":
        # Or the incident of a test would stay open.
        await channel.send([Notice.of(_event("fuse.closed", now_ms), drill=True)])


async def _try(name: str, send: Callable[[], Awaitable[None]]) -> Trial:
    began = time.monotonic()
    problem = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            await send()
    except (Rejected, Unavailable) as error:
        problem = str(error)
    except TimeoutError:
        problem = f"no answer within {PATIENCE_S:g} s"
    return Trial(name, problem, time.monotonic() - began)


def _event(kind: Literal["fuse.opened", "fuse.closed"], now_ms: int) -> FuseEvent:
    return FuseEvent(
        event_id=event_id(_PRODUCT, now_ms),
        sequence=now_ms,
        type=kind,
        product_id=_PRODUCT,
        sku_id=None,
        room_id=None,
        rule="complaint-surge",
        rule_version=0,
        from_="closed" if kind == "fuse.opened" else "open",
        to="open" if kind == "fuse.opened" else "closed",
        epoch=max(1, now_ms),
        shadow=False,
        severity="info",
        occurred_at=now_ms,
        actor="rule",
        reason=None,
        paused=Paused(product=False, skus=()),
        cause=Cause(measured=0, limit=0, window_s=3600, evidence=()),
    )
