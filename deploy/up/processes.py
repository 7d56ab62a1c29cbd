"""The processes of `up`: which there are, and in which order they end."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final

from deploy.embedded import HOST
from deploy.settings import Settings
from deploy.up.child import USAGE, Child, Tell
from deploy.up.console import SignIn
from deploy.up.ports import Ports
from schemas.errors import ConfigurationError, LivefuseError

# With the broker's they make less than five seconds, even if all have to be killed.
SIMULATOR_GRACE_S: Final = 0.5
INTAKE_GRACE_S: Final = 1.3
WORKER_GRACE_S: Final = 1.4
PAGER_GRACE_S: Final = 0.3
# It ends beside the others.
CONSOLE_GRACE_S: Final = 1.5


class Processes:
    """An intake, workers, and perhaps a console, a pager and a simulator, against the broker that the settings name.

    With `ports` the processes serve their metrics there, and with a port for it there is a pager; `channels`: whether
    it tells the channels of the settings. With `sign_in` there is a console.
    """

    def __init__(
        self,
        settings: Settings,
        config_file: Path | None,
        workers: int,
        tell: Tell,
        ports: Ports | None = None,
        sign_in: SignIn | None = None,
        *,
        channels: bool = False,
    ) -> None:
        environment = {
            "LIVEFUSE_BOOTSTRAP_SERVERS": ",".join(settings.bootstrap_servers or ()),
            "LIVEFUSE_SESSION_TIMEOUT": f"{settings.session_timeout // timedelta(milliseconds=1)}ms",
        }
        if config_file:
            environment["LIVEFUSE_CONFIG"] = str(config_file.resolve())
        own = {"LIVEFUSE_INTAKE__WEB_PORT": str(ports.intake)} if ports else {}
        self._intake = Child("intake", ["intake", "--json"], environment | own, tell)
        self._workers = []
        for number in range(workers):
            name = "worker" if workers == 1 else f"worker-{number + 1}"
            first = settings.worker.web_port
            port = ports.workers[number] if ports else first + number if first else None
            own = {"LIVEFUSE_WORKER__WEB_PORT": str(port)} if port else {}
            self._workers.append(Child(name, ["worker", "--json"], environment | own, tell))
        self._pagers = []
        if ports and ports.pager:
            own = {
                "LIVEFUSE_PAGER__WEB_PORT": str(ports.pager),
                "LIVEFUSE_PAGER__ALERTMANAGER__URLS": f"http://{HOST}:{ports.alertmanager}",
            }
            arguments = ["pager", "--json", "--channels" if channels else "--no-channels"]
            self._pagers.append(Child("pager", arguments, environment | own, tell))
        self._consoles = []
        if sign_in:
            own = {"LIVEFUSE_CONSOLE__WEB_PORT": str(ports.console)} if ports and ports.console else {}
            self._consoles.append(
                Child("console", ["console", "--json"], environment | sign_in.environment | own, tell)
            )
        self._simulator = Child("simulator", ["simulate", "--demo", "--rate", "live", "--quiet"], environment, tell)
        self._simulates = False

    @property
    def shown(self) -> list[Child]:
        """Those that run, or should."""
        simulators = [self._simulator] if self._simulates else []
        return [self._intake, *self._workers, *self._pagers, *self._consoles, *simulators]

    async def start(self) -> None:
        """Start all but the simulator."""
        for child in (self._intake, *self._workers, *self._pagers, *self._consoles):
            await child.start()

    async def start_simulator(self) -> None:
        """Begin the simulated sale."""
        self._simulates = True
        await self._simulator.start()

    async def look_after(self) -> None:
        """Start what has ended by itself again. LivefuseError when that would be of no use."""
        for child in self.shown:
            await child.look_after()
            if child.exit_code is not None and not child.may_restart:
                said = "\n  ".join(child.last_lines)
                kind = ConfigurationError if child.exit_code == USAGE else LivefuseError
                raise kind(f"the {child.name} cannot run (exit code {child.exit_code}):\n  {said}")

    async def stop(self) -> None:
        """End all: what feeds before what is fed; a console looks on."""
        await asyncio.gather(self._stop_the_flow(), *(console.stop(CONSOLE_GRACE_S) for console in self._consoles))

    async def _stop_the_flow(self) -> None:
        await self._simulator.stop(SIMULATOR_GRACE_S)
        await self._intake.stop(INTAKE_GRACE_S)
        await asyncio.gather(*(worker.stop(WORKER_GRACE_S) for worker in self._workers))
        await asyncio.gather(*(pager.stop(PAGER_GRACE_S) for pager in self._pagers))
