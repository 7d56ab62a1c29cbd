"""How to reach the broker: transport, certificates and login. Secrets are never shown."""

import ssl
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

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
    """`transactions`: `auto` asks the broker whether it has them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    security_protocol: Annotated[SecurityProtocol, BeforeValidator(_upper)] = "PLAINTEXT"
    sasl_mechanism: Annotated[SaslMechanism, BeforeValidator(_upper)] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: ReadableFile | None = None
    ssl_cafile: ReadableFile | None = None
    ssl_certfile: ReadableFile | None = None
    ssl_keyfile: ReadableFile | None = None
    ssl_key_password: SecretStr | None = None
    ssl_key_password_file: ReadableFile | None = None
    ssl_check_hostname: bool = True
    transactions: Literal["auto", "on", "off"] = "auto"

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = []
        named = {name for name in type(self).model_fields if getattr(self, name) is not None}
        password = {"sasl_password", "sasl_password_file"} & named
        if self.security_protocol.startswith("SASL"):
            if "sasl_username" not in named or not password:
                problems.append(
                    f"{self.security_protocol} needs sasl_username and sasl_password_file (or sasl_password)"
                )
        elif password or "sasl_username" in named:
            problems.append(f"a SASL login is given, but security_protocol is {self.security_protocol}: set SASL_SSL")
        if "SSL" not in self.security_protocol and (files := sorted(name for name in named if _is_certificate(name))):
            problems.append(
                f"{', '.join(files)} given, but security_protocol is {self.security_protocol}: set SSL or SASL_SSL"
            )
        if self.ssl_keyfile and not self.ssl_certfile:
            problems.append("ssl_keyfile is given without its ssl_certfile")
        problems += [
            f"{name} and {name}_file are both given: keep one"
            for name in ("sasl_password", "ssl_key_password")
            if {name, f"{name}_file"} <= named
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

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


def _is_certificate(name: str) -> bool:
    return name in {"ssl_cafile", "ssl_certfile", "ssl_keyfile"}


def _secret(value: SecretStr | None, file: Path | None) -> str | None:
    if file is not None:
        # Editors and `echo` end a file with a line break, which is never part of the secret.
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    return value.get_secret_value() if value else None
