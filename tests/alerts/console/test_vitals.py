import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiokafka.errors import KafkaConnectionError

from alerts.console.board import Board
from alerts.console.models import Health
from alerts.console.vitals import UNKNOWN_AFTER_S, Vitals
from tests.alerts.console.test_board import NOON_MS
from tests.alerts.console.test_server import LOOK, Looking
from tests.alerts.pager.examples import event


class Patient:
    """Vitals whose clock and surroundings a test sets."""

    def __init__(self) -> None:
        self.now = NOON_MS / 1000
        self.heard = self.now
        self.is_away = False
        self.unavailable: str | None = None
        self.board = Board()
        self.pipeline = Looking()
        self._told = asyncio.Event()
        self.vitals = Vitals(
            self.board,
            self,
            self.pipeline,
            unavailable=lambda: self.unavailable,
            told=self._told.set,
            clock=lambda: self.now,
        )

    async def look(self) -> Mapping[str, Any]:
        """Let it look once, and return the health."""
        running = asyncio.create_task(self.vitals.run())
        await self._told.wait()
        self._told.clear()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        found: Mapping[str, Any] = orjson.loads(self.vitals.json())
        Health.model_validate_json(self.vitals.json())
        return found

    async def told(self) -> None:
        """Wait until people are told the next time."""
        self._told.clear()
        await self._told.wait()

    async def problems(self) -> list[str]:
        return [each["code"] for each in (await self.look())["problems"]]


@pytest.fixture
async def patient() -> Patient:
    return Patient()


async def test_all_is_well(patient: Patient) -> None:
    found = await patient.look()
    assert found["problems"] == []
    assert (found["intakes"], found["workers"], found["intake_lag"], found["behind_s"]) == (1, 2, 3, 0.5)
    assert found["looked_at"] == found["heard_at"] == "2026-11-11T12:00:00.123Z"
    assert [each["topic"] for each in found["inputs"]] == ["live.orders"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"intakes": 0}, "no_intake"), ({"workers": 0}, "no_worker"), ({"behind_s": 60.0}, "behind")],
)
async def test_what_the_pipeline_lacks(patient: Patient, changes: dict[str, Any], problem: str) -> None:
    patient.pipeline.found = {**LOOK, **changes}
    assert await patient.problems() == [problem]


@pytest.mark.parametrize("error", [KafkaConnectionError(), OSError(), TimeoutError()])
async def test_what_the_broker_does_not_tell_is_unknown_and_not_as_before(patient: Patient, error: Exception) -> None:
    await patient.look()
    patient.pipeline.found = error
    assert await patient.problems() == []
    patient.now += UNKNOWN_AFTER_S + 1
    found = await patient.look()
    assert [each["code"] for each in found["problems"]] == ["health_unknown"]
    assert found["workers"] is found["intakes"] is None
    patient.pipeline.found = LOOK
    assert (await patient.look())["workers"] == 2


async def test_a_broker_that_is_away_missing_events_and_an_audit_that_cannot_be_written(patient: Patient) -> None:
    patient.is_away = True
    patient.unavailable = "The audit cannot be written."
    patient.board.take_event(event(sequence=1), NOON_MS)
    patient.board.take_event(event(sequence=5), NOON_MS)
    found = await patient.look()
    assert [each["code"] for each in found["problems"]] == ["audit_unavailable", "broker_away", "sequence_gap"]
    patient.now += 5
    again = await patient.look()
    # Since when stays as it was.
    assert [each["since"] for each in again["problems"]] == [each["since"] for each in found["problems"]]


async def test_people_are_told_although_a_look_takes_long(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.console.vitals.EVERY_S", 0.01)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def ponder() -> Mapping[str, Any]:
        asked.set()
        await answered.wait()
        return LOOK

    monkeypatch.setattr(patient.pipeline, "look", ponder)
    running = asyncio.create_task(patient.vitals.run())
    await asked.wait()
    for _ in range(3):
        await patient.told()
    assert orjson.loads(patient.vitals.json())["looked_at"] is None
    answered.set()
    while orjson.loads(patient.vitals.json())["looked_at"] is None:
        await patient.told()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
