"""The settings of the console: where it serves, and how people sign in. Secrets stand in files and are never shown.

    [console]
    accounts_file = "/etc/livefuse/accounts"        # livefuse console user add mei --role operator
    key_file = "/run/secrets/livefuse-sessions"     # head -c 48 /dev/urandom | base64 >...

    [console.proxy]
    trusted = ["10.0.3.7"]
    role_header = "X-Forwarded-Groups"
    roles = ["live-ops=operator", "live-leads=admin"]

There are three ways to sign in, and a console needs one of them at least.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from alerts.console.config import OidcConfig, ProxyConfig, Secret
from alerts.console.identity import Role
from deploy.kafka_settings import ReadableFile
from deploy.pager_settings import WebAddress, web_address
from schemas.durations import Between, Duration
from schemas.errors import ConfigurationError

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_LAST_PORT: Final = 65_535
_LEAST_KEY: Final = 32
"""Characters of a key that signs: as many bytes as HMAC-SHA-256 has use for."""

Network = IPv4Network | IPv6Network


def _parts(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _network(value: object) -> object:
    try:
        return ip_network(str(value), strict=False)
    except ValueError:
        raise ValueError("must be an address or a network, such as 10.0.3.7 or 10.0.3.0/24") from None


def _roles(value: object) -> object:
    """Read `name=role`; the last `=` counts, for the names of directories have some of their own."""
    if isinstance(value, Mapping):
        return value
    given = _parts(value)
    if not isinstance(given, list | tuple):
        raise ValueError('must be a list such as ["live-ops=operator", "live-leads=admin"]')  # noqa: TRY004
    found: dict[str, str] = {}
    for each in given:
        name, _, role = str(each).rpartition("=")
        if not name.strip() or role.strip() not in get_args(Role):
            raise ValueError(f"each must be name=role, and a role is {_listed(get_args(Role))}")
        found[name.strip()] = role.strip()
    return found


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", value):
        raise ValueError("must be the name of a header, such as X-Forwarded-User")
    return value


def _issuer(value: str) -> str:
    """Check an address and leave it as it is: a provider's tokens name it to the letter, with or without a last `/`."""
    web_address(value)
    if urlsplit(value).scheme == "http" and not _is_here(urlsplit(value).hostname or ""):
        raise ValueError("must begin with https://")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.path or parts.query or parts.fragment:
        raise ValueError("must not have a path: the console is all there is at its address")
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise ValueError("must begin with https://: without TLS browsers do not keep the cookie of a session")
    return value


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _secret(path: Path) -> Secret:
    # Editors and `echo` end a file with a line break, which is never part of the secret.
    return lambda: path.read_text(encoding="utf-8").rstrip("\r\n")


def _key(path: Path) -> Path:
    try:
        long_enough = len(_secret(path)()) >= _LEAST_KEY
    except UnicodeDecodeError:
        raise ValueError("must hold text; `head -c 48 /dev/urandom | base64` makes some") from None
    if not long_enough:
        raise ValueError(f"must hold {_LEAST_KEY} characters at least; `head -c 48 /dev/urandom | base64` makes some")
    return path


Roles = Annotated[Mapping[str, Role], BeforeValidator(_roles)]
Networks = Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], BeforeValidator(_parts)]
Header = Annotated[str, AfterValidator(_header)]
Words = Annotated[tuple[str, ...], BeforeValidator(_parts)]


