"""Slack: an incoming webhook.

What it stands on. POST of JSON to https://hooks.slack.com/services/T.../B.../...; success is 200 with the text "ok". It
refuses with 400 (invalid_payload), 403 (action_prohibited, invalid_token), 404 (no_service, channel_not_found) or 410
(channel_is_archived), and asks to wait with 429 and `Retry-After`; one message a second is what it likes. A header has
at most 150 characters, a section 3,000, a message 50 blocks. `&`, `<` and `>` are written as entities.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from aiohttp import ClientSession

from alerts.pager.channel import TIMEOUT_S
from alerts.pager.channels.endpoint import Endpoint
from alerts.pager.digest import Digest
from alerts.pager.facts import shortened
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording

LONGEST_HEADER: Final = 150
LONGEST_SECTION: Final = 3_000
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """A channel of Slack. `url` holds the token."""

    largest_batch = 15
    per_minute: int | None = 60

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
        self._wording = wording or Wording("en")

    def takes(self, notice: Notice) -> bool:
        """Tell whether the channel says such a notice: all of them."""
        del notice
        return True

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send the notices as one message of blocks."""
        answer = await self._endpoint.post(orjson.dumps(_message(Digest.of(notices, self._wording))))
        self._endpoint.check_status(answer)
        if answer.text.strip() != "ok":
            raise self._endpoint.unavailable(f"an answer that is not Slack's: {answer.text!r}")


def _message(digest: Digest) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(digest.title, LONGEST_HEADER)}]
    for notice in digest.notices:
        one = Digest.of([notice], digest.wording).fitted(
            lambda each: len(_lines(each).translate(_ENTITIES)), LONGEST_SECTION
        )
        blocks.append({"type": "section", "text": _plain(_lines(one), LONGEST_SECTION)})
    if digest.console_url:
        button = {"type": "button", "text": _plain(digest.wording.link, 75), "url": digest.console_url}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": digest.title.translate(_ENTITIES), "mrkdwn": False, "blocks": blocks}


def _lines(digest: Digest) -> str:
    return "\n".join((digest.texts[0].summary, *digest.texts[0].sentences, *digest.hints))


def _plain(text: str, longest: int) -> dict[str, Any]:
    """Make a text in which nothing is markup; entities count for the limit, and none is cut in two."""
    while len(text.translate(_ENTITIES)) > longest:
        text = shortened(text, len(text) - 1)
    return {"type": "plain_text", "text": text.translate(_ENTITIES), "emoji": False}
