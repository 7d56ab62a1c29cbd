"""The settings of livefuse: one tree, from environment variables and an optional TOML file; the environment wins.

    LIVEFUSE_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092     bootstrap_servers = ["kafka-1:9092", "kafka-2:9092"]
    LIVEFUSE_TOPICS__ORDERS=shop.orders                      [topics] orders = "shop.orders"
    LIVEFUSE_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka    [kafka]  sasl_password_file = "/run/secrets/kafka"

Everything is checked at once, before anything starts: `load` raises one ConfigurationError that lists all that is
wrong, each with its variable or its line. Secrets are never part of a message.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from alerts.console.config import ConsoleConfig
from alerts.pager.config import PagerConfig
from deploy.console_settings import ConsoleSettings
from deploy.kafka_settings import KafkaSettings, contradictions
from deploy.pager_settings import PagerSettings
from deploy.sources import CONFIG_VARIABLE, PREFIX, Given, from_environment, from_file, suggestion, variable
from schemas.durations import Between, Duration, milliseconds
from schemas.errors import ConfigurationError
from schemas.topics import TopicNames, misnamed
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


def _application(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
        raise ValueError("must be 1 to 100 of a-z A-Z 0-9 . _ -")
    return value


Port = Annotated[int, Field(ge=0, le=_LAST_PORT)]
Address = Annotated[str, AfterValidator(_address)]


class IntakeSettings(BaseModel):
    """How an intake packs frames and tells the time. Without `web_port` it serves no metrics and no health."""

    model_config = _STRICT

    tick_interval: Annotated[Duration, Between(timedelta(milliseconds=50), timedelta(minutes=1))] = timedelta(
        seconds=0.5
    )
    """How often an intake says how far time has come, when nothing else happens. Timers fire by it."""
    tick_margin: Annotated[Duration, Between(timedelta(seconds=1), timedelta(minutes=5))] = timedelta(seconds=1)
    """How long records may be on their way to Kafka without being late for a timer."""
    frame_signals: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    """The most signals in a frame."""
    web_port: Port | None = None
    """Port for `/metrics`, `/healthz` and `/readyz`; without it there is none."""


class WorkerSettings(BaseModel):
    """How a worker flushes and what it keeps in memory."""

    model_config = _STRICT

    flush_interval: Annotated[Duration, Between(timedelta(milliseconds=10), timedelta(seconds=10))] = timedelta(
        seconds=0.2
    )
    """How long states may wait to be written; a fuse event is written at once."""
    hot_products: Annotated[int, Field(ge=1)] = 50_000
    """Products that stay unpacked in memory, in all partitions of the worker together; the others are kept as bytes."""
    transaction_timeout: Annotated[Duration, Between(timedelta(seconds=1), timedelta(minutes=15))] = timedelta(
        minutes=1
    )
    """When the broker gives up a transaction of a worker that is gone; at most its `transaction.max.timeout.ms`."""
    web_port: Port | None = None
    """Port for `/metrics`, `/healthz` and `/readyz`; without it there is none. `up` gives further workers the next."""


class MonitoringSettings(BaseModel):
    """Where `livefuse up --with-monitoring` serves; without a port it takes one that is free."""

    model_config = _STRICT

    prometheus_port: Port | None = None
    """Port of Prometheus."""
    alertmanager_port: Port | None = None
    """Port of Alertmanager."""
    grafana_port: Port | None = None
    """Port of Grafana, where it is installed."""


class LogSettings(BaseModel):
    """What processes write to standard error."""

    model_config = _STRICT

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lambda text: str(text).lower())] = (
        "info"
    )
    """The least level that is written."""
    format: Literal["text", "json"] = "text"
    """Lines of `key=value`, or of JSON."""


class Settings(BaseModel):
    """All settings. `bootstrap_servers` is None when no broker is configured: only `up` can do without."""

    model_config = _STRICT

    bootstrap_servers: Annotated[tuple[Address, ...], BeforeValidator(_addresses), Field(min_length=1)] | None = None
    """Brokers to ask first, `host:port`, several with commas. Without it `up` starts a broker of its own."""
    application: Annotated[str, AfterValidator(_application)] = "livefuse"
    """The name of this deployment, in consumer groups and transactional ids. Two on one Kafka need two names."""
    partitions: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Partitions of the signals topic, so the most workers that share the work. Fixed once there are topics."""
    input_partitions: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Partitions of input topics that `topics apply --create-inputs` and `up` create."""
    replication_factor: Annotated[int, Field(ge=1, le=10)] | None = None
    """Replicas of topics that are created; without it 3, or as many as there are brokers."""
    session_timeout: Annotated[Duration, Between(timedelta(seconds=1), timedelta(minutes=5))] = timedelta(seconds=10)
    """How long a process may be silent before its group gives its partitions to others."""
    topics: TopicNames = TopicNames()
    kafka: KafkaSettings = KafkaSettings()
    intake: IntakeSettings = IntakeSettings()
    worker: WorkerSettings = WorkerSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    pager: PagerSettings = PagerSettings()
    console: ConsoleSettings = ConsoleSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def load(cls, file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Self:
        """Read, overlay and check; `file` beats LIVEFUSE_CONFIG. One ConfigurationError tells all that is wrong."""
        named = environment.get(CONFIG_VARIABLE, "").strip()
        file = file or (Path(named) if named else None)
        problems: list[str] = []
        given: dict[str, Given] = {}
        if file:
            try:
                given = from_file(file)
            except ConfigurationError as error:
                problems.append(str(error))
        given |= from_environment(environment)
        known = list(paths(cls))
        problems += [_unknown(path, each, known) for path, each in given.items() if path not in known]
        tree: dict[str, Any] = {}
        for path, each in given.items():
            if path in known:
                *sections, name = path.split(".")
                branch = tree
                for section in sections:
                    branch = branch.setdefault(section, {})
                branch[name] = each.value
        problems += _topic_problems(tree.get("topics", {}), given)
        problems += _kafka_problems(tree.get("kafka", {}), given)
        try:
            settings = cls.model_validate(tree)
        except ValidationError as error:
            problems += (_problem(each, given) for each in error.errors(include_url=False))
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

    def without_channels(self) -> Self:
        """Return the same settings for a pager that tells Alertmanagers only."""
        return self.model_copy(update={"pager": self.pager.model_copy(update={"channel": ()})})

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
        )

    def pager_config(self) -> PagerConfig:
        """Return what a pager process needs."""
        return replace(self.trial_config(), client=self.kafka_config().client)

    def trial_config(self) -> PagerConfig:
        """Return what a trial of the pager's channels needs: all but a broker."""
        return PagerConfig(
            client={},
            topics=self.topics,
            partitions=self.partitions,
            application=self.application,
            alertmanager=self.pager.alertmanager.config(),
            channels=tuple(each.config() for each in self.pager.channel),
            escalate_after=self.pager.escalate_after or None,
            zone=self.pager.time_zone,
            console_url=self.pager.console_url or self.console.url,
            runbook_url=self.pager.runbook_url,
            web_port=self.pager.web_port,
        )

    def console_config(self) -> ConsoleConfig:
        """Return what a console process needs. ConfigurationError when there is no way to sign in."""
        return ConsoleConfig(
            client=self.kafka_config().client,
            topics=self.topics,
            partitions=self.partitions,
            application=self.application,
            host=self.console.host,
            port=self.console.port,
            url=self.console.url,
            tls=self.console.tls(),
            session=self.console.session,
            web_port=self.console.web_port,
            **self.console.doors(),
        )


