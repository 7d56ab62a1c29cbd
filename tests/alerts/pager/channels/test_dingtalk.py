"""Against a robot that behaves as DingTalk's do: signed, HTTP 200 whatever it thinks, 20 messages a minute."""

from datetime import timedelta, timezone

import aiohttp
import pytest
from aiohttp import web

from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.channels.dingtalk import DingTalk
from alerts.pager.wording import Wording
from tests.alerts.pager.dingtalk import TOKEN, Robot
from tests.alerts.pager.examples import CLOSED, OVERSELL, notice
from tests.alerts.pager.service import says, serving

LIST = """\
- 1 小时内收到 51 条不同的投诉，超过上限 50 条。
- 主播：该商品已暂停销售，请先讲其他商品。
- 处理：尽快查看投诉并核实；确认无碍后再恢复，恢复后有观察期。
- 时间：2026-11-11 20:00:00 UTC+8，规则 complaint-surge，第 1 次触发。
- 证据：c16、c17、c18"""


def robot_for(session: aiohttp.ClientSession, url: str, secret: str | None = "SECold", **more: float) -> DingTalk:
    """Return the channel to a robot."""
    wording = Wording("zh", timezone(timedelta(hours=8)))
    return DingTalk("ops", session, f"{url}/robot/send?access_token={TOKEN}", secret=secret, wording=wording, **more)  # type: ignore[arg-type]


async def test_a_signed_message_is_taken(session: aiohttp.ClientSession) -> None:
    async with serving(Robot()) as service:
        await robot_for(session, service.url).send([notice()])
        markdown = service.last.json["markdown"]
    assert service.last.json["msgtype"] == "markdown"
    assert markdown["title"] == "livefuse 【警告】商品 p42（直播间 r1）：已暂停销售，投诉激增"
    assert markdown["text"].split("\n\n") == [
        "#### livefuse 【警告】商品 p42（直播间 r1）：已暂停销售，投诉激增",
        LIST,
    ]


async def test_signatures_of_many_times_are_all_right(session: aiohttp.ClientSession) -> None:
    """Base64 has "+", "/" and "=", which mean something else in a query."""
    now = 1_794_398_400.0
    async with serving(Robot(now=now)) as service:
        for step in range(40):
            service.behave = Robot(now=now + step)
            channel = DingTalk(
                "ops",
                session,
                f"{service.url}/robot/send?access_token={TOKEN}",
                secret="SECold",
                wall=lambda step=step: now + step,  # type: ignore[misc]
            )
            await channel.send([notice()])
        signs = [got.query["sign"] for got in service.received]
    assert any("+" in sign for sign in signs)
    assert any("/" in sign for sign in signs)


async def test_a_robot_without_a_secret_gets_no_signature(session: aiohttp.ClientSession) -> None:
    async with serving(Robot(secret=None)) as service:
        await robot_for(session, service.url, secret=None).send([notice()])
    assert set(service.last.query) == {"access_token"}


async def test_a_rotated_secret_is_refused_with_advice_until_the_new_one_is_set(session: aiohttp.ClientSession) -> None:
    async with serving(Robot(secret="SECnew")) as service:
        with pytest.raises(Rejected) as caught:
            await robot_for(session, service.url).send([notice()])
        assert str(caught.value).startswith("channel ops: DingTalk says 310000: sign not match")
        assert "put its present signing secret into this channel's secret" in str(caught.value)
        assert "SECold" not in str(caught.value)
        await robot_for(session, service.url, secret="SECnew").send([notice()])


