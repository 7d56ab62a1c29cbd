"""The settings of livefuse: one tree, from environment variables and an optional TOML file; the environment wins.

    LIVEFUSE_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092     bootstrap_servers = ["kafka-1:9092", "kafka-2:9092"]
    LIVEFUSE_TOPICS__ORDERS=shop.orders                      [topics] orders = "shop.orders"
    LIVEFUSE_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka    [kafka]  sasl_password_file = "/run/secrets/kafka"

Everything is checked at once, before anything starts: `load` raises one ConfigurationError that lists all that is
wrong, each with its variable or its line. Secrets are never part of a message.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from alerts.pager.config import PagerConfig
from deploy.kafka_settings import KafkaSettings
from deploy.pager_settings import PagerSettings
from deploy.sources import CONFIG_VARIABLE, PREFIX, Given, from_environment, from_file, suggestion, variable
from schemas.durations import Duration, between, milliseconds
from schemas.errors import ConfigurationError
from schemas.topics import TopicNames, topics
from schemas.wording import in_words
from streams.config import IntakeConfig, KafkaConfig, WorkerConfig

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_LAST_PORT: Final = 65_535
_SECRETS: Final = (
    "kafka.sasl_password",
    "kafka.ssl_key_password",
    "pager.alertmanager.password",
    "pager.alertmanager.token",
)


def _addresses(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise ValueError(f'"{value}" is not host:port')
    return value


Address = Annotated[str, AfterValidator(_address)]
Application = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]


class IntakeSettings(BaseModel):
    """How an intake packs frames and tells the time."""

    model_config = _STRICT

    tick_interval: Annotated[Duration, between(timedelta(milliseconds=50), timedelta(minutes=1))] = timedelta(
        seconds=0.5
    )
    tick_margin: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=5))] = timedelta(seconds=1)
    frame_signals: Annotated[int, Field(ge=1, le=10_000)] = 2_000


class WorkerSettings(BaseModel):
    """How a worker flushes and what it keeps in memory. Without `web_port` it serves no metrics."""

    model_config = _STRICT

    flush_interval: Annotated[Duration, between(timedelta(milliseconds=10), timedelta(seconds=10))] = timedelta(
        seconds=0.2
    )
    hot_products: Annotated[int, Field(ge=1)] = 50_000
    transaction_timeout: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=15))] = timedelta(
        minutes=1
    )
    web_port: Annotated[int, Field(ge=0, le=_LAST_PORT)] | None = None
    data_dir: Path | None = None


class LogSettings(BaseModel):
    """What processes write to standard error: lines of `key=value`, or JSON."""

    model_config = _STRICT

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lambda text: str(text).lower())] = (
        "info"
    )
    format: Literal["text", "json"] = "text"


class Settings(BaseModel):
    """All settings. `bootstrap_servers` is None when no broker is configured: only `up` can do without."""

    model_config = _STRICT

    bootstrap_servers: Annotated[tuple[Address, ...], BeforeValidator(_addresses), Field(min_length=1)] | None = None
    application: Application = "livefuse"
    partitions: Annotated[int, Field(ge=1, le=1_000)] = 4
    input_partitions: Annotated[int, Field(ge=1, le=1_000)] = 4
    replication_factor: Annotated[int, Field(ge=1, le=10)] | None = None
    session_timeout: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=5))] = timedelta(seconds=10)
    topics: TopicNames = TopicNames()
    kafka: KafkaSettings = KafkaSettings()
    intake: IntakeSettings = IntakeSettings()
    worker: WorkerSettings = WorkerSettings()
    pager: PagerSettings = PagerSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def load(cls, file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Self:
        """Read, overlay and check; `file` beats LIVEFUSE_CONFIG. One ConfigurationError tells all that is wrong."""
        named = environment.get(CONFIG_VARIABLE, "").strip()
        file = file or (Path(named) if named else None)
        given = (from_file(file) if file else {}) | from_environment(environment)
        known = list(_paths(cls))
        problems = [_unknown(path, each, known) for path, each in given.items() if path not in known]
        tree: dict[str, Any] = {}
        for path, each in given.items():
            if path in known:
                *sections, name = path.split(".")
                branch = tree
                for section in sections:
                    branch = branch.setdefault(section, {})
                branch[name] = each.value
        try:
            settings = cls.model_validate(tree)
        except ValidationError as error:
            problems += (_problem(each, given) for each in error.errors(include_url=False))
        else:
            problems += _topic_problems(settings)
        if problems:
            raise ConfigurationError(_listed(problems))
        return settings

    @property
    def intake_group(self) -> str:
        """The consumer group of the intakes."""
        return f"{self.application}-intake"

    @property
    def worker_group(self) -> str:
        """The consumer group of the workers."""
        return f"{self.application}-worker"

    def kafka_config(self) -> KafkaConfig:
        """Return how to reach the broker. ConfigurationError when none is configured, or certificates are no good."""
        if self.bootstrap_servers is None:
            raise ConfigurationError(
                f"no broker is configured. Name it, for example {PREFIX}BOOTSTRAP_SERVERS=localhost:9092; "
                "`livefuse up` alone can start one of its own."
            )
        return KafkaConfig(
            client={"bootstrap_servers": list(self.bootstrap_servers), **self.kafka.client()},
            transactions=self.kafka.with_transactions,
        )

    def intake_config(self) -> IntakeConfig:
        """Return what an intake process needs."""
        return IntakeConfig(
            kafka=self.kafka_config(),
            topics=self.topics,
            partitions=self.partitions,
            application=self.application,
            tick_interval_ms=milliseconds(self.intake.tick_interval),
            tick_margin_ms=milliseconds(self.intake.tick_margin),
            frame_signals=self.intake.frame_signals,
            session_timeout_ms=milliseconds(self.session_timeout),
        )

    def worker_config(self) -> WorkerConfig:
        """Return what a worker process needs."""
        return WorkerConfig(
            kafka=self.kafka_config(),
            topics=self.topics,
            partitions=self.partitions,
            application=self.application,
            flush_interval_ms=milliseconds(self.worker.flush_interval),
            hot_products=self.worker.hot_products,
            session_timeout_ms=milliseconds(self.session_timeout),
            transaction_timeout_ms=milliseconds(self.worker.transaction_timeout),
            web_port=self.worker.web_port,
            data_dir=str(self.worker.data_dir) if self.worker.data_dir else None,
        )

    def pager_config(self, version: str = "") -> PagerConfig:
        """Return what a pager process needs."""
        return PagerConfig(
            client=self.kafka_config().client,
            topics=self.topics,
            partitions=self.partitions,
            application=self.application,
            version=version,
            alertmanager=self.pager.alertmanager.config(),
            channels=tuple(each.config() for each in self.pager.channel),
            escalate_after=self.pager.escalate_after or None,
            zone=self.pager.time_zone,
            console_url=self.pager.console_url,
            runbook_url=self.pager.runbook_url,
            web_port=self.pager.web_port,
        )


def _paths(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Name every setting of a tree, as `kafka.ssl_cafile`."""
    for name, each in model.model_fields.items():
        if each.annotation is TopicNames:
            yield from (f"{above}{name}.{topic.name}" for topic in fields(TopicNames))
        elif isinstance(each.annotation, type) and issubclass(each.annotation, BaseModel):
            yield from _paths(each.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _topic_problems(settings: Settings) -> list[str]:
    """Return what is wrong with the names of topics, which only shows when they are put together."""
    try:
        topics(settings.topics, settings.partitions)
    except ConfigurationError as error:
        return [f"{variable('topics')}__...: {error}"]
    return []


def _unknown(path: str, given: Given, known: list[str]) -> str:
    names = [variable(each) for each in known] if given.origin.startswith(PREFIX) else known
    asked = given.origin if given.origin.startswith(PREFIX) else path
    return f"{given.origin}: there is no such setting{suggestion(asked, names)}"


def _problem(error: ErrorDetails, given: Mapping[str, Given]) -> str:
    """Say what is wrong with a value and where it stands; for a section, where its first value stands."""
    where = error["loc"]
    first = next((at for at, part in enumerate(where) if isinstance(part, int)), len(where))
    whole = given.get(".".join(map(str, where[:first])))
    if whole is not None and whole.within:
        return f"{whole.part(where[first:])}: {in_words(error)}"
    path = ".".join(str(part) for part in where if isinstance(part, str))
    found = given.get(path) or next((each for key, each in given.items() if key.startswith(f"{path}.")), None)
    origin = found.origin if found else variable(path)
    message = in_words(error)
    if found and path in given and path not in _SECRETS and isinstance(found.value, str | int | float):
        return (
            f"{origin}={found.value}: {message}"
            if origin == variable(path)
            else f"{origin} = {found.value!r}: {message}"
        )
    return f"{origin}: {message}"


def _listed(problems: list[str]) -> str:
    head = "a setting is wrong" if len(problems) == 1 else f"{len(problems)} settings are wrong"
    return "\n".join([f"{head}:", *(f"  {each}" for each in problems)])
