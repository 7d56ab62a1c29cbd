"""What the doors and the desk count."""

from typing import Protocol


class Meter(Protocol):
    """Counters of the console. All arguments come from small fixed sets, so they may be labels."""

    def commands(self, action: str, outcome: str) -> None:
        """Count an order and what came of it: applied, rejected, conflict, wrong_room, not_sent, unknown."""

    def refused(self, reason: str) -> None:
        """Count a request that was turned down, by the code of the refusal."""

    def logins(self, outcome: str) -> None:
        """Count a sign-in: ok, failed, limited."""
