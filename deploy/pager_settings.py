"""The settings of the pager: Alertmanagers, channels and their routes. Secrets are never shown.

    [pager]
    escalate_after = "10m"

    [pager.alertmanager]
    urls = ["http://am-1:9093", "http://am-2:9093"]

    [[pager.channel]]
    name = "night"
    kind = "pagerduty"
    secret_file = "/run/secrets/pagerduty"
    min_severity = "critical"

Channels are tables of the file only: an environment variable has no place for a list of them.
"""

import base64
import re
import ssl
from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from alerts.pager.config import AlertmanagerConfig, ChannelConfig, Kind
from alerts.pager.route import QuietHours, Route
from alerts.pager.wording import Language
from deploy.kafka_settings import ReadableFile
from schemas.durations import Between, Duration
from schemas.errors import ConfigurationError
from schemas.rules import Severity

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
_LAST_PORT: Final = 65_535
_DAY: Final = timedelta(days=1)
_QUIET: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9]) +([A-Za-z0-9_+/-]+)")
_SIGNED: Final = frozenset({"dingtalk", "feishu", "webhook", "pagerduty"})
"""The kinds that have something to put into `secret`."""


def _parts(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def web_address(value: str) -> str:
    """Return the address of a web page without a `/` at its end; ValueError when it is none, or holds a login."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("must be an address such as https://host:port/path")
    if "@" in parts.netloc:
        raise ValueError("must not hold a login: there are settings for that")
    return value.rstrip("/")


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise ValueError("must be the name of a time zone, such as Asia/Shanghai, that this machine knows") from None


def _quiet_hours(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _QUIET.fullmatch(value.strip())
    if found is None:
        raise ValueError('must be times and a place, such as "22:00-08:00 Asia/Shanghai"')
    hours = [time(int(found[place]), int(found[place + 1])) for place in (1, 3)]
    if hours[0] == hours[1]:
        raise ValueError("begin and end at the same time")
    return QuietHours(hours[0], hours[1], _zone(found[5]))


def _content(path: Path) -> str:
    """Return the secret in a file. ValueError, with nothing of what is in it, when it is none; OSError."""
    try:
        # Editors and `echo` end a file with a line break, which is never part of the secret.
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not text") from None
    if not text.strip():
        raise ValueError(f"the file {path} is empty")
    return text


def _holds_a_secret(path: Path) -> Path:
    try:
        _content(path)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror or type(error).__name__}") from error
    return path


def _holds_an_address(path: Path) -> Path:
    try:
        web_address(_content(path))
    except ValueError as error:
        raise ValueError(f"what the file {path} holds {error}") from None
    return path


def _source(value: SecretStr | None, file: Path | None) -> Callable[[], str] | None:
    if file is not None:
        return lambda: _content(file)
    return value.get_secret_value if value is not None else None


SecretFile = Annotated[Path, AfterValidator(_holds_a_secret)]
WebAddress = Annotated[str, AfterValidator(web_address)]
Names = Annotated[frozenset[str], BeforeValidator(_parts)]


class AlertmanagerSettings(BaseModel):
    """The Alertmanagers: each is told everything. A login is `username` with a password, or a `token`."""

    model_config = _STRICT

    urls: Annotated[tuple[WebAddress, ...], BeforeValidator(_parts)] = ()
    """All of them; each is told everything. Several with commas."""
    username: str | None = None
    """Who logs in, where they ask for it."""
    password: SecretStr | None = None
    """The password. Better in a file: an environment shows in many places."""
    password_file: SecretFile | None = None
    """The file that holds the password; a new one in it needs no restart."""
    token: SecretStr | None = None
    """A bearer token, in place of a login."""
    token_file: SecretFile | None = None
    """The file that holds the token; a new one in it needs no restart."""
    cafile: ReadableFile | None = None
    """Certificates that are trusted (PEM); without it those of the system."""

    @field_validator("urls")
    @classmethod
    def _are_distinct(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(urls)) < len(urls):
            raise ValueError("names an Alertmanager twice")
        return urls

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = [
            f"{name} and {name}_file are both given: keep one"
            for name in ("password", "token")
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None
        ]
        password, token = self.password or self.password_file, self.token or self.token_file
        if bool(self.username) != bool(password):
            problems.append("a login needs username and password_file (or password)")
        if password and token:
            problems.append("a password and a token are both given: keep one")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def config(self) -> AlertmanagerConfig:
        """Return what the pager needs. ConfigurationError when the certificates are no good."""
        context = None
        if self.cafile is not None:
            try:
                context = ssl.create_default_context(cafile=self.cafile)
            except (ssl.SSLError, OSError) as error:
                raise ConfigurationError(
                    f"LIVEFUSE_PAGER__ALERTMANAGER__CAFILE cannot be used (OpenSSL says: {error})."
                ) from error
        return AlertmanagerConfig(self.urls, self._authorization(), context)

    def _authorization(self) -> Callable[[], str] | None:
        token, password = _source(self.token, self.token_file), _source(self.password, self.password_file)
        if token is not None:
            return lambda: f"Bearer {token()}"
        if password is not None:
            return lambda: f"Basic {base64.b64encode(f'{self.username}:{password()}'.encode()).decode()}"
        return None


class ChannelSettings(BaseModel):
    """One channel: what it is, where it is, and what is for it. `url` is secret, for most have a token in it."""

    model_config = _STRICT

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    """1 to 40 of a-z, 0-9 and -. The position in the fuse events is kept under it."""
    kind: Kind
    """What it is: see docs/channels.md."""
    url: SecretStr | None = None
    """Where it is; most have a token in it, so it is never shown."""
    url_file: Annotated[SecretFile, AfterValidator(_holds_an_address)] | None = None
    """The file that holds the address; a new one in it needs no restart."""
    secret: SecretStr | None = None
    """What signs, or PagerDuty's integration key."""
    secret_file: SecretFile | None = None
    """The file that holds the secret; a new one in it needs no restart."""
    language: Language | None = None
    """Of the texts; without it Chinese for the Chinese robots, English for the others."""
    min_severity: Severity = "info"
    """The least severe fuses that are told. Operators' overrides count as `info`."""
    rooms: Names = frozenset()
    """Only fuses that opened in these rooms; empty: in all."""
    rules: Names = frozenset()
    """Only fuses of these rules; empty: of all."""
    after: Annotated[Duration, Between(timedelta(0), _DAY)] = timedelta(0)
    """Only what nobody has acknowledged for so long."""
    quiet_hours: Annotated[QuietHours | None, BeforeValidator(_quiet_hours)] = None
    """Such as "22:00-08:00 Asia/Shanghai". What is open at their end is told then. Critical fuses ignore them."""
    resolved: bool = True
    """Whether acknowledgements and ends are told too."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            web_address(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = [
            f"{name} and {name}_file are both given: keep one"
            for name in ("url", "secret")
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None
        ]
        url, secret = self.url or self.url_file, self.secret or self.secret_file
        if self.kind == "pagerduty":
            if not secret:
                problems.append("pagerduty needs secret_file (or secret): the integration key of a service")
        elif not url:
            problems.append(f"{self.kind} needs url_file (or url)")
        if self.secret is not None and not self.secret.get_secret_value():
            problems.append("secret is empty")
        if secret and self.kind not in _SIGNED:
            problems.append(f"{self.kind} has no use for a secret: what is secret is in its url")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def config(self) -> ChannelConfig:
        """Return what the pager needs."""
        return ChannelConfig(
            name=self.name,
            kind=self.kind,
            route=Route(
                min_severity=self.min_severity,
                rooms=self.rooms,
                rules=self.rules,
                after=self.after,
                quiet_hours=self.quiet_hours,
                resolved=self.resolved,
            ),
            url=_source(self.url, self.url_file),
            secret=_source(self.secret, self.secret_file),
            language=self.language,
        )


class PagerSettings(BaseModel):
    """Whom the pager tells, and when. `escalate_after` of 0s escalates nothing. Texts tell times in `time_zone`."""

    model_config = _STRICT

    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    channel: tuple[ChannelSettings, ...] = ()
    escalate_after: Annotated[Duration, Between(timedelta(0), _DAY)] = timedelta(minutes=10)
    """FuseNotAcknowledged fires when nobody has answered for so long; `0s`: never."""
    time_zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("UTC")
    """Of the times in texts."""
    console_url: WebAddress | None = None
    """Where the console is: links go to its /products/<product_id>."""
    runbook_url: WebAddress | None = None
    """Where the runbooks are: links go to its /<name of the alert>."""
    web_port: Annotated[int, Field(ge=0, le=_LAST_PORT)] | None = None
    """The port of /metrics, /healthz and /readyz; without it none, with 0 any."""

    @field_validator("channel")
    @classmethod
    def _have_distinct_names(cls, channels: tuple[ChannelSettings, ...]) -> tuple[ChannelSettings, ...]:
        names = [each.name for each in channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"has two of the name {', '.join(twice)}")
        return channels
