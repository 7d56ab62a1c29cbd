"""One Alertmanager, told of all alerts by its API v2: what changes at once, what holds every minute.

    tell(identities)      these alerts have changed: they go out with the next request
    run()                 sends, until it is cancelled

Each Alertmanager has a sender of its own, and none waits for another. A request that fails in a way that may pass (no
connection, no answer, 5xx, 429) is made again after 0.2 s, then less and less often, at least every 5 s, and when there
is something new to say, with the alerts as they are by then: there is no queue that could grow or grow old. Other
answers of 4xx are logged and counted, and the alert is sent again with its next minute. An Alertmanager takes the valid
alerts of such a request all the same.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson
from prometheus_client import Histogram

from alerts.pager.alert import Alert, Identity
from alerts.pager.alerts import Alerts
from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.config import AlertmanagerConfig
from alerts.pager.meter import Meter
from alerts.pager.payload import AGAIN_MS, Payloads
from alerts.pager.schedule import Schedule

REQUEST_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
LEAST_PAUSE_S: Final = 0.2
MOST_AT_ONCE: Final = 100
_ALERTS: Final = "/api/v2/alerts"
_STATUS: Final = "/api/v2/status"
_TOLD_BY_STATUS: Final = ("cluster", "config", "versionInfo")
"""Objects that the API promises there."""
_WATCHDOG_LOOK_S: Final = 5.0
_ANSWER_SHOWN: Final = 200

log = logging.getLogger(__name__)


def name_of(url: str) -> str:
    """Return an Alertmanager's name for logs and labels, without what may be secret in its address."""
    parts = urlsplit(url)
    return f"alertmanager/{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


