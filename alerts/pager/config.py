"""What the pager needs to know. Built and checked by `deploy.settings`, plain values here."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from typing import Any, Literal

from alerts.pager.route import Route
from alerts.pager.wording import Language
from schemas.topics import TopicNames

Kind = Literal["dingtalk", "feishu", "wecom", "slack", "webhook", "pagerduty"]

Secret = Callable[[], str]
"""Returns a secret. Asked each time it is needed, so that a new one in its file needs no restart.

Raises OSError, and ValueError without any of it when it is none.
"""


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig:
    """The Alertmanagers, all of which are told everything. `authorization` returns the header of that name."""

    urls: tuple[str, ...] = ()
    authorization: Secret | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One other channel: how it is made, and what it is told.

    `url` is secret because of the tokens in it. Without a `language` a channel speaks the one of its country.
    """

    name: str
    kind: Kind
    route: Route
    url: Secret | None = field(default=None, repr=False)
    secret: Secret | None = field(default=None, repr=False)
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class PagerConfig:
    """Settings of a pager process. `client` are keyword arguments that every aiokafka client takes."""

    client: Mapping[str, Any] = field(repr=False)
    topics: TopicNames
    partitions: int
    application: str = "livefuse"
    alertmanager: AlertmanagerConfig = AlertmanagerConfig()
    channels: tuple[ChannelConfig, ...] = ()
    escalate_after: timedelta | None = timedelta(minutes=10)
    zone: tzinfo = UTC
    console_url: str | None = None
    runbook_url: str | None = None
    web_port: int | None = None

    def group(self, channel: str) -> str:
        """Return the consumer group under which the position of a channel is kept."""
        return f"{self.application}-pager-{channel}"
