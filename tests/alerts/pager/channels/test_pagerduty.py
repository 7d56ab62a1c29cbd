"""Against a service that behaves as the Events API v2 does, over TLS, by the official client."""

import shutil
import ssl
import subprocess
import traceback
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.channels.pagerduty import PagerDuty, dedup_key
from alerts.pager.notice import Notice, Opening
from tests.alerts.pager.examples import CLOSED, NO_FUSE, OVERSELL, event, notice
from tests.alerts.pager.service import Received, Service, says, serving

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for this machine, and its key."""
    openssl = shutil.which("openssl")
    assert openssl is not None
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command = [openssl, "req", *kind, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="session")
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Return the service's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture(scope="session")
def trust(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """Return the client's side of TLS."""
    return ssl.create_default_context(cafile=certificate[0])


@dataclass
class EventsApi:
    """Keeps an alert for each dedup key, as PagerDuty does."""

    key: str = KEY
    alerts: dict[str, str] = field(default_factory=dict)

    def __call__(self, got: Received) -> web.Response:
        if got.path != "/v2/enqueue":
            return web.Response(status=404)
        message = got.json
        if errors := list(self._errors(message)):
            return says({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400)
        key, action = message["dedup_key"], message["event_action"]
        if action == "trigger":
            self.alerts.setdefault(key, "triggered")
        elif key in self.alerts:
            self.alerts[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        return says({"status": "success", "message": "Event processed", "dedup_key": key}, 202)

    def _errors(self, message: dict[str, Any]) -> list[str]:
        payload = message.get("payload", {})
        checks = {
            f"'routing_key' is not valid: {message.get('routing_key')}": message.get("routing_key") == self.key,
            "'event_action' is invalid": message.get("event_action") in ("trigger", "acknowledge", "resolve"),
            "'dedup_key' is too long": 0 < len(message.get("dedup_key", "")) <= 255,
        }
        if message.get("event_action") == "trigger":
            checks |= {
                "'payload.summary' is missing or blank": 0 < len(payload.get("summary", "")) <= 1_024,
                "'payload.source' is missing or blank": bool(payload.get("source")),
                "'payload.severity' is invalid": payload.get("severity") in ("critical", "error", "warning", "info"),
            }
        return [text for text, good in checks.items() if not good]


def channel_for(service: Service, trust: ssl.SSLContext, key: str = KEY, **more: Any) -> PagerDuty:
    """Return the channel to a service."""
    return PagerDuty("on-call", key, url=service.url, tls=trust, **more)


def assert_no_secret(error: BaseException) -> None:
    """Look for the key in all that a log would show of an error, and in what hangs on it."""
    assert KEY not in "".join(traceback.format_exception(error)) + str(error.args)
    assert error.__cause__ is None
    assert error.__context__ is None


async def test_an_opening_its_acknowledgement_and_its_end_are_one_alert(
    tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    api = EventsApi()
    async with serving(api, tls) as service:
        channel = channel_for(service, trust)
        states = []
        for said in (
            notice(OVERSELL),
            Notice.unacknowledged(event(OVERSELL), timedelta(minutes=5)),
            notice(OVERSELL, type="fuse.acknowledged", actor="operator:zhang"),
            notice(OVERSELL, CLOSED),
        ):
            await channel.send([said])
            states.append(list(api.alerts.values()))
    assert states == [["triggered"], ["triggered"], ["acknowledged"], ["resolved"]]
    first = service.received[0].json
    assert first["payload"]["summary"] == "[critical] Product p42 SKU red (room r1): SKU paused, almost sold out"
    assert first["payload"]["severity"] == "critical"
    assert first["payload"]["timestamp"] == "2026-11-11T12:00:00.123Z"
    assert first["payload"]["class"] == "oversell"
    assert first["payload"]["group"] == "r1"
    assert first["payload"]["custom_details"]["cause"]["measured"] == 249
    assert "check the stock" in first["payload"]["custom_details"]["description"]
    assert set(service.received[3].json) == {"routing_key", "event_action", "dedup_key"}


async def test_a_fuse_on_probation_is_resolved_and_its_next_opening_is_another_alert(
    tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    api = EventsApi()
    async with serving(api, tls) as service:
        channel = channel_for(service, trust)
        await channel.send([notice()])
        await channel.send([notice(type="fuse.probation", to="probation")])
        await channel.send([notice(epoch=2)])
    assert list(api.alerts.values()) == ["resolved", "triggered"]


def test_every_opening_has_a_key_of_its_own_that_is_short_enough() -> None:
    base = Opening("p", "oversell", None, 1)
    others = [
        Opening("p", "oversell", "s", 1),
        Opening("p", "oversell", None, 2),
        Opening("q", "oversell", None, 1),
        Opening("p", "return-spike", None, 1),
        Opening("长" * 128, "r" * 64, "款" * 128, 10**9),
    ]
    keys = [dedup_key("livefuse", each) for each in (base, *others)]
    assert len(set(keys)) == 6
    assert max(map(len, keys)) < 255
    assert dedup_key("livefuse", base) == keys[0]
    assert dedup_key("other", base) != keys[0]


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
async def test_severities_are_pagerdutys(severity: str, tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    async with serving(EventsApi(), tls) as service:
        await channel_for(service, trust).send([notice(severity=severity)])
    assert service.last.json["payload"]["severity"] == severity


async def test_links_lead_to_the_console_and_the_runbook(tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    linked = Notice.of(event(), console_url="https://console.example/p42", runbook_url="https://runbooks.example/Open")
    async with serving(EventsApi(), tls) as service:
        await channel_for(service, trust).send([linked])
    assert service.last.json["client_url"] == "https://console.example/p42"
    assert [link["href"] for link in service.last.json["links"]] == [linked.console_url, linked.runbook_url]


async def test_it_takes_only_what_belongs_to_an_alert() -> None:
    channel = PagerDuty("on-call", KEY)
    assert channel.takes(notice())
    assert channel.takes(notice(CLOSED))
    assert not channel.takes(notice(NO_FUSE, type="override.set"))
    assert not channel.takes(notice(NO_FUSE, type="command.rejected", rule="oversell"))


async def test_a_key_that_was_changed_is_refused_with_advice(tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    async with serving(EventsApi(key="f" * 32), tls) as service:
        with pytest.raises(Rejected) as caught:
            await channel_for(service, trust).send([notice()])
        await channel_for(service, trust, key="f" * 32).send([notice()])
    assert str(caught.value).startswith("channel on-call: PagerDuty says HTTP 400")
    assert "'routing_key' is not valid: ***" in str(caught.value)
    assert "Put the integration key" in str(caught.value)
    assert_no_secret(caught.value)


@pytest.mark.parametrize("status", [401, 403, 404, 301])
async def test_a_refusal_is_final(status: int, tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    away = {"Location": "https://127.0.0.1:1/"}
    async with serving(lambda _: web.Response(status=status, headers=away), tls) as service:
        with pytest.raises(Rejected, match=f"channel on-call: PagerDuty says HTTP {status}") as caught:
            await channel_for(service, trust).send([notice()])
        assert len(service.received) == 1
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (429, {}, None),
        (429, {"Retry-After": "90"}, 90.0),
        (500, {}, None),
        (502, {}, None),
        (503, {}, None),
        (504, {}, None),
    ],
)
async def test_what_may_go_through_later_is_left_to_the_delivery(
    status: int, headers: dict[str, str], wait_s: float | None, tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    async with serving(lambda _: web.Response(status=status, headers=headers), tls) as service:
        with pytest.raises(Unavailable, match=f"HTTP {status}") as caught:
            await channel_for(service, trust).send([notice()])
        assert len(service.received) == 1
    assert caught.value.retry_after_s == wait_s
    assert_no_secret(caught.value)


async def test_an_answer_that_is_not_pagerdutys_is_no_success(tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    async with serving(lambda _: web.Response(text="<html>log in</html>"), tls) as service:
        with pytest.raises(Unavailable, match="an answer that is not PagerDuty's") as caught:
            await channel_for(service, trust).send([notice()])
    assert_no_secret(caught.value)


async def test_a_service_that_hangs_is_given_up(tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    async with serving(EventsApi(), tls) as service:
        service.behave = service.hang
        with pytest.raises(Unavailable, match=r"channel on-call: no answer within 0\.2 s") as caught:
            await channel_for(service, trust, timeout_s=0.2).send([notice()])
    assert_no_secret(caught.value)


async def test_a_service_that_is_not_there_is_tried_again(tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    async with serving(EventsApi(), tls) as service:
        channel = channel_for(service, trust)
    with pytest.raises(Unavailable, match="channel on-call: no connection") as caught:
        await channel.send([notice()])
    assert_no_secret(caught.value)


async def test_a_service_that_cannot_prove_who_it_is_gets_nothing(tls: ssl.SSLContext) -> None:
    async with serving(EventsApi(), tls) as service:
        with pytest.raises(Unavailable, match="no connection"):
            await PagerDuty("on-call", KEY, url=service.url).send([notice()])
        assert service.received == []


def test_an_address_without_tls_is_refused() -> None:
    with pytest.raises(ValueError, match="channel on-call: the address of PagerDuty must begin with https://"):
        PagerDuty("on-call", KEY, url="http://events.example.com")
