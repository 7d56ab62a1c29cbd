"""What the libraries may say in the log of a worker: warnings, each of them once in ten seconds, and nothing twice.

While a broker is away aiokafka reports every attempt of every connection, some fifty lines a second, between which the
lines that tell an operator what is going on would be lost. And it leaves futures of a producer that has failed behind,
of which asyncio prints the errors once more, as tracebacks; the lane has told of them before.
"""

import logging
import time
from typing import Final

from aiokafka.errors import KafkaError

_LIBRARIES: Final = ("aiokafka", "faust", "mode")
_PAUSE_S: Final = 10.0


class Sparing(logging.Filter):
    """Lets the same message (whatever its arguments) pass once in ``pause_s`` seconds."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self._pause_s = pause_s
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record may pass."""
        message, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._passed.get(message, -self._pause_s) < self._pause_s:
            return False
        self._passed[message] = now
        return True


def told_before(record: logging.LogRecord) -> bool:
    """Tell whether a record of asyncio is about an error of aiokafka that nobody has asked a future for."""
    error = record.exc_info[1] if record.exc_info else None
    return isinstance(error, KafkaError) and "never retrieved" in record.getMessage()


def quieten(*more: str) -> None:
    """Hush the libraries, and the loggers named ``more``, unless somebody has asked for DEBUG.

    The libraries must have been imported: a filter of a logger does not hold for those below it.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    sparing = Sparing(_PAUSE_S)
    for name in (*_LIBRARIES, *more):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger(name).level))
        for each in list(logging.root.manager.loggerDict):
            if each == name or each.startswith(f"{name}."):
                logging.getLogger(each).addFilter(sparing)
    logging.getLogger("asyncio").addFilter(lambda record: not told_before(record))