class ProxySettings(BaseModel):
    """A reverse proxy that has already asked who it is. It counts where `trusted` names it."""

    model_config = _STRICT

    trusted: Networks = ()
    """Addresses or networks of the proxy itself; several with commas. Its headers from elsewhere are refused."""
    user_header: Header = "X-Forwarded-User"
    """The header with the name of the person. The proxy must take it away from what comes in."""
    role_header: Header | None = None
    """The header with what `roles` maps: groups, several with commas."""
    roles: Roles = {}
    """What in `role_header` makes which role: `live-ops=operator`, several with commas. The highest counts."""
    default_role: Role | None = None
    """The role of those of whom `roles` says nothing; without it they do not get in."""
    address_header: Header = "X-Forwarded-For"
    """The header with the address of the person, for the audit."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = []
        if not self.trusted and self.model_fields_set:
            problems.append("needs `trusted`: the addresses of the proxy")
        if self.roles and not self.role_header:
            problems.append("`roles` needs `role_header`")
        if self.role_header and not self.roles:
            problems.append("`role_header` needs `roles`")
        if self.trusted and not self.roles and not self.default_role:
            problems.append("gives nobody a role: set `roles`, or `default_role`")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def config(self) -> ProxyConfig | None:
        """Return what the console needs; None without a proxy."""
        if not self.trusted:
            return None
        return ProxyConfig(
            trusted=self.trusted,
            user_header=self.user_header,
            role_header=self.role_header,
            roles=self.roles,
            default_role=self.default_role,
            address_header=self.address_header,
        )


class OidcSettings(BaseModel):
    """An OpenID provider. It counts where `issuer` names it; `console.url` must be set too."""

    model_config = _STRICT

    issuer: Annotated[str, AfterValidator(_issuer)] | None = None
    """The provider: what stands before /.well-known/openid-configuration."""
    client_id: str | None = None
    """As whom the console is registered there. It sends people back to `/api/v1/oidc/callback`."""
    client_secret_file: ReadableFile | None = None
    """The file that holds the client's secret; a new one in it needs no restart. Without it PKCE alone."""
    name_claim: str = "preferred_username"
    """The claim with the name of the person."""
    role_claim: str = "groups"
    """The claim with what `roles` maps."""
    roles: Roles = {}
    """What in `role_claim` makes which role: `live-ops=operator`, several with commas. The highest counts."""
    default_role: Role | None = None
    """The role of those of whom `roles` says nothing; without it they do not get in."""
    scopes: Words = ("openid", "profile")
    """What is asked for; `openid` must be among it."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = []
        if not self.issuer and self.model_fields_set:
            problems.append("needs `issuer`")
        if self.issuer and not self.client_id:
            problems.append("needs `client_id`")
        if self.issuer and not self.roles and not self.default_role:
            problems.append("gives nobody a role: set `roles`, or `default_role`")
        if "openid" not in self.scopes:
            problems.append("`scopes` must hold openid")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def config(self) -> OidcConfig | None:
        """Return what the console needs; None without a provider."""
        if not self.issuer or not self.client_id:
            return None
        return OidcConfig(
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=_secret(self.client_secret_file) if self.client_secret_file else None,
            name_claim=self.name_claim,
            role_claim=self.role_claim,
            roles=self.roles,
            default_role=self.default_role,
            scopes=self.scopes,
        )


class ConsoleSettings(BaseModel):
    """Where the console serves and who gets in. It needs `accounts_file`, `proxy` or `oidc`."""

    model_config = _STRICT

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\s/@]+$")] = "127.0.0.1"
    """The address to serve on. Beyond this machine it needs `certfile`, or `url`: where a proxy that does TLS is."""
    port: Annotated[int, Field(ge=0, le=_LAST_PORT)] = 8080
    """The port of the page; 0: any."""
    url: Annotated[WebAddress, AfterValidator(_origin)] | None = None
    """Where people reach it, without a path. Needed behind a proxy, and for OpenID; the pager links to it."""
    certfile: ReadableFile | None = None
    """Its certificate with those up to the root (PEM), to speak TLS itself."""
    keyfile: ReadableFile | None = None
    """The key of the certificate, where it is not in the same file."""
    key_password_file: ReadableFile | None = None
    """The file that holds the password of that key."""
    accounts_file: Path | None = None
    """Names and hashes of passwords, written by `livefuse console user`. A change needs no restart."""
    key_file: Annotated[ReadableFile, AfterValidator(_key)] | None = None
    """The file that holds what signs sessions, 32 characters at least. Without it a restart ends them all."""
    session: Annotated[Duration, Between(timedelta(minutes=5), timedelta(days=7))] = timedelta(hours=12)
    """How long a sign-in lasts."""
    web_port: Annotated[int, Field(ge=0, le=_LAST_PORT)] | None = None
    """The port of /metrics, /healthz and /readyz; without it none, with 0 any."""
    proxy: ProxySettings = ProxySettings()
    oidc: OidcSettings = OidcSettings()

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = []
        if self.keyfile and not self.certfile:
            problems.append("`keyfile` needs `certfile`")
        if self.key_password_file and not self.certfile:
            problems.append("`key_password_file` needs `certfile`")
        if self.oidc.issuer and not self.url:
            problems.append("`oidc` needs `url`: the provider sends people back to it")
        if not _is_here(self.host) and not self.certfile and not self.url:
            problems.append(
                f"`host` {self.host} lets others in, and their passwords would travel in the clear: set `certfile`, "
                "or `url` where a proxy in front of it speaks TLS"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def doors(self) -> dict[str, Any]:
        """Return how people get in, as the fields of ConsoleConfig. ConfigurationError when there is no way."""
        proxy, oidc = self.proxy.config(), self.oidc.config()
        if self.accounts_file is None and proxy is None and oidc is None:
            raise ConfigurationError(
                "nobody could sign in to the console. Set one of: LIVEFUSE_CONSOLE__ACCOUNTS_FILE, a file that "
                "`livefuse console user add` writes; LIVEFUSE_CONSOLE__PROXY__TRUSTED, a reverse proxy that knows who "
                "it is; LIVEFUSE_CONSOLE__OIDC__ISSUER, an OpenID provider. `livefuse up` makes accounts for a trial."
            )
        return {
            "accounts_file": self.accounts_file,
            "key": _secret(self.key_file) if self.key_file else None,
            "proxy": proxy,
            "oidc": oidc,
        }

    def tls(self) -> ssl.SSLContext | None:
        """Return what TLS needs; None without a certificate. ConfigurationError when it is no good."""
        if self.certfile is None:
            return None
        # The empty password keeps OpenSSL from asking on the terminal.
        password: Callable[[], str] = _secret(self.key_password_file) if self.key_password_file else lambda: ""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certfile, self.keyfile, password)
        except (ssl.SSLError, OSError) as error:
            raise ConfigurationError(
                "the certificate cannot be used: check LIVEFUSE_CONSOLE__CERTFILE, ..._KEYFILE and "
                f"..._KEY_PASSWORD_FILE (OpenSSL says: {error})."
            ) from error
        return context


def _is_here(host: str) -> bool:
    """Tell whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
