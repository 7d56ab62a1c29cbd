"""The ports on which everything serves when `up` runs with monitoring: those of the settings, else free ones."""

import socket
from dataclasses import dataclass

from deploy.embedded import HOST, free_port
from deploy.settings import Settings
from deploy.sources import variable
from schemas.errors import ConfigurationError


@dataclass(frozen=True)
class Ports:
    """TCP ports of 127.0.0.1. `pager`, `console` (that of its metrics) and `grafana` are None where there is none."""

    intake: int
    workers: tuple[int, ...]
    pager: int | None
    prometheus: int
    alertmanager: int
    grafana: int | None
    console: int | None = None


def choose(settings: Settings, workers: int, *, pager: bool, grafana: bool, console: bool = False) -> Ports:
    """Choose the ports. Workers after the first have those that follow its own, if the settings name one.

    ConfigurationError when somebody else listens on a port of monitoring: what is meant for ours would go there.
    """
    _refuse_taken(settings, grafana=grafana)
    first = settings.worker.web_port
    taken = {
        settings.intake.web_port,
        settings.pager.web_port,
        settings.console.web_port,
        settings.console.port,
        *(range(first, first + workers) if first else ()),
    }
    taken |= set(settings.monitoring.model_dump().values())

    def free(given: int | None) -> int:
        port = given or free_port()
        while not given and port in taken:
            port = free_port()
        taken.add(port)
        return port

    return Ports(
        intake=free(settings.intake.web_port),
        workers=tuple(free(first + number if first else None) for number in range(workers)),
        pager=free(settings.pager.web_port) if pager else None,
        prometheus=free(settings.monitoring.prometheus_port),
        alertmanager=free(settings.monitoring.alertmanager_port),
        grafana=free(settings.monitoring.grafana_port) if grafana else None,
        console=free(settings.console.web_port) if console else None,
    )


def _refuse_taken(settings: Settings, *, grafana: bool) -> None:
    problems = [
        f"{variable(f'monitoring.{name}')}={port}: something listens there already; end it, or name another port"
        for name, port in settings.monitoring.model_dump().items()
        if port and (grafana or name != "grafana_port") and _is_taken(port)
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))


def _is_taken(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return True
    return False
