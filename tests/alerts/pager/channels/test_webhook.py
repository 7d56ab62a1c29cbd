"""Against a receiver that checks CloudEvents and signatures by itself."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from alerts.pager.channel import Rejected
from alerts.pager.channels.webhook import Webhook
from alerts.pager.notice import Notice
from schemas.events import FuseEvent
from tests.alerts.pager.examples import OVERSELL, event, notice
from tests.alerts.pager.service import Received, serving


@dataclass
class Receiver:
    """A receiver that wants signatures under `key`, if it has one."""

    key: bytes | None = None

    def __call__(self, got: Received) -> web.Response:
        if not got.headers["Content-Type"].startswith("application/cloudevents+json"):
            return web.Response(status=415)
        if any(not isinstance(got.json.get(name), str) for name in ("specversion", "id", "source", "type")):
            return web.Response(status=400, text="not a CloudEvent")
        if self.key is not None and not self._is_signed(got, self.key):
            return web.Response(status=401, text="signature does not match")
        return web.Response(status=202)

    def _is_signed(self, got: Received, key: bytes) -> bool:
        message_id, timestamp = got.headers.get("webhook-id", ""), got.headers.get("webhook-timestamp", "0")
        if abs(int(timestamp) - time.time()) > 300:
            return False
        signed = b".".join((message_id.encode(), timestamp.encode(), got.body))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in got.headers.get("webhook-signature", "").split(" ")


async def test_a_notice_is_a_cloud_event_with_the_whole_fuse_event(session: aiohttp.ClientSession) -> None:
    said = notice(OVERSELL)
    async with serving(Receiver()) as service:
        await Webhook("erp", session, service.url + "/in", source="livefuse/live-3").send([said])
    got = service.last.json
    data = got.pop("data")
    assert got == {
        "specversion": "1.0",
        "id": "1fbd2bdd-6fae-59f6-87c9-a5382c6bda15",
        "source": "livefuse/live-3",
        "type": "livefuse.notice.opened",
        "subject": "p42",
        "time": "2026-11-11T12:00:00.123Z",
        "datacontenttype": "application/json",
    }
    assert FuseEvent.model_validate(data["event"]) == said.event
    assert data["event"]["from"] == "closed"
    assert data["summary"]["en"] == "[critical] Product p42 SKU red (room r1): SKU paused, almost sold out"
    assert data["summary"]["zh"].startswith("【严重】商品 p42 规格 red")
    assert "webhook-signature" not in service.last.headers


async def test_what_nobody_acknowledged_is_another_event(session: aiohttp.ClientSession) -> None:
    async with serving(Receiver()) as service:
        await Webhook("erp", session, service.url).send([Notice.unacknowledged(event(), timedelta(minutes=5))])
    assert service.last.json["type"] == "livefuse.notice.unacknowledged"
    assert service.last.json["id"] != str(event().event_id)
    assert service.last.json["data"]["waited_s"] == 300
    assert service.last.json["data"]["opened_at"] == "2026-11-11T12:00:00.123Z"


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("plain words", b"plain words"),
        (f"whsec_{base64.b64encode(b'24 bytes of randomness!!').decode()}", b"24 bytes of randomness!!"),
    ],
)
async def test_a_signed_notice_is_taken(session: aiohttp.ClientSession, secret: str, key: bytes) -> None:
    async with serving(Receiver(key)) as service:
        await Webhook("erp", session, service.url, secret=secret).send([notice(reason="理由")])
        assert service.last.headers["webhook-id"] == service.last.json["id"]


async def test_a_rotated_secret_is_refused_with_advice(session: aiohttp.ClientSession) -> None:
    async with serving(Receiver(b"new")) as service:
        with pytest.raises(
            Rejected, match=r"channel erp: HTTP 401 signature does not match.*the secret of this channel"
        ):
            await Webhook("erp", session, service.url, secret="old").send([notice()])
        await Webhook("erp", session, service.url, secret="new").send([notice()])


async def test_a_secret_that_is_no_base64_is_said_without_telling_it(session: aiohttp.ClientSession) -> None:
    with pytest.raises(ValueError, match="channel erp: a secret that begins with whsec_") as caught:
        Webhook("erp", session, "https://example.com", secret="whsec_not base64")
    assert "not base64" not in str(caught.value)
