"""What happens to processes in production, at random moments: `kill -9`, a power cut, and standing still for too long.

    faults = Faults(cluster, Random(seed), kills=20, zombies=8)
    await faults.run()

A zombie is a process that is stopped for longer than its session timeout and then continued: others have taken over its
work, and it does not know. Every process that was killed, or that ended by itself, is started again as a supervisor would.
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

    def __init__(self, cluster: Cluster, rng: Random, *, kills: int, zombies: int, frozen: timedelta) -> None:
        self.done: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._cluster = cluster
        self._rng = rng
        self._kills = kills
        self._zombies = zombies
        self._frozen_s = frozen.total_seconds()

    async def run(self) -> None:
        """Let all of them happen, one after the other, and leave every service alive."""
        while self.done["kill"] < self._kills or self.done["zombie"] < self._zombies:
            await asyncio.sleep(self._rng.uniform(*_PAUSE_S))
            self.revive()
            left = [self._kills - self.done["kill"], self._zombies - self.done["zombie"]]
            strike = self._rng.choices((self._kill, self._freeze), [max(0, each) for each in left])[0]
            await strike(self._victims())
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
        log.info("kill -9 %s", [victim.name for victim in victims])
        for victim in victims:
            victim.end()
            self.done["kill"] += 1
            self.done[f"kill {victim.command}"] += 1
        for victim in victims:
            await asyncio.sleep(self._rng.uniform(*_DOWN_S))
            victim.start()

    async def _freeze(self, victims: Sequence[Service]) -> None:
        log.info("stop %s for %g s", [victim.name for victim in victims], self._frozen_s)
        for victim in victims:
            victim.freeze()
        await asyncio.sleep(self._frozen_s)
        for victim in victims:
            victim.thaw()
            self.done["zombie"] += 1
            self.done[f"zombie {victim.command}"] += 1
