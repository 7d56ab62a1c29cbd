"""The HTTP address of a service: one POST, its answer, and errors that keep the secrets in.

The token of a chat robot is a part of its URL. So no error of aiohttp, which may name the URL, is passed on or chained,
a redirect is not followed, and what a service says is told only without anything that was secret in the request.
"""

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from alerts.pager.channel import TIMEOUT_S, Rejected, Unavailable
from alerts.pager.facts import clean, shortened

_LONGEST_ANSWER: Final = 65_536
_LONGEST_QUOTE: Final = 200
_REDACTED: Final = "***"
_SHORTEST_TOKEN: Final = 8
_LONG_TOKEN: Final = 16
_WAIT: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered. `retry_after_s`: the wait that its headers ask for."""

    status: int
    text: str
    retry_after_s: float | None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The JSON object of the body; empty when it is none."""
        try:
            value = orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}


class Endpoint:
    """Where the messages of a channel go. `name` is the channel's, for the errors; `secret` what signs its messages.

    ValueError, without the URL, when it is none.
    """

    def __init__(
        self,
        name: str,
        session: ClientSession,
        url: str,
        *,
        secret: str | None = None,
        timeout_s: float = TIMEOUT_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._session = session
        self._url = _checked(name, url)
        self._secrets = _secrets_of(url, secret)
        self._timeout_s = timeout_s
        self._wall = wall

    async def post(
        self,
        body: bytes,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json; charset=utf-8",
    ) -> Answer:
        """Send one request and return the answer, whatever its status. Unavailable when there is none."""
        url = self._url
        if query:
            url += ("&" if urlsplit(url).query else "?") + urlencode(query)
        failure: Exception
        try:
            async with self._session.post(
                URL(url, encoded=True),
                data=body,
                headers={"Content-Type": content_type, **(headers or {})},
                timeout=ClientTimeout(total=self._timeout_s),
                allow_redirects=False,
            ) as response:
                text = (await _read(response.content.iter_any())).decode(errors="replace")
                answer = Answer(response.status, text, retry_after(response.headers, self._wall()))
        except TimeoutError:
            failure = self.unavailable(f"no answer within {self._timeout_s:g} s")
        except (ClientError, OSError) as error:
            failure = self.unavailable(f"no connection ({type(error).__name__})")
        else:
            return answer
        # Raised here, and not in the handlers, so that it carries no other error with it.
        raise failure

    def rejected(self, what: str, advice: str) -> Rejected:
        """Make the error for a message that is refused for good; `advice`: what a person should do."""
        return Rejected(f"channel {self.name}: {self._told(what)}. {advice}")

    def unavailable(self, what: str, retry_after_s: float | None = None) -> Unavailable:
        """Make the error for a message that may go through later."""
        return Unavailable(f"channel {self.name}: {self._told(what)}", retry_after_s)

    def check_status(self, answer: Answer) -> None:
        """Let a status of 200 to 299 pass; Rejected or Unavailable for every other."""
        status = answer.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = f"HTTP {status} {answer.text}".rstrip()
        if status in _WAIT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self.unavailable(said, answer.retry_after_s)
        if status < HTTPStatus.BAD_REQUEST:
            raise self.rejected(f"HTTP {status}, a redirect", "Give the address to which it leads.")
        raise self.rejected(said, "Check the address and the secret of this channel.")

    def _told(self, text: str) -> str:
        return redacted(text, self._secrets)


def redacted(text: str, secrets: Collection[str]) -> str:
    """Return a service's words as one short line without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _REDACTED)
    return shortened(clean(text), _LONGEST_QUOTE)


def retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the seconds to wait that the headers ask for: `Retry-After`, or Feishu's own."""
    value = headers.get("Retry-After") or headers.get("x-ogw-ratelimit-reset")
    if value is None:
        return None
    try:
        return max(0.0, float(int(value)))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except ValueError:
        return None


def _checked(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and bool(URL(url).host)
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"channel {name}: its address must begin with https:// (or http://) and name a host") from None
    return url


def _secrets_of(url: str, secret: str | None) -> Collection[str]:
    """Return what must not be told: the secret, the URL and the parts of it that may be tokens."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    segments = [
        segment
        for segment in parts.path.split("/")
        if len(segment) >= _SHORTEST_TOKEN and (any(map(str.isdigit, segment)) or len(segment) >= _LONG_TOKEN)
    ]
    found = {url, secret, parts.password, *values, *segments}
    found |= {unquote(each) for each in segments} | {quote(each, safe="") for each in values}
    return {each for each in found if each}


async def _read(chunks: AsyncIterator[bytes]) -> bytes:
    """Read a body, but no more of it than an answer may have."""
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            break
    return body[:_LONGEST_ANSWER]
