"""What the console needs to know. Built and checked by `deploy.settings`, plain values here."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Protocol

from alerts.console.identity import Role
from schemas.topics import TopicNames

Secret = Callable[[], str]
"""Returns a secret. Asked each time it is needed, so that a new one in its file needs no restart; OSError."""


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """A reverse proxy that has already asked who it is, and says so in headers.

    The headers count only in connections from `trusted`; from elsewhere a request that bears them is refused.
    `roles` maps what is in `role_header` (several with commas: the highest counts) to roles; without a match it is
    `default_role`, and nobody without a role gets in.
    """

    trusted: tuple[IPv4Network | IPv6Network, ...]
    user_header: str
    role_header: str | None
    roles: Mapping[str, Role]
    default_role: Role | None
    address_header: str = "X-Forwarded-For"


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """An OpenID provider. `roles` maps the values of the claim `role_claim` to roles, as for a proxy."""

    issuer: str
    client_id: str
    client_secret: Secret | None = field(repr=False)
    name_claim: str
    role_claim: str
    roles: Mapping[str, Role]
    default_role: Role | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """Settings of a console process. `client` are keyword arguments that every aiokafka client takes.

    `url`: where people reach it, without a path; needed behind a proxy that changes `Host`, and for OpenID. `key` signs
    sessions; without one they end with the process.
    """

    client: Mapping[str, Any] = field(repr=False)
    topics: TopicNames
    partitions: int
    application: str = "livefuse"
    host: str = "127.0.0.1"
    port: int = 8080
    url: str | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    accounts_file: Path | None = None
    key: Secret | None = field(default=None, repr=False)
    session: timedelta = timedelta(hours=12)
    proxy: ProxyConfig | None = None
    oidc: OidcConfig | None = None
    web_port: int | None = None


class Pipeline(Protocol):
    """How the processes before the console stand, asked of the broker. Given by `deploy`, which knows their groups."""

    def look(self) -> Awaitable[Mapping[str, Any]]:
        """Return `intakes`, `workers`, `intake_lag`, `worker_lag`, `behind_s` and `inputs` as `models.Health` has them.

        Raises KafkaError, OSError or TimeoutError when the broker does not tell.
        """
