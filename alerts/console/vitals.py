"""How far what is shown can be trusted: what the broker tells of the pipeline, and what the console misses itself.

every 2 s: Pipeline.look ──▶ intakes, workers, lags, inputs ┐
follower: when the broker was heard                         ├▶ models.Health, with its problems
board: gaps          doors: whether orders are possible     ┘
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError

from alerts.console.board import Board
from alerts.console.config import Pipeline
from alerts.console.models import Health
from schemas.times import from_ms

EVERY_S: Final = 2.0
LOOK_S: Final = 5.0
"""How long one look may take."""

UNKNOWN_AFTER_S: Final = 10.0
BEHIND_S: Final = 10.0
"""Records that wait longer than this for their decision are a problem."""

_NOTHING: Final[Mapping[str, Any]] = {"intake_lag": 0, "worker_lag": 0, "behind_s": 0.0, "inputs": ()}
_FIELDS: Final = ("intakes", "workers", *_NOTHING)

log = logging.getLogger(__name__)


class Hearing(Protocol):
    """Who hears the broker."""

    heard: float

    @property
    def is_away(self) -> bool:
        """Whether it has not answered for a while."""


class Vitals:
    """The present health. `unavailable` says why no order can be given, `told` is called when there is news."""

    def __init__(
        self,
        board: Board,
        hearing: Hearing,
        pipeline: Pipeline,
        *,
        unavailable: Callable[[], str | None],
        told: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._hearing = hearing
        self._pipeline = pipeline
        self._unavailable = unavailable
        self._told = told
        self._clock = clock
        self._began = clock()
        self._looked_at: float | None = None
        self._found: Mapping[str, Any] = _NOTHING
        self._since: dict[str, int] = {}
        self._failed = False
        self._json = b""
        self._take()

    def json(self) -> bytes:
        """Return the health as JSON of `models.Health`, as of the last look."""
        return self._json

    async def run(self) -> None:
        """Look until cancelled."""
        looking: asyncio.Task[None] | None = None
        try:
            while True:
                began = time.monotonic()
                looking = looking or asyncio.create_task(self._look())
                # A broker that is away makes a look long. Pages hear all the same, or they would take that for silence.
                await asyncio.wait({looking}, timeout=EVERY_S)
                if looking.done():
                    looking.result()
                    looking = None
                self._take()
                self._told()
                await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))
        finally:
            if looking is not None:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                found = await self._pipeline.look()
        except (KafkaError, OSError, TimeoutError) as error:
            if not self._failed:
                log.warning("console.pipeline_unknown error=%s", type(error).__name__)
            self._failed = True
        else:
            self._found, self._looked_at, self._failed = found, self._clock(), False

    def _take(self) -> None:
        now_ms = int(self._clock() * 1000)
        problems = dict(self._problems())
        self._since = {code: self._since.get(code, now_ms) for code in problems}
        gap = self._board.gap(now_ms)
        if gap is not None:
            self._since["sequence_gap"] = gap[1]
        known = {name: self._found[name] for name in _FIELDS if name in self._found}
        if "health_unknown" in problems:
            known |= {"intakes": None, "workers": None}
        heard = self._hearing.heard
        health = {"intakes": None, "workers": None, **_NOTHING, **known} | {
            "heard_at": int(heard * 1000) if heard else None,
            "looked_at": None if self._looked_at is None else int(self._looked_at * 1000),
            "problems": [
                {"code": code, "since": self._since[code], "text": text} for code, text in sorted(problems.items())
            ],
        }
        self._json = Health.model_validate(health).model_dump_json().encode()

    def _problems(self) -> Iterator[tuple[str, str]]:
        now = self._clock()
        if self._hearing.is_away:
            heard = self._hearing.heard
            since = f"since {from_ms(int(heard * 1000))}" if heard else "yet"
            yield "broker_away", f"Kafka has not answered {since}: what is shown may be old."
        gap = self._board.gap(int(now * 1000))
        if gap is not None:
            yield "sequence_gap", f"Fuse events of {gap[0]} products are missing from the feed."
        unavailable = self._unavailable()
        if unavailable is not None:
            yield "audit_unavailable", unavailable
        if now - (self._looked_at or self._began) > UNKNOWN_AFTER_S:
            yield "health_unknown", "The broker does not tell how intakes and workers stand."
        elif self._looked_at is not None:
            if self._found["intakes"] == 0:
                yield "no_intake", "No intake is running: orders, returns and complaints are not read."
            if self._found["workers"] == 0:
                yield "no_worker", "No worker is running: nothing is decided."
            behind = self._found["behind_s"]
            if behind > BEHIND_S:
                yield "behind", f"Records wait {behind:.0f} s for their decision."
