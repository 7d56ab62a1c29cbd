"""`livefuse` whose lanes store one product at a time: so a small sale has checkpoints as large ones have them.

python -m tests.kafka.piecemeal worker
"""

import sys
from typing import Final

from deploy.cli import main
from streams.worker import opening
from streams.worker.lane import Lane

PIECEMEAL: Final = (sys.executable, "-m", "tests.kafka.piecemeal")


class PiecemealLane(Lane):
    """Also while it is behind; only a lane that ends writes all that is left."""

    async def flush(self, *, quick: bool = False) -> None:
        await self._flush(lambda: 1 if quick else None)

    def _most(self) -> int | None:
        return 0 if super()._most() == 0 else 1


if __name__ == "__main__":
    opening.Lane = PiecemealLane  # type: ignore[attr-defined]
    main()
