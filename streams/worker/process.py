"""A worker process, from the first look at the broker to the last acknowledgement.

    start     wait for the broker ── check the topics ── join the group ── lanes open
    run       until SIGTERM or SIGINT, or until something that this process cannot go on after; where the broker goes
              away and Faust does not get over it, from the start again
    drain     no more frames ── flush ── acknowledge ── commit ── leave the group

``run`` logs everything that it does and writes nothing to standard output. What it is told to serve its status with
begins before all that and ends after it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress

from schemas.errors import BrokerUnavailable, LivefuseError
from schemas.rights import rights
from schemas.topics import topics
from streams import client
from streams.config import WorkerConfig
from streams.garbage import look, look_by_the_clock
from streams.rights import require_rights
from streams.worker.app import WorkerApp
from streams.worker.quiet import quieten
from streams.worker.status import WorkerStatus
from streams.worker.worker import Worker

Serving = Callable[[WorkerStatus], AbstractAsyncContextManager[object]]
"""What shows the status of the process to others, for as long as it is entered. Raises LivefuseError if it cannot."""

log = logging.getLogger(__name__)


def run(config: WorkerConfig, serving: Serving = nullcontext) -> int:
    """Run a worker until it is told to stop (SIGTERM, SIGINT); return the exit code of the process.

    Ends the process itself where Faust's threads cannot be ended.
    """
    # Faust logs for our app under the module in which it is defined.
    quieten(WorkerApp.__module__)
    look_by_the_clock()
    with asyncio.Runner() as runner:
        code, let_go = runner.run(_main(config, serving))
        if not let_go:
            # The threads wait for the group (a rebalance, a broker that is away) and nothing can call them off. What
            # counts is written. Without this the process would stay until they have finished.
            logging.shutdown()
            os._exit(code)
    return code


async def _main(config: WorkerConfig, serving: Serving) -> tuple[int, bool]:
    """Return the exit code, and whether nothing of Faust runs on."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    looking = asyncio.create_task(look())
    worker = None
    status = WorkerStatus()
    try:
        async with serving(status):
            while (transactions := await _ready(config, stop)) is not None:
                worker = Worker(config, status, transactions=transactions)
                try:
                    await worker.run(stop)
                except BrokerUnavailable as error:
                    if not worker.let_go:
                        # What runs on of it would be in the group beside the next one.
                        raise
                    status.begin_again()
                    log.warning("broker.unavailable %s Trying again every %g s.", error, client.RETRY_S)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), client.RETRY_S)
    except LivefuseError as error:
        log.error("worker.ended %s", error)  # noqa: TRY400 (the message says it all, a traceback would hide it)
        return error.exit_code, worker is None or worker.let_go
    finally:
        looking.cancel()
    log.info("worker.stopped")
    return 0, worker is None or worker.let_go


async def _ready(config: WorkerConfig, stop: asyncio.Event) -> bool | None:
    """Wait for the broker, and see that it has what a worker needs.

    Returns whether it has transactions, None if told to stop before. Raises TopicMismatch and BrokerRefused.
    """
    arguments = config.kafka.client
    needed = _needed(config)
    while await client.wait_for_broker(arguments, stop):
        try:
            await require_rights(arguments, rights(config.topics, config.partitions, config.application)["worker"])
            client.check_topics(await client.partition_counts(arguments), needed)
            transactions = config.kafka.transactions
            return await client.supports_transactions(arguments) if transactions is None else transactions
        except BrokerUnavailable as error:
            log.warning("broker.unavailable %s Trying again.", error)
            await asyncio.sleep(client.RETRY_S)
    return None


def _needed(config: WorkerConfig) -> dict[str, int | None]:
    names = config.topics
    ours = {names.signals, names.state, names.fuse_events, names.fuse_state, names.replenishment, names.watchlist}
    return {each.name: each.partitions for each in topics(names, config.partitions) if each.name in ours}
