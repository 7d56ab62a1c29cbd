"""Against a webhook that behaves as Slack's do: "ok", or a status with one word."""

import aiohttp
import pytest
from aiohttp import web

from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.channels.slack import Slack
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording
from tests.alerts.pager.examples import OVERSELL, event, notice
from tests.alerts.pager.service import Received, serving

TOKEN = "XXXXXXXXXXXXXXXXXXXXXXXX"
PATH = f"/services/T00000000/B00000000/{TOKEN}"


def hook(got: Received) -> web.Response:
    """Behave as Slack, which counts characters as they stand in the JSON."""
    if got.path != PATH:
        return web.Response(status=404, text="no_service")
    message = got.json
    blocks = message["blocks"]
    header, *others = blocks
    sections = [block["text"]["text"] for block in others if block["type"] == "section"]
    bad = (
        not message["text"]
        or len(blocks) > 50
        or len(header["text"]["text"]) > 150
        or any(not 1 <= len(text) <= 3_000 for text in sections)
    )
    return web.Response(status=400, text="invalid_blocks") if bad else web.Response(text="ok")


async def test_a_message_of_blocks_is_taken(session: aiohttp.ClientSession) -> None:
    linked = Notice.of(event(), console_url="https://console.example/p42")
    async with serving(hook) as service:
        await Slack("sre", session, service.url + PATH).send([notice(OVERSELL), linked])
    message = service.last.json
    assert message["text"] == "livefuse: 2 notices (critical 1 · warning 1)"
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section", "actions"]
    assert message["blocks"][1]["text"]["text"].splitlines()[:2] == [
        "[critical] Product p42 SKU red (room r1): SKU paused, almost sold out",
        "249 left to sell, the limit is 249; selling 83 a second, sold out in about 3 s.",
    ]
    assert message["blocks"][-1]["elements"][0]["url"] == "https://console.example/p42"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "invalid_payload"),
        (403, "action_prohibited"),
        (403, "invalid_token"),
        (404, "no_service"),
        (404, "channel_not_found"),
        (410, "channel_is_archived"),
    ],
)
async def test_a_refusal_is_final_and_tells_slacks_word(session: aiohttp.ClientSession, status: int, text: str) -> None:
    async with serving(lambda _: web.Response(status=status, text=text)) as service:
        with pytest.raises(Rejected, match=rf"channel sre: HTTP {status} {text}\. Check the address"):
            await Slack("sre", session, service.url + PATH).send([notice()])


async def test_an_address_that_was_revoked_is_refused(session: aiohttp.ClientSession) -> None:
    async with serving(hook) as service:
        with pytest.raises(Rejected, match="no_service") as caught:
            await Slack("sre", session, service.url + PATH.replace("XXXX", "YYYY")).send([notice()])
    assert "YYYY" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "<html>log in</html>", '{"ok": false}'])
async def test_another_text_than_ok_is_no_success(session: aiohttp.ClientSession, text: str) -> None:
    async with serving(lambda _: web.Response(text=text)) as service:
        with pytest.raises(Unavailable, match="an answer that is not Slack's"):
            await Slack("sre", session, service.url + PATH).send([notice()])


async def test_the_largest_message_fits(session: aiohttp.ClientSession) -> None:
    largest = notice(
        product_id="&" * 128,
        sku_id="<" * 128,
        room_id=">" * 128,
        paused={"product": False, "skus": [f"{number}" + "&" * 127 for number in range(9)]},
        cause={"measured": 51, "limit": 50, "window_s": 3600, "evidence": ["&" * 128] * 9},
    )
    async with serving(hook) as service:
        channel = Slack("sre", session, service.url + PATH, wording=Wording("both"))
        await channel.send([largest] * channel.largest_batch)
        await channel.send([largest])
    sections = [block["text"]["text"] for block in service.last.json["blocks"] if block["type"] == "section"]
    assert sections[0].endswith("内容过长，已截断，详见控制台。 / Too long, cut here: see the console.")
    assert service.last.json["blocks"][0]["text"]["text"].endswith("…")


async def test_mentions_and_links_from_outside_are_shown_and_not_obeyed(session: aiohttp.ClientSession) -> None:
    hostile = notice(
        type="override.set",
        product_id="<!channel> *x*",
        actor="operator:<@U012AB3CD>",
        reason="<https://evil.example|safe>\n&amp;",
        cause={"action": "allow", "expires_at": "2026-11-11T13:00:00Z"},
    )
    async with serving(hook) as service:
        await Slack("sre", session, service.url + PATH).send([hostile])
    message = service.last.json
    texts = [block["text"] for block in message["blocks"]]
    assert {text["type"] for text in texts} == {"plain_text"}
    assert message["mrkdwn"] is False
    said = message["text"] + "".join(text["text"] for text in texts)
    assert "<" not in said
    assert "&lt;!channel&gt; *x*" in said
    assert "Reason: &lt;https://evil.example|safe&gt; &amp;amp;" in said
