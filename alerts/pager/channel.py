"""What a channel is: something that takes notices and passes them on to people.

    Exception
    ├── Rejected      the service has read the message and does not want it: sending it again changes nothing
    └── Unavailable   the service did not answer, or asks to wait: the same message may go through later

Guarantees of every channel: `send` returns only when the service has said, in the way that this service says it, that
it took the message; it makes one attempt, retries are the delivery's; and neither an error's text nor its chain holds
a URL, a token or a secret.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from alerts.pager.notice import Notice

TIMEOUT_S: Final = 10.0
"""How long a service may take over one message."""


class Rejected(Exception):  # noqa: N818 (an answer of the service, not a fault of ours)
    """The service refuses the message, and would again.

    Cause: a secret or address that is not valid (any more), a keyword that the robot asks for, a bad message. Effect:
    the notices are not sent through this channel. What to do stands in the message, which names the channel.
    """


class Unavailable(Exception):  # noqa: N818 (an answer of the service, not a fault of ours)
    """The service could not take the message now: too many messages, an error of its own, no answer, no connection.

    Effect: the delivery tries again, not before `retry_after_s` seconds where the service has named a time.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Channel(Protocol):
    """One way to people. A session of aiohttp is handed in; whoever made it closes it."""

    @property
    def name(self) -> str:
        """The channel's name in the settings, unique."""

    @property
    def largest_batch(self) -> int:
        """How many notices one message may hold."""

    @property
    def per_minute(self) -> int | None:
        """How many messages a minute the service takes; None: as many as there are."""

    def takes(self, notice: Notice) -> bool:
        """Tell whether the service has a place for such a notice. What it does not take is never sent to it."""

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send 1 to `largest_batch` notices as one message, oldest first; Rejected or Unavailable."""
