"""What holds for every channel that speaks to an address: statuses, waits, silence, and that secrets stay in."""

import traceback
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from alerts.pager.channel import Channel, Rejected, Unavailable
from alerts.pager.channels.dingtalk import DingTalk
from alerts.pager.channels.endpoint import redacted, retry_after
from alerts.pager.channels.feishu import Feishu
from alerts.pager.channels.slack import Slack
from alerts.pager.channels.webhook import Webhook
from alerts.pager.channels.wecom import WeCom
from tests.alerts.pager.examples import notice
from tests.alerts.pager.service import Received, Service, says, serving

TOKEN = "4f1c9a7e2b8d4f1c9a7e2b8d"
SECRET = "SEC-of-this-machine-only"

Make = Callable[..., Channel]
CHANNELS: dict[str, tuple[Make, str, dict[str, Any]]] = {
    "dingtalk": (DingTalk, f"/robot/send?access_token={TOKEN}", {"secret": SECRET}),
    "feishu": (Feishu, f"/open-apis/bot/v2/hook/{TOKEN}", {"secret": SECRET}),
    "wecom": (WeCom, f"/cgi-bin/webhook/send?key={TOKEN}", {}),
    "slack": (Slack, f"/services/T024BE7LD/B024BE7LH/{TOKEN}", {}),
    "webhook": (Webhook, f"/hooks/{TOKEN}", {"secret": SECRET}),
}


@pytest.fixture(params=CHANNELS)
def make(request: pytest.FixtureRequest, session: aiohttp.ClientSession) -> Callable[..., Channel]:
    """Return what makes the channel for a service."""
    kind, path, options = CHANNELS[request.param]

    def made(service: Service | str, **more: Any) -> Channel:
        url = service if isinstance(service, str) else service.url + path
        return kind("night-shift", session, url, **options, **more)

    return made


def assert_no_secret(error: BaseException) -> None:
    """Look for the token and the secret in all that a log would show of an error, and in what hangs on it."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.args)
    assert TOKEN not in shown
    assert SECRET not in shown
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
async def test_an_error_of_the_service_is_tried_again(make: Make, status: int) -> None:
    async with serving(lambda got: web.Response(status=status, text=f"{got.path}?{got.query}")) as service:
        with pytest.raises(Unavailable, match=f"channel night-shift: HTTP {status}") as caught:
            await make(service).send([notice()])
    assert caught.value.retry_after_s is None
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    ("headers", "wait_s"), [({"Retry-After": "30"}, 30.0), ({}, None), ({"Retry-After": "?"}, None)]
)
async def test_too_many_requests_waits_as_long_as_it_is_told(
    make: Make, headers: dict[str, str], wait_s: float | None
) -> None:
    async with serving(lambda _: web.Response(status=429, headers=headers)) as service:
        with pytest.raises(Unavailable) as caught:
            await make(service).send([notice()])
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_refusal_is_final_and_says_what_to_do(make: Make, status: int) -> None:
    async with serving(lambda got: web.Response(status=status, text=f"no {got.path} {got.query}")) as service:
        with pytest.raises(Rejected, match=f"channel night-shift: HTTP {status} no .* Check the address") as caught:
            await make(service).send([notice()])
    assert_no_secret(caught.value)


async def test_a_redirect_is_not_followed(make: Make) -> None:
    async with serving(lambda _: says({})) as elsewhere:
        away = {"Location": f"{elsewhere.url}/{TOKEN}"}
        async with serving(lambda _: web.Response(status=307, headers=away)) as service:
            with pytest.raises(Rejected, match="a redirect") as caught:
                await make(service).send([notice()])
        assert elsewhere.received == []
    assert_no_secret(caught.value)


async def test_a_service_that_hangs_is_given_up(make: Make) -> None:
    async with serving(lambda _: web.Response()) as service:
        service.behave = service.hang
        with pytest.raises(Unavailable, match=r"channel night-shift: no answer within 0\.2 s") as caught:
            await make(service, timeout_s=0.2).send([notice()])
    assert_no_secret(caught.value)


async def test_a_service_that_is_not_there_is_tried_again(make: Make) -> None:
    async with serving(lambda _: web.Response()) as service:
        channel = make(service)
    with pytest.raises(Unavailable, match="channel night-shift: no connection") as caught:
        await channel.send([notice()])
    assert_no_secret(caught.value)


async def test_a_connection_that_breaks_is_tried_again(make: Make) -> None:
    async def cut(got: Received) -> web.Response:
        del got
        raise ConnectionResetError

    async with serving(cut) as service:
        with pytest.raises(Unavailable) as caught:
            await make(service).send([notice()])
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    "url", ["", "oapi.dingtalk.com/robot", "ftp://example.com/4f1c9a7e2b8d", "https://", "https://["]
)
async def test_what_is_no_address_is_said_without_telling_it(make: Make, url: str) -> None:
    with pytest.raises(ValueError, match="channel night-shift: its address must begin with https://") as caught:
        make(url)
    assert "4f1c9a7e2b8d" not in str(caught.value)


async def test_an_endless_answer_is_not_read_to_its_end(make: Make) -> None:
    async with serving(lambda _: web.Response(status=500, body=b"x" * 5_000_000)) as service:
        with pytest.raises(Unavailable) as caught:
            await make(service).send([notice()])
    assert len(str(caught.value)) < 300


def test_a_wait_may_be_a_date() -> None:
    headers = {"Retry-After": "Wed, 11 Nov 2026 12:00:30 GMT"}
    assert retry_after(headers, 1_794_398_400.0) == 30
    assert retry_after(headers, 1_794_398_500.0) == 0
    assert retry_after({"Retry-After": "-5"}, 0) == 0
    assert retry_after({"x-ogw-ratelimit-reset": "52"}, 0) == 52


def test_a_secret_within_a_secret_leaves_nothing_behind() -> None:
    assert redacted("say abc-123-xyz and 123", ("123", "abc-123-xyz")) == "say *** and ***"
