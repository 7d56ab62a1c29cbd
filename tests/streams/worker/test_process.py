"""A worker process whose broker goes away: it begins again, unless something of the worker before it runs on."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import cast

import pytest
from aiokafka import errors

from deploy.embedded import free_port
from schemas.errors import BrokerRefused, BrokerUnavailable, LivefuseError
from streams import client
from streams.config import WorkerConfig
from streams.worker import process
from streams.worker.app import WorkerApp
from streams.worker.lanes import Lanes
from streams.worker.status import WorkerStatus
from streams.worker.worker import Worker, _watch
from tests.kafka.worker_rig import config_of

LET_GO = "let go"
HELD = "held"


def config() -> WorkerConfig:
    return config_of(f"127.0.0.1:{free_port()}", "nobody")


class Life:
    """A worker that loses its broker, or is told to stop: what the next one does is in `plan`."""

    def __init__(self, plan: list[str], lives: list["Life"], status: WorkerStatus) -> None:
        self._end = plan.pop(0) if plan else None
        self.let_go = self._end != HELD
        self.ready_before = status.ready()
        status.lanes = cast("Lanes", SimpleNamespace(joined=True, draining=True, assigned={0}, open={}))
        lives.append(self)

    async def run(self, stop: asyncio.Event) -> None:
        if self._end is not None:
            raise BrokerUnavailable("x")
        stop.set()


async def lived(monkeypatch: pytest.MonkeyPatch, *plan: str) -> tuple[list[Life], tuple[int, bool]]:
    """Return the lives of workers with such ends, one after the other, and what the process returns."""
    lives: list[Life] = []
    left = list(plan)

    async def ready(_: WorkerConfig, stop: asyncio.Event) -> bool | None:
        return None if stop.is_set() else True

    monkeypatch.setattr(process, "_ready", ready)
    monkeypatch.setattr(process, "Worker", lambda _, status, **__: Life(left, lives, status))
    monkeypatch.setattr(client, "RETRY_S", 0.01)
    return lives, await process._main(config(), nullcontext)  # noqa: SLF001 (`run` is for a main thread)


async def test_a_worker_whose_broker_goes_away_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lives, end = await lived(monkeypatch, LET_GO, LET_GO)
    assert (len(lives), end) == (3, (0, True))
    assert {each.ready_before for each in lives} == {"it waits for the broker"}


async def test_nothing_begins_beside_what_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lives, end = await lived(monkeypatch, LET_GO, HELD)
    assert (len(lives), end) == (2, (BrokerUnavailable.exit_code, False))


async def test_a_broker_that_is_lost_at_the_start_is_one_that_may_come_back() -> None:
    worker = Worker(config(), WorkerStatus(), transactions=True)
    with pytest.raises(BrokerUnavailable, match="while the worker started"):
        await worker.run(asyncio.Event())
    assert worker.let_go


@pytest.mark.parametrize(
    ("crash", "meaning"),
    [
        # What a broker answers that cannot write the group's offsets, and what aiokafka makes of a heartbeat then.
        (errors.UnknownError(), BrokerUnavailable),
        (errors.KafkaError("Unexpected exception in heartbeat task"), BrokerUnavailable),
        (errors.GroupAuthorizationFailedError("g"), BrokerRefused),
        (RuntimeError("x"), LivefuseError),
        (None, LivefuseError),
    ],
    ids=str,
)
async def test_what_stopped_faust_says_whether_to_begin_again(
    crash: Exception | None, meaning: type[LivefuseError]
) -> None:
    async def stopped() -> None:
        pass

    found: list[Exception] = []
    await _watch(cast("WorkerApp", SimpleNamespace(wait_until_stopped=stopped, crash_reason=crash)), found.append)
    assert [type(each) for each in found] == [meaning]
