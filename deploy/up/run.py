"""The course of `livefuse up`: from nothing to ready, and from a signal to nothing."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from deploy.admin import Admin, Group
from deploy.embedded import EmbeddedBroker, EmbeddedBrokerError
from deploy.kafka import open_admin, open_consumer
from deploy.settings import Settings
from deploy.topics import carry_out, plan_topics
from deploy.up.child import Child
from deploy.up.console import SignIn, sign_in
from deploy.up.monitoring import Monitoring
from deploy.up.ports import choose
from deploy.up.processes import Processes
from deploy.up.programs import Programs, find
from deploy.up.screen import Screen
from deploy.up.watcher import Watcher
from schemas.errors import BrokerError

LOOK_EVERY_S: Final = 1.0
READY_WITHIN_S: Final = 60.0
BROKER_GRACE: Final = timedelta(seconds=0.7)
JOIN_QUICKLY: Final = timedelta(seconds=6)
"""The session timeout on the embedded broker: with a longer one a group takes longer to form."""


@dataclass(frozen=True)
class Plan:
    """What to run. `demo` None: feed the simulator where nothing of the shop's can be mixed up with it.

    `pager`: run one too, where there is monitoring. `console`: run one. `real_channels`: the pager tells the channels
    of the settings whatever the sale is; else only of a sale that is neither simulated nor on the embedded broker.
    """

    settings: Settings
    config_file: Path | None
    workers: int
    demo: bool | None
    monitoring: bool = False
    pager: bool = False
    console: bool = True
    real_channels: bool = False


async def run(plan: Plan, screen: Screen) -> None:
    """Run everything until SIGINT or SIGTERM. Raises what keeps it from coming up, or from going on."""
    began = time.monotonic()
    programs = find() if plan.monitoring else None
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        broker, settings = None, plan.settings
        if settings.bootstrap_servers is None:
            broker = EmbeddedBroker()
            stack.callback(broker.stop, BROKER_GRACE)
            settings = _on_embedded(settings, broker)
            if plan.workers > 1:
                screen.notice(
                    f"the embedded broker has no transactions: with {plan.workers} workers events may be written twice "
                    "when partitions move, with the same sequence. Here one worker is safe, on Apache Kafka many are."
                )
        watcher = await _watch(stack, settings, screen)
        entrance = sign_in(settings) if plan.console else None
        if entrance:
            stack.callback(entrance.forget)
        if plan.demo is None and watcher.picture.records:
            screen.notice("the input topics hold records already, so the simulated sale is left out; --demo feeds it")
        feeds = feeds_simulation(plan, watcher.picture.records)
        channels = tells_channels(plan, feeds=feeds, embedded=broker is not None)
        processes, monitoring = _prepare(stack, plan, settings, programs, screen, entrance, channels=channels)
        if monitoring:
            await monitoring.start()
        await processes.start()
        screen.open()
        stack.callback(screen.close)
        course = _Course(broker, watcher, processes, monitoring, entrance, screen, stop)
        if await course.reach(plan.workers):
            screen.ready({
                "bootstrap_servers": ",".join(settings.bootstrap_servers or ()),
                "embedded": broker is not None,
                "workers": plan.workers,
                "seconds": round(time.monotonic() - began, 1),
                **({"console": entrance.facts} if entrance else {}),
                **({"monitoring": monitoring.addresses} if monitoring else {}),
                **_told_of(plan, settings, channels=channels),
            })  # fmt: skip
            if feeds:
                await processes.start_simulator()
            await course.stay()


def _on_embedded(settings: Settings, broker: EmbeddedBroker) -> Settings:
    try:
        broker.start()
    except EmbeddedBrokerError as error:
        raise BrokerError(str(error)) from error
    quick = min(settings.session_timeout, JOIN_QUICKLY)
    return settings.model_copy(update={"bootstrap_servers": (broker.bootstrap,), "session_timeout": quick})


def _prepare(
    stack: AsyncExitStack,
    plan: Plan,
    settings: Settings,
    programs: Programs | None,
    screen: Screen,
    entrance: SignIn | None,
    *,
    channels: bool,
) -> tuple[Processes, Monitoring | None]:
    """Make what is to be started, so that it ends in order with the stack."""
    if programs is None:
        processes = Processes(settings, plan.config_file, plan.workers, screen.notice, sign_in=entrance)
        stack.push_async_callback(processes.stop)
        return processes, None
    ports = choose(
        settings, plan.workers, pager=plan.pager, grafana=programs.grafana is not None, console=entrance is not None
    )
    processes = Processes(settings, plan.config_file, plan.workers, screen.notice, ports, entrance, channels=channels)
    monitoring = Monitoring(programs, ports, settings.application, screen.notice)

    async def end() -> None:
        # Prometheus and Grafana only look on; Alertmanager has to outlive the pager.
        await asyncio.gather(processes.stop(), monitoring.stop_looking())
        await monitoring.stop()

    stack.push_async_callback(end)
    return processes, monitoring


async def _watch(stack: AsyncExitStack, settings: Settings, screen: Screen) -> Watcher:
    """Make the topics and begin to watch them."""
    reached = settings.kafka_config()
    admin = Admin(await stack.enter_async_context(open_admin(reached)))
    await carry_out(admin, await plan_topics(admin, settings, create_inputs=True))
    asking = await stack.enter_async_context(open_consumer(reached))
    listening = await stack.enter_async_context(open_consumer(reached))
    watcher = Watcher(settings, admin, (asking, listening), screen.event)
    await watcher.begin()
    return watcher


def feeds_simulation(plan: Plan, records: int) -> bool:
    """Tell whether the simulated sale is fed, where so many records are in the shop's topics."""
    return not records if plan.demo is None else plan.demo


