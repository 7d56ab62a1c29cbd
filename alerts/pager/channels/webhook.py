"""Any service of one's own: each notice as a CloudEvent 1.0 in structured JSON.

The type is `livefuse.notice.<kind>`; `data` holds the fuse event as its topic has it, and the texts in both languages.
The id is the notice's, so that a receiver that sees it twice (a retry after a lost answer) can tell.

With a secret every request is signed as the Standard Webhooks specification has it: `webhook-id`, `webhook-timestamp`
(s) and `webhook-signature` "v1," with the Base64 of the HMAC-SHA256 of "id.timestamp.body". A secret that begins with
`whsec_` is Base64 behind that, any other is taken as it is. Success is any status from 200 to 299.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

import orjson
from aiohttp import ClientSession

from alerts.pager.channel import TIMEOUT_S
from alerts.pager.channels.endpoint import Endpoint
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording
from schemas.events import SPEC_VERSION
from schemas.times import from_ms

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
_PREFIX: Final = "whsec_"


class Webhook:
    """A receiver of CloudEvents. `source` names this livefuse; times in the texts are told in `zone`."""

    largest_batch = 1
    per_minute: int | None = None

    def __init__(
        self,
        name: str,
        session: ClientSession,
        url: str,
        *,
        secret: str | None = None,
        source: str = "livefuse",
        zone: tzinfo = UTC,
        timeout_s: float = TIMEOUT_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._endpoint = Endpoint(name, session, url, secret=secret, timeout_s=timeout_s, wall=wall)
        self._key = None if secret is None else _key(name, secret)
        self._source = source
        self._zone = zone
        self._wall = wall

    def takes(self, notice: Notice) -> bool:
        """Tell whether the receiver gets such a notice: all of them."""
        del notice
        return True

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send the one notice."""
        (notice,) = notices
        body = orjson.dumps(self._cloud_event(notice))
        headers = self._signature(notice.id, body)
        answer = await self._endpoint.post(body, headers=headers, content_type=CONTENT_TYPE)
        self._endpoint.check_status(answer)

    def _cloud_event(self, notice: Notice) -> dict[str, Any]:
        texts = {language: Wording(language, self._zone) for language in ("zh", "en")}
        return {
            "specversion": SPEC_VERSION,
            "id": notice.id,
            "source": self._source,
            "type": f"livefuse.notice.{notice.kind}",
            "subject": notice.event.product_id,
            "time": from_ms(notice.event.occurred_at),
            "datacontenttype": "application/json",
            "data": {
                "kind": notice.kind,
                "severity": notice.severity,
                "drill": notice.drill,
                "event": notice.event.model_dump(mode="json"),
                "opened_at": None if notice.opened_at is None else from_ms(notice.opened_at),
                "waited_s": None if notice.waited is None else notice.waited.total_seconds(),
                "summary": {language: words.summary(notice) for language, words in texts.items()},
                "description": {language: words.description(notice) for language, words in texts.items()},
                "console_url": notice.console_url,
                "runbook_url": notice.runbook_url,
            },
        }

    def _signature(self, message_id: str, body: bytes) -> dict[str, str]:
        if self._key is None:
            return {}
        timestamp = str(int(self._wall()))
        digest = hmac.digest(self._key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def _key(name: str, secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"channel {name}: a secret that begins with {_PREFIX} must be Base64 behind it") from None
