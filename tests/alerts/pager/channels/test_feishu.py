"""Against a robot that behaves as Feishu's do: signed in the body, refusals as codes, at most 20 KB."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.channels.feishu import Feishu
from alerts.pager.notice import Notice
from tests.alerts.pager.examples import CLOSED, OVERSELL, event, notice
from tests.alerts.pager.service import Received, says, serving

TOKEN = "9b1d7c52-0f4e-4c58-a5d2-8a2f4f0e6f11"
PATH = f"/open-apis/bot/v2/hook/{TOKEN}"


@dataclass
class Robot:
    """What the service checks, in its order."""

    secret: str | None = "old"
    old: bool = False

    def __call__(self, got: Received) -> web.Response:
        if got.path != PATH:
            return says({"code": 19001, "msg": "param invalid: incoming webhook access token invalid", "data": {}})
        if len(got.body) > 20_480:
            return says({"code": 9499, "msg": "Bad Request", "data": {}}, status=400)
        message = got.json
        if self.secret is not None and not self._is_signed(message, self.secret):
            wrong = "sign match fail or timestamp is not within one hour from current time"
            return says({"code": 19021, "msg": wrong, "data": {}})
        if message["msg_type"] != "interactive" or not message["card"]["elements"]:
            return says({"code": 19002, "msg": "param invalid: msg_type"})
        if "livefuse" not in got.body.decode():
            return says({"code": 19024, "msg": "Key Words Not Found"})
        legacy = {"Extra": None, "StatusCode": 0, "StatusMessage": "success"}
        return says(legacy if self.old else {**legacy, "code": 0, "msg": "success", "data": {}})

    def _is_signed(self, message: dict[str, Any], secret: str) -> bool:
        timestamp = message.get("timestamp", "0")
        if abs(int(timestamp) - time.time()) > 3600:
            return False
        # The key is the text that other services sign, and nothing is signed.
        expected = hmac.new(f"{timestamp}\n{secret}".encode(), digestmod=hashlib.sha256).digest()
        return bool(base64.b64encode(expected).decode() == message.get("sign"))


def texts(value: Any) -> list[str]:
    """Return all texts of a card, and see that each is plain."""
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    if not isinstance(value, dict):
        return []
    if "content" in value:
        assert value["tag"] == "plain_text"
        return [value["content"]]
    return [text for each in value.values() for text in texts(each)]


@pytest.mark.parametrize("old", [False, True])
async def test_a_signed_card_is_taken_by_robots_new_and_old(session: aiohttp.ClientSession, old: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    async with serving(Robot(old=old)) as service:
        await Feishu("ops", session, service.url + PATH, secret="old").send([notice()])
    card = service.last.json["card"]
    assert card["header"] == {
        "template": "orange",
        "title": {"tag": "plain_text", "content": "livefuse 【警告】商品 p42（直播间 r1）：已暂停销售，投诉激增"},
    }
    (body,) = card["elements"]
    assert body["text"]["content"].splitlines()[0] == "1 小时内收到 51 条不同的投诉，超过上限 50 条。"


async def test_a_robot_without_a_secret_gets_no_signature(session: aiohttp.ClientSession) -> None:
    async with serving(Robot(secret=None)) as service:
        await Feishu("ops", session, service.url + PATH).send([notice()])
    assert set(service.last.json) == {"msg_type", "card"}


async def test_a_rotated_secret_is_refused_with_advice_until_the_new_one_is_set(session: aiohttp.ClientSession) -> None:
    async with serving(Robot(secret="new")) as service:
        with pytest.raises(Rejected) as caught:
            await Feishu("ops", session, service.url + PATH, secret="old").send([notice()])
        assert str(caught.value).startswith("channel ops: Feishu says 19021: sign match fail")
        assert "Put the robot's present signing secret into this channel's secret" in str(caught.value)
        await Feishu("ops", session, service.url + PATH, secret="new").send([notice()])


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ({"code": 19001, "msg": f"token {TOKEN} invalid"}, "present address"),
        ({"code": 19022, "msg": "Ip Not Allowed"}, "Allow the address"),
        ({"code": 19024, "msg": "Key Words Not Found"}, "livefuse"),
        ({"code": 9499, "msg": "Bad Request"}, "Look the code up"),
        ({"StatusCode": 19001, "StatusMessage": "param invalid"}, "present address"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_another_code_is_a_refusal_whatever_the_status(
    session: aiohttp.ClientSession, answer: dict[str, Any], advice: str, status: int
) -> None:
    async with serving(lambda _: says(answer, status=status)) as service:
        with pytest.raises(Rejected, match=advice) as caught:
            await Feishu("ops", session, service.url + PATH).send([notice()])
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "status", "headers", "wait_s"),
    [
        ({"code": 11232, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]"}, 200, {}, None),
        ({"code": 9499, "msg": "too many request"}, 200, {}, None),
        ({"code": 99991400, "msg": "request trigger frequency limit"}, 429, {"x-ogw-ratelimit-reset": "52"}, 52.0),
        ({"code": 99991400, "msg": "request trigger frequency limit"}, 400, {"x-ogw-ratelimit-reset": "52"}, 52.0),
        ({"code": 1, "msg": "internal error"}, 500, {}, None),
    ],
)
async def test_a_robot_that_is_sent_too_much_is_tried_later(
    session: aiohttp.ClientSession,
    answer: dict[str, Any],
    status: int,
    headers: dict[str, str],
    wait_s: float | None,
) -> None:
    async with serving(lambda _: says(answer, status, headers)) as service:
        with pytest.raises(Unavailable) as caught:
            await Feishu("ops", session, service.url + PATH).send([notice()])
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize("text", ["", "<html>log in</html>", '{"code": null}'])
async def test_an_answer_that_is_not_the_robots_is_no_success(session: aiohttp.ClientSession, text: str) -> None:
    async with serving(lambda _: web.Response(text=text)) as service:
        with pytest.raises(Unavailable, match="an answer that is not Feishu's"):
            await Feishu("ops", session, service.url + PATH).send([notice()])


@pytest.mark.parametrize(
    ("notices", "colour"),
    [
        ([notice(CLOSED), notice(), notice(OVERSELL)], "red"),
        ([notice(type="fuse.closed", severity="critical"), notice()], "orange"),
        ([notice(CLOSED)], "green"),
        ([notice(type="override.set", severity=None)], "blue"),
    ],
)
async def test_the_colour_is_that_of_the_gravest_open_fuse(
    session: aiohttp.ClientSession, notices: list[Notice], colour: str
) -> None:
    async with serving(Robot()) as service:
        await Feishu("ops", session, service.url + PATH, secret="old").send(notices)
    assert service.last.json["card"]["header"]["template"] == colour


async def test_many_notices_are_one_card_with_the_console_at_its_end(session: aiohttp.ClientSession) -> None:
    linked = Notice.of(event(OVERSELL), console_url="https://console.example/p42")
    async with serving(Robot()) as service:
        await Feishu("ops", session, service.url + PATH, secret="old").send([notice(), linked])
    card = service.last.json["card"]
    assert [each["tag"] for each in card["elements"]] == ["div", "hr", "div", "action"]
    assert card["elements"][0]["text"]["content"].startswith("【严重】商品 p42 规格 red")
    assert card["elements"][-1]["actions"][0]["url"] == "https://console.example/p42"


async def test_a_card_that_is_too_large_is_cut_with_a_hint(session: aiohttp.ClientSession) -> None:
    long = [
        notice(
            product_id="长" * 120 + str(number),
            paused={"product": False, "skus": [f"{letter}{number}" + "款" * 120 for letter in "abcdef"]},
        )
        for number in range(20)
    ]
    async with serving(Robot()) as service:
        await Feishu("ops", session, service.url + PATH, secret="old").send(long)
    assert texts(service.last.json["card"])[-1] == "内容过长，已截断，详见控制台。"


async def test_markup_from_outside_stands_in_plain_texts_only(session: aiohttp.ClientSession) -> None:
    hostile = notice(
        type="override.set",
        product_id="<at id=all></at>**x**",
        actor="operator:[boss](https://evil.example)",
        reason="one\n<at id=all></at>",
        cause={"action": "pause"},
    )
    async with serving(Robot()) as service:
        await Feishu("ops", session, service.url + PATH, secret="old").send([hostile])
    said = "\n".join(texts(service.last.json["card"]))
    assert "<at id=all></at>**x**" in said
    assert "理由：one <at id=all></at>" in said
    assert "lark_md" not in service.last.body.decode()
