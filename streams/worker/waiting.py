"""What a worker waits for the broker with. Whoever reads its log must see that it waits, whatever it was about to do.

in the middle of a flush      the flush is not acknowledged
after a failed flush          the lane does not open again
with nothing to write         the broker tells nothing of the partition: it answers some ten times a second

All of it is told every few seconds for as long as it lasts.
"""

import logging
from collections.abc import Collection

from streams.worker.lanes import Lanes

log = logging.getLogger(__name__)


def warn_of_waiting(lanes: Lanes, silent: Collection[int]) -> None:
    """Warn of the partitions that wait. ``silent`` are those of which the broker has told nothing for some seconds."""
    stalled = {number for number, lane in lanes.open.items() if lane.stalled}
    for numbers, why in (
        (stalled, "a flush is not acknowledged"),
        (lanes.unopened, "the lane does not open"),
        (lanes.assigned & set(silent) - stalled - lanes.unopened, "nothing is told of it"),
    ):
        if numbers:
            log.warning(
                "worker.waiting partitions %s: %s. The broker is away or does not take records (disk full, too few "
                "replicas); nothing is lost, the worker waits.",
                sorted(numbers),
                why,
            )
