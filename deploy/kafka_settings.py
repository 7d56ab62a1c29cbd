"""How to reach the broker: transport, certificates and login. Secrets are never shown."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from schemas.errors import ConfigurationError

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_TRANSACTIONS: Final = {"auto": None, "on": True, "off": False}


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _readable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror or error}") from error


ReadableFile = Annotated[Path, AfterValidator(_readable)]


class KafkaSettings(BaseModel):
    """How to reach the broker. What goes together is checked by `contradictions`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    security_protocol: Annotated[SecurityProtocol, BeforeValidator(_upper)] = "PLAINTEXT"
    """Transport to the broker: with or without TLS, with or without a login."""
    sasl_mechanism: Annotated[SaslMechanism, BeforeValidator(_upper)] = "PLAIN"
    """How to log in, where the protocol has SASL."""
    sasl_username: str | None = None
    """Who logs in."""
    sasl_password: SecretStr | None = None
    """The password. Better in a file: an environment shows in many places."""
    sasl_password_file: ReadableFile | None = None
    """The file that holds the password; a line break at its end does not count."""
    ssl_cafile: ReadableFile | None = None
    """Certificates that are trusted (PEM); without it those of the system."""
    ssl_certfile: ReadableFile | None = None
    """Our own certificate (PEM), where the broker asks for one."""
    ssl_keyfile: ReadableFile | None = None
    """The key of our certificate, where it is not in the same file."""
    ssl_key_password: SecretStr | None = None
    """The password of the key."""
    ssl_key_password_file: ReadableFile | None = None
    """The file that holds the password of the key."""
    ssl_check_hostname: bool = True
    """Whether the broker's certificate must be for the name under which it is reached."""
    transactions: Literal["auto", "on", "off"] = "auto"
    """Whether the broker has transactions; `auto` asks it. Without them events are at least once."""

    @property
    def with_transactions(self) -> bool | None:
        """Whether the broker has transactions; None: ask it."""
        return _TRANSACTIONS[self.transactions]

    def client(self) -> dict[str, Any]:
        """Return what every aiokafka client takes. ConfigurationError when the certificates are no good."""
        arguments: dict[str, Any] = {"security_protocol": self.security_protocol}
        if "SSL" in self.security_protocol:
            arguments["ssl_context"] = self._ssl_context()
        if self.security_protocol.startswith("SASL"):
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = _secret(self.sasl_password, self.sasl_password_file)
        return arguments

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            context.check_hostname = self.ssl_check_hostname
            if self.ssl_certfile:
                # The empty password keeps OpenSSL from asking on the terminal.
                password = _secret(self.ssl_key_password, self.ssl_key_password_file) or ""
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password)
        except (ssl.SSLError, OSError) as error:
            raise ConfigurationError(
                "the certificates cannot be used: check LIVEFUSE_KAFKA__SSL_CAFILE, ..._SSL_CERTFILE, ..._SSL_KEYFILE "
                f"and the key's password (OpenSSL says: {error})."
            ) from error
        return context


def contradictions(given: Mapping[str, Any], name: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield what of these settings does not go together: the field to look at, and what to write.

    `given` are values as they came, right or wrong; `name` says how the person writes a field.
    """
    protocol = str(given.get("security_protocol", "PLAINTEXT")).upper()
    known = protocol in get_args(SecurityProtocol)
    login = [each for each in ("sasl_username", "sasl_password", "sasl_password_file") if each in given]
    if known and "SASL" in protocol and (login[:1] != ["sasl_username"] or len(login) == 1):
        needed = f"{name('sasl_username')} and {name('sasl_password_file')} (or {name('sasl_password')})"
        yield "security_protocol", f"{protocol} needs {needed}"
    if known and "SASL" not in protocol and login:
        yield login[0], f"is a login, but {name('security_protocol')} is {protocol}: set SASL_SSL there"
    for each in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if known and "SSL" not in protocol and each in given:
            yield each, f"is for TLS, but {name('security_protocol')} is {protocol}: set SSL or SASL_SSL there"
    if "ssl_keyfile" in given and "ssl_certfile" not in given:
        yield "ssl_keyfile", f"needs its certificate: set {name('ssl_certfile')} too"
    for each in ("sasl_password", "ssl_key_password"):
        if {each, f"{each}_file"} <= given.keys():
            yield f"{each}_file", f"{name(each)} is given too: keep one of them"


def _secret(value: SecretStr | None, file: Path | None) -> str | None:
    if file is not None:
        # Editors and `echo` end a file with a line break, which is never part of the secret.
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    return value.get_secret_value() if value else None
