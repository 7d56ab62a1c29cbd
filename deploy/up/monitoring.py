"""Prometheus, Alertmanager and Grafana beside the processes of `up`, with livefuse's rules, routes and dashboards."""

import asyncio
from http import HTTPStatus
from typing import Final

import aiohttp

from deploy.embedded import HOST
from deploy.up import configuration
from deploy.up.child import Child, Tell
from deploy.up.ports import Ports
from deploy.up.programs import GRAFANA_HOME, Programs
from deploy.up.scratch import Scratch, remove_leftovers

# What looks on ends together with intake and workers, Alertmanager after them: less than five seconds in all.
LOOKING_GRACE_S: Final = 1.5
ALERTMANAGER_GRACE_S: Final = 0.3
PREFIX: Final = "livefuse-monitoring-"
ANSWER_S: Final = aiohttp.ClientTimeout(total=1.0)


class Monitoring:
    """The children, their configurations and data in a temporary directory, which goes when they end."""

    def __init__(self, programs: Programs, ports: Ports, application: str, tell: Tell) -> None:
        self._ports = ports
        self._application = application
        remove_leftovers(PREFIX)
        self._scratch = Scratch(PREFIX)
        self._directory = self._scratch.path
        self._urls = {
            "prometheus": f"http://{HOST}:{ports.prometheus}",
            "alertmanager": f"http://{HOST}:{ports.alertmanager}",
        }
        self._prometheus = Child("prometheus", self._prometheus_arguments(), {}, tell, program=[programs.prometheus])
        self._alertmanager = Child(
            "alertmanager", self._alertmanager_arguments(), {}, tell, program=[programs.alertmanager]
        )
        self._looking = [self._prometheus]
        if programs.grafana:
            self._urls["grafana"] = f"http://{HOST}:{ports.grafana}"
            arguments, environment = ["--homepath", str(GRAFANA_HOME)], self._grafana_environment()
            self._looking.append(Child("grafana", arguments, environment, tell, program=[programs.grafana]))

    @property
    def addresses(self) -> dict[str, str]:
        """URLs by name."""
        return dict(self._urls)

    @property
    def shown(self) -> list[Child]:
        """All children."""
        return [self._alertmanager, *self._looking]

    async def start(self) -> None:
        """Write the configurations and start all."""
        configuration.write(self._directory, self._ports, self._application)
        for child in self.shown:
            await child.start()

    async def answers(self) -> bool:
        """Tell whether Prometheus and Alertmanager are ready, and these two: others might answer at their ports.

        Grafana, which needs longer, is not waited for.
        """
        prometheus, alertmanager = self._urls["prometheus"], self._urls["alertmanager"]
        ours = str(self._directory)
        async with aiohttp.ClientSession(timeout=ANSWER_S) as session:
            found = await asyncio.gather(
                _answers(session, f"{prometheus}/-/ready"),
                _answers(session, f"{prometheus}/api/v1/status/flags", ours),
                _answers(session, f"{alertmanager}/-/ready"),
                _answers(session, f"{alertmanager}/api/v2/status", ours),
            )
        return all(found)

    async def look_after(self) -> None:
        """Start what has ended by itself again."""
        for child in self.shown:
            await child.look_after()

    async def stop_looking(self) -> None:
        """End those that nobody needs at the end."""
        await asyncio.gather(*(child.stop(LOOKING_GRACE_S) for child in self._looking))

    async def stop(self) -> None:
        """End the rest, and remove the directory."""
        await self.stop_looking()
        await self._alertmanager.stop(ALERTMANAGER_GRACE_S)
        self._scratch.remove()

    def _prometheus_arguments(self) -> list[str]:
        return [
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'prometheus'}",
            f"--web.listen-address={HOST}:{self._ports.prometheus}",
            "--storage.tsdb.retention.time=2d",
            # What fires first finds Alertmanager not discovered yet, and would be told again after a minute only.
            "--rules.alert.resend-delay=10s",
            "--log.level=warn",
        ]

    def _alertmanager_arguments(self) -> list[str]:
        return [
            f"--config.file={self._directory / 'alertmanager.yml'}",
            f"--storage.path={self._directory / 'alertmanager'}",
            f"--web.listen-address={HOST}:{self._ports.alertmanager}",
            # It is alone: without this it would listen for others on a port of its own.
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def _grafana_environment(self) -> dict[str, str]:
        return {
            "GF_SERVER_HTTP_ADDR": HOST,
            "GF_SERVER_HTTP_PORT": str(self._ports.grafana),
            "GF_PATHS_DATA": str(self._directory / "grafana"),
            "GF_PATHS_LOGS": str(self._directory / "grafana"),
            "GF_PATHS_PROVISIONING": str(configuration.PROVISIONING),
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "LIVEFUSE_PROMETHEUS_URL": self._urls["prometheus"],
            "LIVEFUSE_ALERTMANAGER_URL": self._urls["alertmanager"],
            "LIVEFUSE_DASHBOARDS": str(configuration.DASHBOARDS),
        }


async def _answers(session: aiohttp.ClientSession, url: str, words: str = "") -> bool:
    """Tell whether somebody answers 200 there, with these words in it."""
    try:
        async with session.get(url) as answer:
            return answer.status == HTTPStatus.OK and words in await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return False
