"""PagerDuty: the Events API v2, by its official client.

What it stands on. A trigger, an acknowledgement and a resolution with one `dedup_key` (at most 255 characters) belong
to one alert; there is one key for each opening of a fuse. 202 is success, 400 a refusal for good, 429 and 5xx ask to
come back. The client of pagerduty 7 waits and retries by itself, after 429 without end, so that part of it is switched
off here: retries are the delivery's. It blocks, so it runs in a thread, which its own timeouts end.

A fuse on probation pauses nothing any more, so it is resolved; when it trips again that is a new opening, a new key.
"""

import asyncio
import hashlib
import ssl
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, Final, Literal

import pagerduty

from alerts.pager.channel import TIMEOUT_S, Rejected, Unavailable
from alerts.pager.channels.endpoint import redacted, retry_after
from alerts.pager.facts import clean, shortened
from alerts.pager.notice import Kind, Notice, Opening
from alerts.pager.wording import Wording
from schemas.times import from_ms

Action = Literal["trigger", "acknowledge", "resolve"]

LONGEST_SUMMARY: Final = 1_024
_ACTIONS: Final[dict[Kind, Action]] = {
    "opened": "trigger",
    "unacknowledged": "trigger",
    "acknowledged": "acknowledge",
    "probation": "resolve",
    "closed": "resolve",
}


def dedup_key(source: str, opening: Opening) -> str:
    """Return the key of one opening of a fuse. A hash, because ids together may be longer than a key."""
    parts = (opening.product_id, opening.rule, opening.sku_id or "", str(opening.epoch))
    return f"{source}/{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:40]}"


class PagerDuty:
    """A service of PagerDuty, named by its `routing_key`. `source` names this livefuse.

    `url` is that of the service region, https only (ValueError); `tls` what to trust instead of the system's store.
    """

    largest_batch = 1
    per_minute: int | None = None

    def __init__(
        self,
        name: str,
        routing_key: str,
        *,
        url: str | None = None,
        source: str = "livefuse",
        wording: Wording | None = None,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if url is not None and not url.startswith("https://"):
            raise ValueError(f"channel {name}: the address of PagerDuty must begin with https://")
        self.name = name
        self._routing_key = routing_key
        self._url = url
        self._source = source
        self._wording = wording or Wording("en")
        self._timeout_s = timeout_s
        self._tls = tls or ssl.create_default_context()
        self._wall = wall

    def takes(self, notice: Notice) -> bool:
        """Tell whether there is an alert to which the notice belongs: overrides and commands have none."""
        return notice.opening is not None and notice.kind in _ACTIONS

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send the one notice."""
        (notice,) = notices
        failure: Exception
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.to_thread(self._submit, notice)
        except TimeoutError:
            failure = Unavailable(f"channel {self.name}: no answer within {self._timeout_s:g} s")
        except pagerduty.Error as error:
            failure = self._failure(error)
        else:
            return
        # Raised here, and not in the handlers, so that it does not carry the request, and with it the key.
        raise failure

    def _submit(self, notice: Notice) -> None:
        if notice.opening is None:
            return
        action, key = _ACTIONS[notice.kind], dedup_key(self._source, notice.opening)
        with pagerduty.EventsApiV2Client(self._routing_key, base_url=self._url, verify=self._tls) as client:
            client.timeout = ceil(self._timeout_s)
            client.max_network_attempts = 0
            # Fewer than no attempts at all: the first answer is the last, whatever its status.
            client.max_http_attempts = -1
            client.retry = {HTTPStatus.TOO_MANY_REQUESTS: 1}
            if action == "trigger":
                client.send_event("trigger", key, **self._trigger(notice))
            else:
                client.send_event(action, key)

    def _trigger(self, notice: Notice) -> dict[str, Any]:
        event, text = notice.event, self._wording.text(notice)
        links = [
            {"href": href, "text": words}
            for href, words in ((notice.console_url, self._wording.link), (notice.runbook_url, "Runbook"))
            if href
        ]
        payload = {
            "summary": shortened(text.summary, LONGEST_SUMMARY),
            "source": self._source,
            "severity": notice.severity,
            "timestamp": from_ms(event.occurred_at),
            "component": clean(event.product_id),
            "class": event.rule,
            "custom_details": {
                "description": "\n".join(text.sentences),
                "product_id": event.product_id,
                "sku_id": event.sku_id,
                "rule": event.rule,
                "opening": event.epoch,
                "event_id": str(event.event_id),
                "cause": event.cause.model_dump(mode="json"),
                "drill": notice.drill,
            },
        }
        if event.room_id is not None:
            payload["group"] = clean(event.room_id)
        console = {"client_url": notice.console_url} if notice.console_url else {}
        return {"payload": payload, "client": "livefuse", "links": links, **console}

    def _failure(self, error: pagerduty.Error) -> Exception:
        response = error.response
        if response is None:
            reason = type(error.__cause__).__name__ if error.__cause__ is not None else "no answer"
            return Unavailable(f"channel {self.name}: no connection ({reason})")
        status = response.status_code
        said = redacted(f"PagerDuty says HTTP {status} {response.text}", (self._routing_key,))
        if status == HTTPStatus.TOO_MANY_REQUESTS or not HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(f"channel {self.name}: {said}", retry_after(response.headers, self._wall()))
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return Unavailable(f"channel {self.name}: an answer that is not PagerDuty's: {said}")
        return Rejected(
            f"channel {self.name}: {said}. Put the integration key of a service's Events API v2 integration into this "
            "channel's secret."
        )
