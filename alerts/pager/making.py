"""Channels as the settings describe them, made anew when a secret has changed."""

from collections.abc import Callable, Sequence

from aiohttp import ClientSession

from alerts.pager.channel import Channel, Rejected
from alerts.pager.channels.dingtalk import DingTalk
from alerts.pager.channels.feishu import Feishu
from alerts.pager.channels.pagerduty import PagerDuty
from alerts.pager.channels.slack import Slack
from alerts.pager.channels.webhook import Webhook
from alerts.pager.channels.wecom import WeCom
from alerts.pager.config import ChannelConfig, PagerConfig
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording
from schemas.errors import ConfigurationError

Secrets = tuple[str | None, str | None]
"""The address, and what signs."""

Make = Callable[[str | None, str | None], Channel]


def make_channels(config: PagerConfig, session: ClientSession) -> list[Channel]:
    """Make all channels. ConfigurationError names every one that cannot be made."""
    made: list[Channel] = []
    problems = []
    for each in config.channels:
        try:
            made.append(RenewedChannel(each, _maker(each, config, session)))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return made


class RenewedChannel:
    """A channel whose address and secret are looked at before each message, so that a new one needs no restart.

    ValueError, which names the channel, where the first ones are no good. Later the message is refused until they are.
    """

    def __init__(self, config: ChannelConfig, make: Make) -> None:
        self.name = config.name
        self.kind = config.kind
        self._config = config
        self._make = make
        self._secrets = self._read()
        self._channel = make(*self._secrets)
        self.largest_batch = self._channel.largest_batch
        self.per_minute = self._channel.per_minute

    def takes(self, notice: Notice) -> bool:
        """Tell whether the service has a place for such a notice."""
        return self._channel.takes(notice)

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send notices with the secrets of now."""
        problem = self._renew()
        if problem is not None:
            raise Rejected(problem)
        await self._channel.send(notices)

    def _renew(self) -> str | None:
        """Return what is wrong with the present secrets; None when they are in use."""
        try:
            secrets = self._read()
            if secrets != self._secrets:
                self._channel, self._secrets = self._make(*secrets), secrets
        except ValueError as error:
            return str(error)
        return None

    def _read(self) -> Secrets:
        url, secret = self._config.url, self._config.secret
        try:
            return url() if url is not None else None, secret() if secret is not None else None
        except UnicodeDecodeError:
            raise ValueError(f"channel {self.name}: its secret is not text") from None
        except OSError as error:
            said = error.strerror or type(error).__name__
            raise ValueError(f"channel {self.name}: its secret cannot be read: {said}") from error
        except ValueError as error:
            raise ValueError(f"channel {self.name}: {error}") from None


def _maker(channel: ChannelConfig, config: PagerConfig, session: ClientSession) -> Make:
    name, source = channel.name, config.application

    def wording(otherwise: Wording) -> Wording:
        return Wording(channel.language or otherwise.language, config.zone)

    chinese, english = Wording("zh"), Wording("en")
    makers: dict[str, Make] = {
        "dingtalk": lambda url, secret: DingTalk(name, session, url or "", secret=secret, wording=wording(chinese)),
        "feishu": lambda url, secret: Feishu(name, session, url or "", secret=secret, wording=wording(chinese)),
        "wecom": lambda url, _: WeCom(name, session, url or "", wording=wording(chinese)),
        "slack": lambda url, _: Slack(name, session, url or "", wording=wording(english)),
        "webhook": lambda url, secret: Webhook(
            name, session, url or "", secret=secret, source=source, zone=config.zone
        ),
        "pagerduty": lambda url, secret: PagerDuty(
            name, secret or "", url=url, source=source, wording=wording(english)
        ),
    }
    return makers[channel.kind]
