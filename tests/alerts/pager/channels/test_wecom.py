"""Against a robot that behaves as WeCom's do: the key in the address, refusals as codes, at most 4,096 bytes."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.channels.wecom import WeCom
from alerts.pager.wording import Language, Wording
from tests.alerts.pager.examples import OVERSELL, notice
from tests.alerts.pager.service import Received, says, serving

OLD, NEW = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", "11f0c0de-5aaa-4bc4-97a0-0ec2sifa7777"


def address(url: str, key: str = OLD) -> str:
    """Return the address of a robot."""
    return f"{url}/cgi-bin/webhook/send?key={key}"


def robot(got: Received) -> web.Response:
    """Behave as a robot that has the key OLD."""
    more = "hint: [1732064547142832100935838], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/"
    if got.query.get("key") != OLD:
        return says({"errcode": 93000, "errmsg": f"invalid webhook url, {more}"})
    if b"\\u" in got.body:
        return says({"errcode": 40033, "errmsg": f"invalid character, {more}"})
    if len(got.json["markdown"]["content"].encode()) > 4_096:
        return says({"errcode": 40058, "errmsg": f"markdown.content exceed max length 4096. {more}"})
    return says({"errcode": 0, "errmsg": "ok"})


async def test_a_message_is_taken(session: aiohttp.ClientSession) -> None:
    async with serving(robot) as service:
        await WeCom("ops", session, address(service.url)).send([notice()])
    assert service.last.json["msgtype"] == "markdown"
    assert service.last.json["markdown"]["content"].splitlines()[:2] == [
        "**livefuse 【警告】商品 p42（直播间 r1）：已暂停销售，投诉激增**",
        "> 1 小时内收到 51 条不同的投诉，超过上限 50 条。",
    ]


async def test_a_key_that_was_changed_is_refused_with_advice(session: aiohttp.ClientSession) -> None:
    async with serving(robot) as service:
        with pytest.raises(Rejected) as caught:
            await WeCom("ops", session, address(service.url, NEW)).send([notice()])
    assert str(caught.value).startswith("channel ops: WeCom says 93000: invalid webhook url")
    assert "put the robot's present address into this channel's url" in str(caught.value)
    assert NEW not in str(caught.value)


@pytest.mark.parametrize("errcode", [-1, 45009, 45033])
async def test_a_robot_that_is_sent_too_much_is_tried_later(session: aiohttp.ClientSession, errcode: int) -> None:
    answer = {"errcode": errcode, "errmsg": "api freq out of limit, hint: [1732064547142832100935838]"}
    async with serving(lambda _: says(answer)) as service:
        with pytest.raises(Unavailable, match=f"WeCom says {errcode}"):
            await WeCom("ops", session, address(service.url)).send([notice()])


@pytest.mark.parametrize("answer", [{}, {"errmsg": "ok"}, {"errcode": None}])
async def test_an_answer_that_is_not_the_robots_is_no_success(
    session: aiohttp.ClientSession, answer: dict[str, Any]
) -> None:
    async with serving(lambda _: says(answer)) as service:
        with pytest.raises(Unavailable, match="an answer that is not WeCom's"):
            await WeCom("ops", session, address(service.url)).send([notice()])


@pytest.mark.parametrize("language", ["zh", "en", "both"])
@pytest.mark.parametrize("count", [1, 2, 10])
async def test_whatever_is_said_fits_and_a_hint_tells_what_is_missing(
    session: aiohttp.ClientSession, language: Language, count: int
) -> None:
    notices = [
        notice(
            OVERSELL,
            product_id="长" * 120 + f"{number:03d}",
            sku_id="款" * 128,
            room_id="间" * 128,
            paused={"product": False, "skus": [f"{letter}" + "款" * 127 for letter in "abcdef"]},
        )
        for number in range(count)
    ]
    async with serving(robot) as service:
        await WeCom("ops", session, address(service.url), wording=Wording(language)).send(notices)
    last = service.last.json["markdown"]["content"].splitlines()[-1]
    shown = sum(f"{number:03d}" in service.last.body.decode() for number in range(count))
    assert shown >= min(count, 3)
    if shown < count:
        left_out = {"zh": f"另有 {count - shown} 条", "en": f"{count - shown} more not shown", "both": "条通知未能列出"}
        assert left_out[language] in last


async def test_a_mention_from_outside_mentions_nobody(session: aiohttp.ClientSession) -> None:
    hostile = notice(
        type="command.rejected",
        product_id='<@all> <font color="warning">x</font>',
        actor="operator:<@zhang>",
        reason="[a](https://evil.example)\r\n> quote",
        cause={"action": "resume", "rejected": "nothing_open"},
    )
    async with serving(robot) as service:
        await WeCom("ops", session, address(service.url)).send([hostile])
    content = service.last.json["markdown"]["content"]
    assert "<" not in content
    assert "＜@all＞" in content
    assert "> 理由：［a］(https://evil.example) ＞ quote" in content
