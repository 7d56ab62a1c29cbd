"""What happens to processes in production, at random moments: a crash, a power cut, standing still, a new release.

    faults = Faults(cluster, Random(seed), kills=20, zombies=8, drains=4, frozen=timedelta(seconds=10))
    await faults.run()

A zombie is a process that is stopped for longer than its session timeout and then continued: others have taken over its
work, and it does not know. A drained one ends in order (SIGTERM). What ended is started again, as a supervisor would.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Final

from tests.kafka.cluster import Cluster, Service

log = logging.getLogger(__name__)

_PAUSE_S: Final = (0.5, 6.0)
"""Between two faults: some strike in the middle of a rebalance, some after it."""

_DOWN_S: Final = (0.0, 3.0)
_POWER_CUT: Final = 0.06
_TWO_AT_ONCE: Final = 0.15


class Faults:
    """A plan of faults in random order, for the services of a cluster.

    `frozen` is how long a zombie stands still. `done` counts what was done; `ended` what ended by itself, by name.
    """

    def __init__(
        self, cluster: Cluster, rng: Random, *, kills: int, zombies: int, frozen: timedelta, drains: int = 0
    ) -> None:
        self.done: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._cluster = cluster
        self._rng = rng
        self._planned = {"kill": kills, "zombie": zombies, "drain": drains}
        self._frozen_s = frozen.total_seconds()

    async def run(self) -> None:
        """Let all of them happen, one after the other, and leave every service alive."""
        strikes = {"kill": self._kill, "zombie": self._freeze, "drain": self._drain}
        while left := {kind: todo for kind, plan in self._planned.items() if (todo := plan - self.done[kind]) > 0}:
            await asyncio.sleep(self._rng.uniform(*_PAUSE_S))
            self.revive()
            (kind,) = self._rng.choices(list(left), list(left.values()))
            victims = self._victims()
            log.info("%s %s", kind, [victim.name for victim in victims])
            await strikes[kind](victims)
            for victim in victims:
                self.done[kind] += 1
                self.done[f"{kind} {victim.command}"] += 1
        self.revive()

    def revive(self) -> None:
        """Start again what has ended by itself."""
        for service in self._cluster.services:
            if not service.alive:
                self.ended[service.name] += 1
                log.info("%s had ended by itself: %s", service.name, service.tail(3))
                service.start()

    def _victims(self) -> Sequence[Service]:
        services = self._cluster.services
        chance = self._rng.random()
        if chance < _POWER_CUT:
            return services
        if chance < _POWER_CUT + _TWO_AT_ONCE:
            return self._rng.sample(services, 2)
        # There are more workers than intakes; they take turns all the same.
        command = self._rng.choice(sorted({each.command for each in services}))
        return [self._rng.choice([each for each in services if each.command == command])]

    async def _kill(self, victims: Sequence[Service]) -> None:
        for victim in victims:
            victim.end()
        await self._restart(victims)

    async def _drain(self, victims: Sequence[Service]) -> None:
        for victim in victims:
            code = await asyncio.to_thread(victim.drain)
            assert code == 0, f"{victim.name} ended with {code} when it was told to stop: {victim.tail()}"
        await self._restart(victims)

    async def _restart(self, victims: Sequence[Service]) -> None:
        for victim in victims:
            await asyncio.sleep(self._rng.uniform(*_DOWN_S))
            victim.start()

    async def _freeze(self, victims: Sequence[Service]) -> None:
        for victim in victims:
            victim.freeze()
        await asyncio.sleep(self._frozen_s)
        for victim in victims:
            victim.thaw()
