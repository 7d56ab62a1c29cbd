"""A clock that a test moves."""

from tests.alerts.pager.examples import event

NOON_MS = event().occurred_at
MINUTE = 60_000


class Clock:
    """Milliseconds since 1970, from noon of the examples on. Called, it returns seconds."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> float:
        return self.ms / 1000

    def pass_by(self, ms: int) -> None:
        """Let time pass."""
        self.ms += ms
