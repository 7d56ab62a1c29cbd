"""A robot on this machine that behaves as DingTalk's do: HTTP 200 whatever it thinks, 20 messages a minute."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass, field

from aiohttp import web

from tests.alerts.pager.service import Received, says

TOKEN = "566cc69da782ec566cc69da782ec"


@dataclass
class Robot:
    """What the service checks, in its order. `now` in seconds."""

    secret: str | None = "SECold"
    keyword: str = "livefuse"
    now: float = field(default_factory=time.time)
    times: list[float] = field(default_factory=list)

    def __call__(self, got: Received) -> web.Response:
        if got.path != "/robot/send" or got.query.get("access_token") != TOKEN:
            return says({"errcode": 300005, "errmsg": "token is not exist"})
        if not got.headers["Content-Type"].startswith("application/json"):
            return says({"errcode": 43004, "errmsg": "invalid content type"})
        if self.secret is not None and not self._is_signed(got, self.secret):
            return says({"errcode": 310000, "errmsg": "sign not match, more: [https://ding-doc.dingtalk.com/doc]"})
        if len(got.body) > 20_000:
            return says({"errcode": 460101, "errmsg": "message too long, exceed 20000 bytes"})
        markdown = got.json["markdown"]
        if self.keyword not in markdown["title"] + markdown["text"]:
            return says({"errcode": 310000, "errmsg": "keywords not in content"})
        self.times = [each for each in self.times if each > self.now - 60] + [self.now]
        if len(self.times) > 20:
            punished = {"status": 1111, "wait": 5, "punish": "deny"}
            return says({**punished, "errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"})
        return says({"errcode": 0, "errmsg": "ok"})

    def _is_signed(self, got: Received, secret: str) -> bool:
        timestamp, sign = got.query.get("timestamp", "0"), got.query.get("sign", "")
        if abs(int(timestamp) / 1000 - self.now) > 3600:
            return False
        expected = hmac.new(secret.encode(), (timestamp + "\n" + secret).encode(), hashlib.sha256).digest()
        return base64.b64encode(expected).decode() == sign
