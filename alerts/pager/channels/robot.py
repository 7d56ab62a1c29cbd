"""What the chat robots of DingTalk, Feishu and WeCom have in common: they say in the body whether they took a message.

All three answer HTTP 200 to a message that they refuse, and put a code into the JSON body; 0 is success.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from alerts.pager.channels.endpoint import Answer, Endpoint

PER_MINUTE: Final = 20
"""Messages a minute. DingTalk silences a robot for ten minutes that sends more; nobody reads more either."""

LARGEST_BATCH: Final = 20
"""Notices in one message."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of one service: those that ask to come back later, and what a person does about others."""

    service: str
    later: Collection[int]
    advice: Mapping[int, str]
    otherwise: str

    def check(self, endpoint: Endpoint, answer: Answer, code: object, said: object, wait_s: float | None) -> None:
        """Let code 0 pass; Rejected or Unavailable for every other, and for an answer without a code."""
        if not isinstance(code, int) or isinstance(code, bool):
            raise endpoint.unavailable(f"an answer that is not {self.service}'s: {answer.text!r}")
        if code == 0:
            return
        what = f"{self.service} says {code}: {said}"
        if code in self.later:
            raise endpoint.unavailable(what, wait_s)
        raise endpoint.rejected(what, self.advice.get(code, self.otherwise))
