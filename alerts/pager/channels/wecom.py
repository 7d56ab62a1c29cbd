"""WeCom (WeChat Work): a robot of a group chat.

What it stands on. POST of JSON to https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...; there is no signature, the
key in the address is the secret. It answers 200 with {"errcode": 0} or a code that refuses: 93000 for a key that is not
valid or a robot that was removed, 40058 for a text of more than 4,096 bytes, 45009 for more than 20 messages a minute.
Its Markdown has bold text, quotes and links, but no lists.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import orjson
from aiohttp import ClientSession

from alerts.pager.channel import TIMEOUT_S
from alerts.pager.channels.endpoint import Endpoint
from alerts.pager.channels.markdown import escaped, link
from alerts.pager.channels.robot import PER_MINUTE, Codes
from alerts.pager.digest import Digest
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording

MOST_BYTES: Final = 4_096

_CODES: Final = Codes(
    "WeCom",
    later=(-1, 45009, 45033),
    advice={
        93000: "The key is not valid or the robot was removed from its group: put the robot's present address into "
        "this channel's url.",
        40058: "The message is not what WeCom takes: please report this.",
    },
    otherwise="Look the code up in WeCom's list of global error codes.",
)


class WeCom:
    """A WeCom robot. `url` holds its key."""

    largest_batch = 10
    per_minute: int | None = PER_MINUTE

    def __init__(
        self,
        name: str,
        session: ClientSession,
        url: str,
        *,
        wording: Wording | None = None,
        timeout_s: float = TIMEOUT_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._endpoint = Endpoint(name, session, url, timeout_s=timeout_s, wall=wall)
        self._wording = wording or Wording("zh")

    def takes(self, notice: Notice) -> bool:
        """Tell whether the robot says such a notice: all of them."""
        del notice
        return True

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send the notices as one Markdown message."""
        digest = Digest.of(notices, self._wording).fitted(lambda each: len(_text(each).encode()), MOST_BYTES)
        body = {"msgtype": "markdown", "markdown": {"content": _text(digest)}}
        answer = await self._endpoint.post(orjson.dumps(body))
        self._endpoint.check_status(answer)
        fields = answer.fields
        _CODES.check(self._endpoint, answer, fields.get("errcode"), fields.get("errmsg"), answer.retry_after_s)


def _text(digest: Digest) -> str:
    parts = [f"**{escaped(digest.title)}**"]
    for text in digest.texts:
        if len(digest.notices) > 1:
            parts.append(f"\n**{escaped(text.summary)}**")
        parts += [f"> {escaped(sentence)}" for sentence in text.sentences]
    parts += map(escaped, digest.hints)
    if digest.console_url:
        parts.append(link(digest.wording.link, digest.console_url))
    return "\n".join(parts)