class Client:
    """Posts alerts to one Alertmanager, and asks for them. The session is handed in."""

    def __init__(self, url: str, config: AlertmanagerConfig, session: aiohttp.ClientSession) -> None:
        self.name = name_of(url)
        self._url = url.rstrip("/")
        self._config = config
        self._session = session

    async def check(self) -> None:
        """See that it is an Alertmanager: anything else may answer 200 to all. Raises Rejected, Unavailable."""
        said = await self._ask("GET", _STATUS)
        found = _parsed(said)
        if not isinstance(found, dict) or not all(isinstance(found.get(each), dict) for each in _TOLD_BY_STATUS):
            raise Rejected(f"{self.name} is no Alertmanager: to {_STATUS} it answered {_short(said)}")

    async def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Post alerts; return when they were accepted. Raises Rejected, Unavailable."""
        await self._ask("POST", _ALERTS, data=orjson.dumps(alerts), headers={"content-type": "application/json"})

    async def firing(self, *matchers: str) -> list[dict[str, Any]]:
        """Return the alerts that it holds and that have not ended, those that match all of these: `rule="oversell"`.

        Silenced and inhibited ones are among them. Raises Rejected, Unavailable.
        """
        said = await self._ask("GET", _ALERTS, params=[("filter", each) for each in matchers])
        found = _parsed(said)
        if not isinstance(found, list):
            raise Rejected(f"{self.name} answered what is no list of alerts: {_short(said)}")
        return [each for each in found if isinstance(each, dict)]

    async def _ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any) -> str:
        try:
            async with self._session.request(
                method,
                f"{self._url}{path}",
                headers={**(headers or {}), **self._login()},
                ssl=self._config.tls if self._config.tls is not None else True,
                timeout=aiohttp.ClientTimeout(total=REQUEST_S),
                allow_redirects=False,
                **content,
            ) as response:
                said = await response.text(errors="replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The text of such an error may hold the address, and with it what is secret in it.
            raise Unavailable(f"{self.name} cannot be reached: {type(error).__name__}") from None
        status = response.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return said
        message = f"{self.name} answered {status}: {_short(said)}"
        passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in passing:
            raise Unavailable(message)
        raise Rejected(message)

    def _login(self) -> dict[str, str]:
        if self._config.authorization is None:
            return {}
        try:
            return {"authorization": self._config.authorization()}
        except (OSError, ValueError):
            # Of a file that is no text the error would tell a part.
            raise Unavailable(f"{self.name}: the secret of its login cannot be read") from None


class Sender:
    """Tells one Alertmanager of all alerts.

    `watchdog` returns the alert that always fires, or None while it must not. `page_delay` is shared by all senders.
    `clock` returns seconds since 1970; waiting is measured by the clock of the loop.
    """

    def __init__(
        self,
        client: Client,
        alerts: Alerts,
        payloads: Payloads,
        meter: Meter,
        *,
        watchdog: Callable[[int], dict[str, Any] | None],
        page_delay: Histogram,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._alerts = alerts
        self._payloads = payloads
        self._meter = meter
        self._watchdog = watchdog
        self._page_delay = page_delay
        self._clock = clock
        self._changed: dict[Identity, float] = {}
        self._schedule: Schedule[Identity] = Schedule()
        self._watchdog_due = 0.0
        self._wake = asyncio.Event()

    def tell(self, identities: Iterable[Identity]) -> None:
        """Have alerts sent at once, because something new is to be said of them."""
        now = time.monotonic()
        for identity in identities:
            self._changed.setdefault(identity, now)
        self._meter.queued(len(self._changed))
        if self._changed:
            self._wake.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        pause_s = 0.0
        while True:
            await self._due()
            self._wake.clear()
            if await self._send():
                pause_s = 0.0
            else:
                pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * pause_s))
                await self._pause(pause_s)

    async def _pause(self, pause_s: float) -> None:
        """Wait before the next attempt. What is new cuts it short: it may find the Alertmanager back, and is a page."""
        await asyncio.sleep(min(LEAST_PAUSE_S, pause_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s - LEAST_PAUSE_S):
                await self._wake.wait()

    async def _due(self) -> None:
        """Wait until there is something to say."""
        while not self._changed:
            self._wake.clear()
            now = time.monotonic()
            due = self._schedule.next()
            due = self._watchdog_due if due is None else min(due, self._watchdog_due)
            if due <= now:
                return
            try:
                async with asyncio.timeout(due - now):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _send(self) -> bool:
        """Send the next alerts; False when that failed and is to be tried again after a pause."""
        now, now_ms = time.monotonic(), int(self._clock() * 1000)
        changed = dict(islice(self._changed.items(), MOST_AT_ONCE))
        for identity in changed:
            del self._changed[identity]
        again = self._schedule.take(now, MOST_AT_ONCE - len(changed))
        identities = dict.fromkeys((*changed, *again))
        told = [(identity, alert) for identity in identities if (alert := self._alerts.get(identity)) is not None]
        posts = [post for _, alert in told for post in self._payloads.of(alert, now_ms)]
        watchdog = self._watchdog_post(now, now_ms)
        if watchdog is not None:
            posts.append(watchdog)
        outcome = await self._post(posts, len(changed)) if posts else True
        if outcome is None:
            self._changed = changed | self._changed
            for identity in again:
                self._schedule.put(identity, now)
            return False
        if watchdog is not None:
            self._watchdog_due = now + AGAIN_MS / 1000
        done = time.monotonic()
        for identity, alert in told:
            next_ms = self._payloads.next_ms(alert, now_ms)
            if next_ms is None:
                self._schedule.drop(identity)
            else:
                self._schedule.put(identity, now + (next_ms - now_ms) / 1000)
            if outcome and identity in changed:
                self._meter.took(done - changed[identity])
                self._observe_page(alert)
        self._meter.queued(len(self._changed))
        return True

    async def _post(self, posts: list[dict[str, Any]], new: int) -> bool | None:
        """Return True when they were accepted, False when refused, None when it is to be tried again."""
        try:
            await self._client.post(posts)
        except Rejected as error:
            log.error("alertmanager.rejected %s", error)  # noqa: TRY400 (a traceback would hide it)
            self._meter.rejected(max(1, new), str(error))
            return False
        except Unavailable as error:
            was_failing = self._meter.is_failing
            self._meter.failed(str(error))
            if self._meter.is_failing and not was_failing:
                log.warning("alertmanager.unavailable %s. Trying again and again.", error)
            return None
        if self._meter.is_failing:
            log.info("alertmanager.back %s", self._client.name)
        self._meter.sent(new)
        return True

    def _watchdog_post(self, now: float, now_ms: int) -> dict[str, Any] | None:
        if self._watchdog_due > now:
            return None
        said = self._watchdog(now_ms)
        if said is None:
            self._watchdog_due = now + _WATCHDOG_LOOK_S
        return said

    def _observe_page(self, alert: Alert) -> None:
        if alert.live and not alert.paged:
            self._page_delay.observe(max(0.0, self._clock() - alert.opened_ms / 1000))
        alert.paged = True


def _parsed(answer: str) -> Any:
    """Return the JSON in an answer; None when it is none."""
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None


def _short(answer: str) -> str:
    """Return the beginning of an answer on one line, with nothing that could steer a terminal."""
    return json.dumps(answer[:_ANSWER_SHOWN].strip(), ensure_ascii=False)
