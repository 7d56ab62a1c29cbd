"""DingTalk: a custom robot of a group chat.

What it stands on. POST of JSON to https://oapi.dingtalk.com/robot/send?access_token=...; a robot with a signing secret
wants `timestamp` (ms, at most an hour off) and `sign` in the query: the HMAC-SHA256 of "timestamp LF secret" under the
secret, in Base64. It answers 200 with {"errcode": 0} or a code that refuses. A message has at most 20,000 bytes. More
than 20 messages a minute (130101) silence the robot for ten minutes. A robot that asks for a keyword is content with
"livefuse", which is in every title.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final

import orjson
from aiohttp import ClientSession

from alerts.pager.channel import TIMEOUT_S
from alerts.pager.channels.endpoint import Endpoint
from alerts.pager.channels.markdown import escaped, link
from alerts.pager.channels.robot import LARGEST_BATCH, PER_MINUTE, Codes
from alerts.pager.digest import Digest
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording

MOST_BYTES: Final = 20_000

_CODES: Final = Codes(
    "DingTalk",
    later=(-1, 130101, 410100),
    advice={
        310000: "Check the robot's security settings: put its present signing secret into this channel's secret, make "
        'its keyword "livefuse", and allow the address of this machine.',
        300001: "The token is not valid: put the robot's present address into this channel's url.",
        400013: "The group is gone: make a robot in another one and put its address into this channel's url.",
        400101: "The token is not valid: put the robot's present address into this channel's url.",
        400102: "The robot is switched off: switch it on in the group's settings.",
    },
    otherwise="Look the code up in DingTalk's list of error codes for custom robots.",
)


class DingTalk:
    """A DingTalk robot. `url` holds its token, `secret` signs where the robot asks for it."""

    largest_batch = LARGEST_BATCH
    per_minute: int | None = PER_MINUTE

    def __init__(
        self,
        name: str,
        session: ClientSession,
        url: str,
        *,
        secret: str | None = None,
        wording: Wording | None = None,
        timeout_s: float = TIMEOUT_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._endpoint = Endpoint(name, session, url, secret=secret, timeout_s=timeout_s, wall=wall)
        self._secret = secret
        self._wording = wording or Wording("zh")
        self._wall = wall

    def takes(self, notice: Notice) -> bool:
        """Tell whether the robot says such a notice: all of them."""
        del notice
        return True

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send the notices as one Markdown message."""
        digest = Digest.of(notices, self._wording).fitted(lambda each: len(_body(each)), MOST_BYTES)
        answer = await self._endpoint.post(_body(digest), query=self._signature())
        self._endpoint.check_status(answer)
        fields = answer.fields
        wait_s = fields.get("wait")
        _CODES.check(
            self._endpoint,
            answer,
            fields.get("errcode"),
            fields.get("errmsg"),
            float(wait_s) if isinstance(wait_s, int) else answer.retry_after_s,
        )

    def _signature(self) -> dict[str, str]:
        if self._secret is None:
            return {}
        timestamp = str(int(self._wall() * 1000))
        digest = hmac.digest(self._secret.encode(), f"{timestamp}\n{self._secret}".encode(), hashlib.sha256)
        return {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}


def _body(digest: Digest) -> bytes:
    markdown = {"title": escaped(digest.title), "text": _text(digest)}
    return orjson.dumps({"msgtype": "markdown", "markdown": markdown})


def _text(digest: Digest) -> str:
    parts = [f"#### {escaped(digest.title)}"]
    for text in digest.texts:
        if len(digest.notices) > 1:
            parts.append(f"**{escaped(text.summary)}**")
        if text.sentences:
            parts.append("\n".join(f"- {escaped(sentence)}" for sentence in text.sentences))
    parts += map(escaped, digest.hints)
    if digest.console_url:
        parts.append(link(digest.wording.link, digest.console_url))
    return "\n\n".join(parts)
