"""The pager as a process: wait for the broker, see that the topics are there, run until SIGTERM or Ctrl-C.

A thread that waits for a service which does not answer (the client of PagerDuty blocks) is left behind: the event that
it was about is not marked as dealt with, and the next pager tells it.
"""

import asyncio
import logging
import os
import signal
import threading
from typing import NamedTuple

from prometheus_client import disable_created_metrics

from alerts.pager import pager, trial
from alerts.pager.trial import Trial
from deploy import routes, web
from deploy.readiness import wait_until_ready
from deploy.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Run a pager until it is told to stop; return the exit code. Raises ConfigurationError, BrokerRefused."""
    # Series of their own that say when each counter was first seen: Prometheus has no use for them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    with asyncio.Runner() as runner:
        runner.run(_main(settings))
        if any(thread.name.startswith("asyncio_") for thread in threading.enumerate()):
            logging.shutdown()
            os._exit(0)
    return 0


class Checked(NamedTuple):
    """What became of the tests, and what else there is to say, a sentence each."""

    trials: list[Trial]
    doubts: list[str]


def check(settings: Settings) -> Checked:
    """Send a test to every Alertmanager and channel. ConfigurationError when there is none, or one cannot be made.

    Where channels name rules, and a broker is there, it is asked for the rules in force.
    """
    return asyncio.run(_check(settings))


async def _check(settings: Settings) -> Checked:
    return Checked(*await asyncio.gather(trial.run(settings.trial_config()), routes.doubts(settings)))


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    reading = []

    async def prepare() -> None:
        await _ready(settings, stop)
        # What it reads may take a while, or may not be for the pager's eyes; nobody has to wait for that.
        reading.append(asyncio.create_task(_warn_of_routes(settings)))

    await pager.run(
        settings.pager_config(),
        stop,
        web.registry("pager"),
        prepare,
        lambda port, each: web.serving(port, each.registry, each),
    )


async def _warn_of_routes(settings: Settings) -> None:
    for each in await routes.doubts(settings):
        log.warning("route.doubtful %s", each)


async def _ready(settings: Settings, stop: asyncio.Event) -> None:
    """Wait until there is what a pager reads. Raises TopicMismatch, BrokerRefused."""
    names = settings.topics
    read = {names.fuse_events, names.fuse_state, names.watchlist}
    await wait_until_ready(settings, stop, "pager", read)
