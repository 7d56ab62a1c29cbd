"""The pager as a process: wait for the broker, see that the topics are there, run until SIGTERM or Ctrl-C.

A thread that waits for a service which does not answer (the client of PagerDuty blocks) is left behind: the event that
it was about is not marked as dealt with, and the next pager tells it.
"""

import asyncio
import logging
import os
import signal
import threading

from prometheus_client import disable_created_metrics

from alerts.pager import pager, trial
from alerts.pager.trial import Trial
from deploy import web
from deploy.acls import rights_of
from deploy.settings import Settings
from schemas.errors import BrokerUnavailable
from schemas.topics import topics
from streams import client
from streams.rights import require_rights

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


def check(settings: Settings) -> list[Trial]:
    """Send a test to every Alertmanager and channel, and return what became of it. The broker is not asked."""
    return asyncio.run(trial.run(settings.pager_config()))


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def prepare() -> None:
        await _ready(settings, stop)

    await pager.run(
        settings.pager_config(),
        stop,
        web.registry("pager"),
        prepare,
        lambda port, each: web.serving(port, each.registry, each),
    )


async def _ready(settings: Settings, stop: asyncio.Event) -> None:
    """Wait for the broker, and see that it has what a pager reads. Raises TopicMismatch, BrokerRefused."""
    names = settings.topics
    read = {names.fuse_events, names.fuse_state, names.watchlist}
    needed = {each.name: each.partitions for each in topics(names, settings.partitions) if each.name in read}
    arguments = settings.kafka_config().client
    while await client.wait_for_broker(arguments, stop):
        try:
            await require_rights(arguments, rights_of(settings)["pager"])
            await client.require_topics(arguments, needed)
        except BrokerUnavailable as error:
            log.warning("broker.unavailable %s Trying again.", error)
            await asyncio.sleep(client.RETRY_S)
        else:
            return
