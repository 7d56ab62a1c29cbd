"""The course of `livefuse up`: from nothing to ready, and from a signal to nothing."""

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from deploy.admin import Admin
from deploy.embedded import EmbeddedBroker, EmbeddedBrokerError
from deploy.kafka import open_admin, open_consumer
from deploy.settings import Settings
from deploy.topics import carry_out, plan_topics
from deploy.up.child import Child
from deploy.up.screen import Screen
from deploy.up.watcher import Watcher
from schemas.errors import BrokerError, LivefuseError

LOOK_EVERY_S: Final = 1.0
READY_WITHIN_S: Final = 60.0
JOIN_QUICKLY: Final = timedelta(seconds=6)
"""The session timeout on the embedded broker: with a longer one a group takes longer to form."""

# Together less than five seconds, killed ones included.
_SIMULATOR_GRACE_S: Final = 0.7
_INTAKE_GRACE_S: Final = 1.5
_WORKER_GRACE_S: Final = 1.7
_BROKER_GRACE: Final = timedelta(seconds=0.7)


@dataclass(frozen=True)
class Plan:
    """What to run. `demo` None: feed the simulator where nothing of the shop's can be mixed up with it."""

    settings: Settings
    config_file: Path | None
    workers: int
    demo: bool | None


async def run(plan: Plan, screen: Screen) -> None:
    """Run everything until SIGINT or SIGTERM. Raises what keeps it from coming up, or going on."""
    began = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        settings = plan.settings
        broker = None
        if settings.bootstrap_servers is None:
            broker = EmbeddedBroker()
            stack.callback(broker.stop, _BROKER_GRACE)
            settings = _on_embedded(settings, broker)
            if plan.workers > 1:
                screen.notice(
                    f"the embedded broker has no transactions: with {plan.workers} workers events may be written twice "
                    "when partitions move (with the same sequence). One worker is safe here; Apache Kafka is with many."
                )
        course = _Course(plan, settings, screen, broker)
        await course.prepare(stack)
        if not stop.is_set():
            await course.go(stop, began)


def _on_embedded(settings: Settings, broker: EmbeddedBroker) -> Settings:
    try:
        broker.start()
    except EmbeddedBrokerError as error:
        raise LivefuseError(str(error)) from error
    quick = min(settings.session_timeout, JOIN_QUICKLY)
    return settings.model_copy(update={"bootstrap_servers": (broker.bootstrap,), "session_timeout": quick})


class _Course:
    """One run, once there is a broker."""

    def __init__(self, plan: Plan, settings: Settings, screen: Screen, broker: EmbeddedBroker | None) -> None:
        self._plan = plan
        self._settings = settings
        self._screen = screen
        self._broker = broker
        self._children: list[Child] = []
        self._simulator: Child | None = None
        self._watcher: Watcher | None = None

    async def prepare(self, stack: contextlib.AsyncExitStack) -> None:
        """Make the topics, and start intake and workers."""
        settings, screen = self._settings, self._screen
        reached = settings.kafka_config()
        admin = Admin(await stack.enter_async_context(open_admin(reached)))
        await carry_out(admin, await plan_topics(admin, settings, create_inputs=True))
        consumer = await stack.enter_async_context(open_consumer(reached))
        self._watcher = Watcher(settings, admin, consumer, screen.event)
        await self._watcher.begin()
        demo = self._plan.demo
        if demo is None:
            demo = self._watcher.picture.records == 0
            if not demo:
                screen.notice("the input topics hold records already, so the simulator is left out; --demo feeds it")
        stack.push_async_callback(self._stop_all)
        await self._start_all(demo=demo)

    async def go(self, stop: asyncio.Event, began: float) -> None:
        """Look after everything until told to stop."""
        watcher = self._watcher
        assert watcher is not None
        listening = asyncio.create_task(watcher.listen())
        self._screen.open()
        try:
            if await self._until_ready(watcher, stop):
                self._screen.ready({
                    "bootstrap_servers": ",".join(self._settings.bootstrap_servers or ()),
                    "embedded": self._broker is not None,
                    "workers": self._plan.workers,
                    "seconds": round(time.monotonic() - began, 1),
                })  # fmt: skip
                if self._simulator:
                    await self._simulator.start()
            while not stop.is_set():
                await self._look(watcher)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        finally:
            listening.cancel()
            self._screen.close()

    async def _start_all(self, *, demo: bool) -> None:
        environment = {
            "LIVEFUSE_BOOTSTRAP_SERVERS": ",".join(self._settings.bootstrap_servers or ()),
            "LIVEFUSE_SESSION_TIMEOUT": f"{self._settings.session_timeout // timedelta(milliseconds=1)}ms",
        }
        if self._plan.config_file:
            environment["LIVEFUSE_CONFIG"] = str(self._plan.config_file.resolve())
        tell = self._screen.notice
        self._children = [Child("intake", ["intake", "--json"], environment, tell)]
        port = self._settings.worker.web_port
        for number in range(self._plan.workers):
            name = "worker" if self._plan.workers == 1 else f"worker-{number + 1}"
            own = {"LIVEFUSE_WORKER__WEB_PORT": str(port + number)} if port else {}
            self._children.append(Child(name, ["worker", "--json"], environment | own, tell))
        if demo:
            self._simulator = Child("simulator", ["simulate", "--demo", "--rate", "live", "--quiet"], environment, tell)
        for child in self._children:
            await child.start()

    async def _stop_all(self) -> None:
        if self._simulator:
            await self._simulator.stop(_SIMULATOR_GRACE_S)
        if self._children:
            intake, *workers = self._children
            await intake.stop(_INTAKE_GRACE_S)
            await asyncio.gather(*(worker.stop(_WORKER_GRACE_S) for worker in workers))

    async def _until_ready(self, watcher: Watcher, stop: asyncio.Event) -> bool:
        """Wait until all processes have joined their groups; say so once if that takes long."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not stop.is_set():
            await self._look_after()
            intakes, workers = await watcher.groups()
            if intakes and workers and intakes.state == workers.state == "Stable":
                if intakes.members >= 1 and workers.members >= self._plan.workers:
                    return True
            if time.monotonic() > deadline:
                self._screen.notice(f"not ready after {READY_WITHIN_S:g} s; still waiting. Look at the lines above.")
                deadline += READY_WITHIN_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.1)
        return False

    async def _look(self, watcher: Watcher) -> None:
        await self._look_after()
        try:
            await watcher.look()
        except Exception as error:  # noqa: BLE001 (a broker that is away for a while must not end what waits for it)
            self._screen.notice(f"the broker does not tell how things stand: {error}")
        processes = [*self._children, self._simulator] if self._simulator else self._children
        self._screen.status(watcher.picture, processes)

    async def _look_after(self) -> None:
        if self._broker and self._broker.pid is None:
            raise BrokerError("the embedded broker has ended, and with it all that it held. Start `livefuse up` again.")
        for child in self._children:
            await child.look_after()
            if child.exit_code is not None and not child.may_restart:
                said = "\n  ".join(child.last_lines)
                raise LivefuseError(f"{child.name} cannot run (exit code {child.exit_code}):\n  {said}")
        if self._simulator:
            await self._simulator.look_after()
