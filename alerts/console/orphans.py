"""Commands of which the audit does not tell what came of them: of a console that has died, or is another one.

    its events are known                    the outcome is written
    no events, and it never was sent        `not_sent`: the console died between the line and the command
    no events, although it was sent         it waits for the pipeline; after an hour `unknown`

A while passes first, so that a console that lives writes its outcomes itself. If two write the same one, that is one
line.
"""

import asyncio
import logging
from typing import Final

from aiokafka.errors import KafkaError

from alerts.console.audit import Audit
from alerts.console.config import ConsoleConfig
from alerts.console.desk import SEND_WITHIN_S, Desk
from alerts.console.order import Commanded
from alerts.consumer import lanes, open_consumer, reached, start_at

ANSWERED_AFTER_MS: Final = 5_000
SENT_BY_MS: Final = int(SEND_WITHIN_S * 1000) + 15_000
"""After that nobody tries to send a command any more."""

UNKNOWN_AFTER_MS: Final = 3_600_000

_LOOK_S: Final = 1.0
_SLACK_MS: Final = 60_000
_SCAN_WITHIN_S: Final = 30.0

log = logging.getLogger(__name__)


class Orphans:
    """Looks after commands without an outcome."""

    def __init__(self, config: ConsoleConfig, desk: Desk, audit: Audit) -> None:
        self._config = config
        self._desk = desk
        self._audit = audit
        self._sent: set[str] = set()

    async def run(self) -> None:
        """Look every second until cancelled."""
        await self._audit.ready.wait()
        while True:
            try:
                await self.look()
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("orphans.broker_away error=%s", type(error).__name__)
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Conclude what can be concluded. Raises KafkaError, OSError, TimeoutError."""
        now_ms = self._audit.now_ms
        unsure = []
        for each in self._desk.open_commands():
            age_ms = now_ms - each.entry.at
            if each.events:
                if age_ms > ANSWERED_AFTER_MS:
                    self._desk.settled(each)
            elif age_ms > UNKNOWN_AFTER_MS:
                self._desk.conclude(each, "unknown")
            elif not each.is_ours and age_ms > SENT_BY_MS and each.command_id not in self._sent:
                unsure.append(each)
        self._desk.forget()
        if unsure:
            await self._find(unsure)

    async def _find(self, unsure: list[Commanded]) -> None:
        """Look for commands where they must be if they were sent."""
        wanted = {each.command_id.encode(): each for each in unsure}
        since_ms = min(each.entry.at for each in unsure) - _SLACK_MS
        partitions = lanes(self._config.topics.commands, self._config.partitions)
        async with asyncio.timeout(_SCAN_WITHIN_S), open_consumer(self._config.client) as consumer:
            ends = await consumer.end_offsets(partitions)
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, since_ms)))
            start_at(
                consumer, {each: ends[each] if (at := found.get(each)) is None else at.offset for each in partitions}
            )
            while wanted and not await reached(consumer, ends):
                for records in (await consumer.getmany(timeout_ms=200, max_records=2_000)).values():
                    for record in records:
                        for command_id in [each for each in wanted if each in (record.value or b"")]:
                            self._sent.add(wanted.pop(command_id).command_id)
        for each in wanted.values():
            if each.outcome is None and not each.events:
                self._desk.conclude(each, "not_sent", detail="the console ended before it was sent")