def paths(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Name every setting of a tree, as `kafka.ssl_cafile`."""
    for name, each in model.model_fields.items():
        if each.annotation is TopicNames:
            yield from (f"{above}{name}.{topic.name}" for topic in fields(TopicNames))
        elif isinstance(each.annotation, type) and issubclass(each.annotation, BaseModel):
            yield from paths(each.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _topic_problems(section: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Yield what is wrong with the names of topics, as far as they are text."""
    names = TopicNames(**{field: value for field, value in section.items() if isinstance(value, str)})
    told: dict[str, str] = {}
    for settings, message in misnamed(names):
        told.setdefault(next((each for each in settings if each in section), settings[0]), message)
    for field, message in told.items():
        yield _said(f"topics.{field}", message, given)


def _kafka_problems(section: Mapping[str, Any], given: Mapping[str, Given]) -> Iterator[str]:
    """Yield what of the `kafka` settings does not go together, in the words of where they were given."""
    by_file = any(not given[f"kafka.{field}"].origin.startswith(PREFIX) for field in section)
    for field, message in contradictions(
        section, lambda each: f"kafka.{each}" if by_file else variable(f"kafka.{each}")
    ):
        yield _said(f"kafka.{field}", message, given)


def _unknown(path: str, given: Given, known: list[str]) -> str:
    names = [variable(each) for each in known] if given.origin.startswith(PREFIX) else known
    asked = given.origin if given.origin.startswith(PREFIX) else path
    return f"{given.origin}: there is no such setting{suggestion(asked, names) or '; docs/settings.md lists all'}"


def _problem(error: ErrorDetails, given: Mapping[str, Given]) -> str:
    where = error["loc"]
    first = next((at for at, part in enumerate(where) if isinstance(part, int)), len(where))
    whole = given.get(".".join(map(str, where[:first])))
    if whole is not None and whole.within:
        return f"{whole.part(where[first:])}: {in_words(error)}"
    return _said(".".join(str(part) for part in where if isinstance(part, str)), in_words(error), given)


def _said(path: str, message: str, given: Mapping[str, Given]) -> str:
    """Say what is wrong with a value and where it stands; for a section, where its first value stands."""
    found = given.get(path) or next((each for key, each in given.items() if key.startswith(f"{path}.")), None)
    origin = found.origin if found else variable(path)
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
