"""What the pager needs to know. Built and checked by `deploy.settings`, plain values here."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from alerts.pager.route import Route
from schemas.topics import TopicNames


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig:
    """The Alertmanagers, all of which are told everything.

    `authorization` returns the header of that name, asked for at every request, so that a new secret needs no restart.
    """

    urls: tuple[str, ...] = ()
    authorization: Callable[[], str | None] | None = field(default=None, repr=False)
    ssl: ssl.SSLContext | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One other channel: how it is made, and what it is told."""

    name: str
    kind: str
    route: Route
    url: Callable[[], str] | None = field(default=None, repr=False)
    secret: Callable[[], str] | None = field(default=None, repr=False)
    language: str = "both"


@dataclass(frozen=True, slots=True)
class PagerConfig:
    """Settings of a pager process. `client` are keyword arguments that every aiokafka client takes."""

    client: Mapping[str, Any] = field(repr=False)
    topics: TopicNames
    partitions: int
    application: str = "livefuse"
    version: str = ""
    alertmanager: AlertmanagerConfig = AlertmanagerConfig()
    channels: tuple[ChannelConfig, ...] = ()
    escalate_after: timedelta | None = timedelta(minutes=10)
    console_url: str | None = None
    runbook_url: str | None = None
    web_port: int | None = None

    def group(self, channel: str) -> str:
        """Return the consumer group under which the position of a channel is kept."""
        return f"{self.application}-pager-{channel}"