def tells_channels(plan: Plan, *, feeds: bool, embedded: bool) -> bool:
    """Tell whether the pager tells the channels of the settings: people are not woken by a simulation."""
    return plan.real_channels or not (feeds or embedded)


def _told_of(plan: Plan, settings: Settings, *, channels: bool) -> dict[str, list[str]]:
    """Return, for the ready line, which channels of the settings the pager tells, or leaves out."""
    names = [each.name for each in settings.pager.channel]
    if not (names and plan.pager and plan.monitoring):
        return {}
    return {"channels" if channels else "channels_left_out": names}


class _Course:
    """From the start of the processes to the signal that ends it."""

    def __init__(
        self,
        broker: EmbeddedBroker | None,
        watcher: Watcher,
        processes: Processes,
        monitoring: Monitoring | None,
        entrance: SignIn | None,
        screen: Screen,
        stop: asyncio.Event,
    ) -> None:
        self._broker = broker
        self._watcher = watcher
        self._processes = processes
        self._monitoring = monitoring
        self._entrance = entrance
        self._screen = screen
        self._stop = stop

    async def reach(self, workers: int) -> bool:
        """Wait until all have joined their groups, console and monitoring answer; False when told to stop before."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._stop.is_set():
            await self._look_after()
            intakes, found = await self._watcher.groups()
            serving = [each for each in (self._monitoring, self._entrance) if each is not None]
            if _has(intakes, 1) and _has(found, workers) and all([await each.answers() for each in serving]):
                return True
            if time.monotonic() > deadline:
                self._screen.notice(f"not ready after another {READY_WITHIN_S:g} s; still waiting")
                deadline += READY_WITHIN_S
            await self._pause(0.1)
        return False

    async def stay(self) -> None:
        """Look after everything and show how it stands, until told to stop."""
        listening = asyncio.create_task(self._watcher.listen())
        silent = ""
        try:
            while not self._stop.is_set():
                await self._look_after()
                trouble = await self._watcher.look()
                if trouble and not silent:
                    self._screen.notice(trouble)
                silent = trouble
                self._screen.status(self._watcher.picture, self._shown)
                await self._pause(LOOK_EVERY_S)
        finally:
            listening.cancel()

    async def _look_after(self) -> None:
        if self._broker and self._broker.pid is None:
            raise BrokerError("the embedded broker has ended, and with it all that it held. Start `livefuse up` again.")
        await self._processes.look_after()
        if self._monitoring:
            await self._monitoring.look_after()

    @property
    def _shown(self) -> list[Child]:
        return [*self._processes.shown, *(self._monitoring.shown if self._monitoring else ())]

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _has(group: Group | None, members: int) -> bool:
    return group is not None and group.state == "Stable" and group.members >= members
