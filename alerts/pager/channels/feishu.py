"""Feishu (Lark): a custom robot of a group chat.

What it stands on. POST of JSON to https://open.feishu.cn/open-apis/bot/v2/hook/...; a robot with a signing secret wants
`timestamp` (s, at most an hour off) and `sign` in the body: the HMAC-SHA256 of nothing under the key "timestamp LF
secret", in Base64. Success is {"code": 0}; old robots say {"StatusCode": 0} alone. A request has at most 20 KB. The
service itself takes 100 messages a minute and 5 a second (11232; its gateway 99991400 with a header of its own, and
9499 in the words "too many request"; 9499 is a bad request otherwise).

The message is a card of plain texts, in which nothing is markup.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import ClientSession

from alerts.pager.channel import TIMEOUT_S
from alerts.pager.channels.endpoint import Endpoint
from alerts.pager.channels.robot import LARGEST_BATCH, PER_MINUTE, Codes
from alerts.pager.digest import Digest
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording

MOST_BYTES: Final = 20_000
_BAD_REQUEST: Final = 9499
_TOO_MANY: Final = 11232
_COLOURS: Final = {"critical": "red", "warning": "orange", "info": "blue"}

_CODES: Final = Codes(
    "Feishu",
    later=(_TOO_MANY, 11220, 99991400),
    advice={
        19001: "The address is not valid: put the robot's present address into this channel's url.",
        19021: "Put the robot's present signing secret into this channel's secret, and check this machine's clock.",
        19022: "Allow the address of this machine in the robot's security settings.",
        19024: 'Make "livefuse" a keyword in the robot\'s security settings.',
    },
    otherwise="Look the code up in Feishu's guide to custom robots.",
)


class Feishu:
    """A Feishu robot. `url` holds its token, `secret` signs where the robot asks for it."""

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
        """Send the notices as one card."""
        signature = self._signature()
        digest = Digest.of(notices, self._wording).fitted(lambda each: len(_body(each, signature)), MOST_BYTES)
        answer = await self._endpoint.post(_body(digest, signature))
        fields = answer.fields
        code = fields.get("code", fields.get("StatusCode"))
        said = fields.get("msg", fields.get("StatusMessage"))
        # It may refuse with a status of 400 and a code; then the code tells more.
        if answer.status != HTTPStatus.BAD_REQUEST or not isinstance(code, int):
            self._endpoint.check_status(answer)
        if code == _BAD_REQUEST and "too many" in str(said).lower():
            code = _TOO_MANY
        _CODES.check(self._endpoint, answer, code, said, answer.retry_after_s)

    def _signature(self) -> dict[str, str]:
        if self._secret is None:
            return {}
        timestamp = str(int(self._wall()))
        digest = hmac.digest(f"{timestamp}\n{self._secret}".encode(), b"", hashlib.sha256)
        return {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}


def _body(digest: Digest, signature: dict[str, str]) -> bytes:
    several = len(digest.notices) > 1
    elements: list[dict[str, Any]] = []
    for text in digest.texts:
        lines = [text.summary] if several else []
        lines += text.sentences
        if elements:
            elements.append({"tag": "hr"})
        elements.append({"tag": "div", "text": _plain("\n".join(lines or [text.summary]))})
    if digest.hints:
        elements.append({"tag": "note", "elements": [_plain(hint) for hint in digest.hints]})
    if digest.console_url:
        button = {"tag": "button", "type": "default", "text": _plain(digest.wording.link), "url": digest.console_url}
        elements.append({"tag": "action", "actions": [button]})
    card = {
        "config": {"wide_screen_mode": True},
        "header": {"template": _colour(digest.notices), "title": _plain(digest.title)},
        "elements": elements,
    }
    return orjson.dumps({**signature, "msg_type": "interactive", "card": card})


def _plain(text: str) -> dict[str, str]:
    return {"tag": "plain_text", "content": text}


def _colour(notices: Sequence[Notice]) -> str:
    """Colour the card by the most severe fuse that is open; green when there is none but some were closed."""
    for notice in notices:
        if notice.kind in ("opened", "unacknowledged"):
            return _COLOURS[notice.severity]
    return "green" if any(notice.kind in ("closed", "probation") for notice in notices) else "blue"