@pytest.mark.parametrize(
    ("errcode", "advice"),
    [(300001, "present address"), (400102, "switch it on"), (400013, "group is gone"), (999999, "Look the code up")],
)
async def test_http_200_with_another_code_is_a_refusal(
    session: aiohttp.ClientSession, errcode: int, advice: str
) -> None:
    async with serving(lambda got: says({"errcode": errcode, "errmsg": f"no {got.query['access_token']}"})) as service:
        with pytest.raises(Rejected, match=f"{errcode}: no .*{advice}") as caught:
            await robot_for(session, service.url).send([notice()])
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        ({"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}, None),
        ({"errcode": 130101, "errmsg": "send too fast", "wait": 5}, 5.0),
        ({"errcode": -1, "errmsg": "system busy"}, None),
    ],
)
async def test_a_robot_that_is_sent_too_much_is_tried_later(
    session: aiohttp.ClientSession, answer: dict[str, object], wait_s: float | None
) -> None:
    async with serving(lambda _: says(answer)) as service:
        with pytest.raises(Unavailable) as caught:
            await robot_for(session, service.url).send([notice()])
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize("text", ["", "<html>log in</html>", "[]", "{}", '{"errcode": "0"}', '{"errcode": true}'])
async def test_an_answer_that_is_not_the_robots_is_no_success(session: aiohttp.ClientSession, text: str) -> None:
    async with serving(lambda _: web.Response(text=text)) as service:
        with pytest.raises(Unavailable, match="an answer that is not DingTalk's"):
            await robot_for(session, service.url).send([notice()])


async def test_many_notices_are_one_message_the_most_severe_first(session: aiohttp.ClientSession) -> None:
    async with serving(Robot()) as service:
        await robot_for(session, service.url).send([notice(CLOSED), notice(OVERSELL), notice(product_id="p43")])
        markdown = service.last.json["markdown"]
    assert markdown["title"] == "livefuse：3 条通知（严重 1 · 警告 2）"
    bold = [line for line in markdown["text"].splitlines() if line.startswith("**")]
    assert bold == [
        "**【严重】商品 p42 规格 red（直播间 r1）：规格已暂停，库存即将售罄**",
        "**【警告】商品 p42（直播间 r1）：熔断已解除，正常销售**",
        "**【警告】商品 p43（直播间 r1）：已暂停销售，投诉激增**",
    ]


async def test_a_message_that_is_too_large_is_cut_with_a_hint(session: aiohttp.ClientSession) -> None:
    many = [notice(product_id=f"{number:0128}", reason="x") for number in range(20)]
    long = [
        notice(
            product_id="长" * 120 + str(number),
            paused={"product": False, "skus": [f"{letter}{number}" + "款" * 120 for letter in "abcdef"]},
            cause={"measured": 51, "limit": 50, "window_s": 3600, "evidence": ["证" * 128] * 9},
        )
        for number in range(20)
    ]
    async with serving(Robot()) as service:
        await robot_for(session, service.url).send(many)
        assert "已截断" not in service.last.json["markdown"]["text"]
        await robot_for(session, service.url).send(long)
        text = service.last.json["markdown"]["text"]
    assert text.endswith("内容过长，已截断，详见控制台。")
    assert all(("长" * 120 + str(number)) in text for number in range(20))


async def test_markup_from_outside_is_shown_and_not_obeyed(session: aiohttp.ClientSession) -> None:
    hostile = notice(
        type="override.set",
        product_id="[win](https://evil.example) **bold** <font color=red>",
        actor="operator:# boss",
        reason="line one\n\n# line two ![x](https://evil.example/x.png) `code`\u202e",
        cause={"command_id": "c", "action": "pause"},
    )
    async with serving(Robot()) as service:
        await robot_for(session, service.url).send([hostile])
        text = service.last.json["markdown"]["text"]
    assert "［win］(https://evil.example) ＊＊bold＊＊ ＜font color=red＞" in text
    assert "- 理由：line one ＃ line two !［x］(https://evil.example/x.png) ｀code｀" in text
    for line in text.splitlines():
        assert not any(mark in line.removeprefix("####").removeprefix("- ") for mark in "[]<>*`#|~\\"), line


async def test_the_console_is_linked(session: aiohttp.ClientSession) -> None:
    base = notice()
    linked = type(base)(base.kind, base.event, console_url="https://console.example/p?id=a b)(c")
    async with serving(Robot()) as service:
        await robot_for(session, service.url).send([linked])
    assert service.last.json["markdown"]["text"].endswith("[打开控制台](https://console.example/p?id=a%20b%29%28c)")
