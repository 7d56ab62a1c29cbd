"""Users for the tests of rights: one for each role with exactly its rights, and one for each right that lacks only it.

    rig = RightsRig(cluster, directory)
    rig.settings("worker")                   # Settings of who may do all that a worker must
    rig.lacking("worker", 3)                 # of who lacks the fourth of its rights

The names of topics and groups are livefuse's defaults.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.settings import Settings
from schemas.rights import ROLES, Right, Role, rights
from schemas.topics import TopicNames, topics
from tests.kafka.secured import ROOT, LockedCluster

PARTITIONS: Final = 2
APPLICATION: Final = "livefuse"
NAMES: Final = TopicNames()
RIGHTS: Final = rights(NAMES, PARTITIONS, APPLICATION, ["night"])

_SHARED: Final = {
    "LIVEFUSE_PARTITIONS": str(PARTITIONS),
    "LIVEFUSE_SESSION_TIMEOUT": "6s",
    "LIVEFUSE_WORKER__FLUSH_INTERVAL": "50ms",
}


def user(role: Role, lacks: int | None = None) -> str:
    """Return the name of a role's user."""
    return f"{APPLICATION}-{role}" if lacks is None else f"{APPLICATION}-{role}-lacks-{lacks}"


def users(lacking: Iterable[Role] = ROLES) -> dict[str, tuple[Right, ...]]:
    """Return a user of each role, of the roles `lacking` also those who lack a right, and what each may do."""
    found: dict[str, tuple[Right, ...]] = {user(role): RIGHTS[role] for role in ROLES}
    for role in lacking:
        held = RIGHTS[role]
        for number in range(len(held)):
            found[user(role, number)] = (*held[:number], *held[number + 1 :])
    return found


def passwords(lacking: Iterable[Role] = ROLES) -> dict[str, str]:
    """Return a password for each of these users. Kafka takes a while for each."""
    return {name: f"of-{name}" for name in users(lacking)}


class RightsRig:
    """Settings and environments of the users of a cluster. `directory` takes their password files."""

    def __init__(self, cluster: LockedCluster, directory: Path, lacking: Iterable[Role] = ROLES) -> None:
        self.cluster = cluster
        self.directory = directory
        self._lacking = lacking

    def prepare(self) -> None:
        """Grant all rights, and create the shop's topics, which are not for livefuse to create."""
        asyncio.run(self._prepare())

    def environment(self, role: Role, lacks: int | None = None) -> dict[str, str]:
        """Return the variables of a role's user, without those of the machine."""
        return _SHARED | self.cluster.environment(user(role, lacks), self.directory)

    def settings(self, role: Role, lacks: int | None = None, more: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of a role's user."""
        return Settings.load(None, self.environment(role, lacks) | dict(more or {}))

    async def create(self, names: Sequence[str], partitions: int = PARTITIONS) -> None:
        """Create topics, as somebody who may."""
        admin = AIOKafkaAdminClient(**self.cluster.client(ROOT))
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, len(self.cluster.brokers)) for name in names])
        finally:
            await admin.close()

    async def _prepare(self) -> None:
        await self.cluster.grant(users(self._lacking))
        await self.create([each.name for each in topics(NAMES, PARTITIONS) if not each.ours])
