"""What has to happen in a drill, when it did, and what to do where it did not."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "missing", "skipped"]


@dataclass(slots=True, eq=False)
class Step:
    """One step. `ms`: when it was seen, since the first complaint was sent; None: it was not.

    `is_over`: what became of it is known; until then it counts as missing. `told` says what there is to say: whom it
    went to, what is missing and what to do, or why nothing had to happen.
    """

    name: str
    outcome: Outcome = "missing"
    ms: int | None = None
    told: str = "what comes before it did not happen"
    is_over: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return {"step": self.name, "ms": self.ms, "outcome": self.outcome, "told": self.told or None}


@dataclass(slots=True)
class Steps:
    """All steps of a drill, in their order. What arrives after `within_s` has arrived too late. `clock`: seconds.

    `is_late`: the time is over already because of an earlier step, so no later one can be blamed for it.
    """

    within_s: float
    clock: Callable[[], float] = time.monotonic
    began: float = 0.0
    is_late: bool = False
    all: list[Step] = field(default_factory=list)

    def begin(self) -> None:
        """Time starts now."""
        self.began = self.clock()

    def add(self, name: str) -> Step:
        """Add a step that has not happened."""
        step = Step(name)
        self.all.append(step)
        return step

    def arrived(self, step: Step, told: str = "", at: float | None = None) -> None:
        """Note that a step has happened: now, or at a time of the clock."""
        step.ms = round(1000 * ((self.clock() if at is None else at) - self.began))
        late = not self.is_late and step.ms > 1000 * self.within_s
        step.outcome = "missing" if late else "ok"
        step.told = "; ".join(each for each in (f"later than {self.within_s:g} s" * late, told) if each)
        step.is_over = True

    def failed(self, step: Step, told: str) -> None:
        """Note what is missing, and what to do."""
        step.outcome, step.told, step.is_over = "missing", told, True

    def skipped(self, step: Step, told: str) -> None:
        """Note that nothing has to happen here."""
        step.outcome, step.told, step.is_over = "skipped", told, True

    @property
    def left_s(self) -> float:
        """How much time is left."""
        return max(0.0, self.began + self.within_s - self.clock())

    @property
    def passed(self) -> bool:
        """Whether all that has to happen did."""
        return bool(self.all) and all(each.outcome != "missing" for each in self.all)
