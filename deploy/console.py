"""The console as a process: wait for the broker, see that the topics are there, serve until SIGTERM or Ctrl-C.

It serves from the start, also while the broker is away: the page then says what it does not know.
"""

import asyncio
import logging
import signal

from prometheus_client import disable_created_metrics

from alerts.console import server
from alerts.console.accounts import AccountsFile
from alerts.console.doors import Doors
from deploy import web
from deploy.pipeline import Pipeline
from deploy.readiness import wait_until_ready
from deploy.settings import Settings
from schemas.errors import ConfigurationError

log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Run a console until it is told to stop; return the exit code. Raises ConfigurationError, BrokerRefused."""
    _somebody_may_sign_in(settings)
    # Series of their own that say when each counter was first seen: Prometheus has no use for them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    asyncio.run(_main(settings))
    return 0


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def prepare() -> None:
        await _ready(settings, stop)

    async with Pipeline(settings) as pipeline:
        await server.run(
            settings.console_config(),
            stop,
            web.registry("console"),
            prepare,
            lambda port, each: web.serving(port, each.registry, each),
            pipeline,
            Doors,
        )


async def _ready(settings: Settings, stop: asyncio.Event) -> None:
    """Wait until there is what a console reads. Raises TopicMismatch, BrokerRefused."""
    names = settings.topics
    read = {names.fuse_events, names.fuse_state, names.watchlist, names.commands, names.audit}
    await wait_until_ready(settings, stop, "console", read)


def _somebody_may_sign_in(settings: Settings) -> None:
    """Raise ConfigurationError where accounts are the only way in, and there is none."""
    config = settings.console_config()
    if config.proxy or config.oidc or config.accounts_file is None:
        return
    try:
        accounts = AccountsFile(config.accounts_file).all()
    except OSError as error:
        raise ConfigurationError(
            f"LIVEFUSE_CONSOLE__ACCOUNTS_FILE={config.accounts_file} cannot be read: {error.strerror or error}."
        ) from error
    if not accounts:
        raise ConfigurationError(
            f"there is no account in {config.accounts_file}. `livefuse console user add NAME --role admin` makes one."
        )
