"""Rounds: one every ten seconds, in each of which a worker and an intake are killed, while workers come and go.

    worker    kill ── 0 to 3 s ── started again        every round
    intake      0 to 5 s ── kill ── 0 to 3 s ── started again
    crew      3 ── 5 ── 2 ── 4 ...                     every third round: added, or told to end and gone for good

A killed process that is started again at once meets its own shadow in the group; one that comes later meets those who
have taken over. Both happen.
"""

import asyncio
import time
from collections import Counter
from random import Random
from typing import Final

from tests.kafka.cluster import Cluster, Service
from tests.kafka.takeovers import Decisions, lanes_of

_EVERY_S: Final = 10.0
_DOWN_S: Final = (0.0, 3.0)
_CREWS: Final = (3, 5, 2, 4, 2, 5, 3)
_ROUNDS_OF_A_CREW: Final = 3


class Rounds:
    """So many rounds. `done` counts what was done; takeovers are noted in `decisions`."""

    def __init__(self, cluster: Cluster, rng: Random, decisions: Decisions, *, rounds: int) -> None:
        self.done: Counter[str] = Counter()
        self._cluster = cluster
        self._rng = rng
        self._decisions = decisions
        self._rounds = rounds

    async def run(self) -> None:
        """Let all of them happen, and leave every service alive that was not sent away."""
        began_s = time.monotonic()
        for number in range(self._rounds):
            await asyncio.sleep(max(0.0, began_s + number * _EVERY_S - time.monotonic()))
            self._revive()
            await self._crew(_CREWS[number // _ROUNDS_OF_A_CREW % len(_CREWS)])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._kill(self._any("worker"), 0.0))
                tasks.create_task(self._kill(self._any("intake"), self._rng.uniform(0, _EVERY_S / 2)))
        await asyncio.sleep(max(0.0, began_s + self._rounds * _EVERY_S - time.monotonic()))
        self._revive()

    def _any(self, command: str) -> Service:
        found = [each for each in self._cluster.services if each.command == command]
        # One that has nothing is not worth a kill.
        busy = [each for each in found if command == "worker" and lanes_of(each)]
        return self._rng.choice(busy or found)

    async def _kill(self, victim: Service, after_s: float) -> None:
        down_s = self._rng.uniform(*_DOWN_S)
        await asyncio.sleep(after_s)
        lanes = lanes_of(victim) if victim.command == "worker" else frozenset[int]()
        victim.end()
        self._decisions.note("killed", lanes)
        self.done[f"{victim.command} killed"] += 1
        await asyncio.sleep(down_s)
        victim.start()

    async def _crew(self, size: int) -> None:
        workers = [each for each in self._cluster.services if each.command == "worker"]
        for _ in range(size - len(workers)):
            self._cluster.worker()
            self.done["worker added"] += 1
        for leaver in self._rng.sample(workers, max(0, len(workers) - size)):
            self._cluster.services.remove(leaver)
            code = await asyncio.to_thread(leaver.drain)
            assert code == 0, f"{leaver.name} ended with {code} when it was told to stop: {leaver.tail()}"
            self.done["worker removed"] += 1

    def _revive(self) -> None:
        for service in self._cluster.services:
            if not service.alive:
                self.done[f"{service.command} ended by itself"] += 1
                service.start()
