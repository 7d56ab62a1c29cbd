"""What a program of the comparison is told by its environment: the broker, its name, its topics, where to keep data."""

import os
from typing import Final

from tests.bench.compare.rules import COMPLAINT, ORDER, RETURN, STOCK

PARTITIONS: Final = 4
SESSION_MS: Final = 6_000
"""How long the group waits for a member that is silent, the same for all, livefuse too."""

COMMIT_S: Final = 1.0
"""How often what was done is committed: after a crash that much is done again."""

APPLICATION: Final = os.environ.get("COMPARE_APPLICATION", "compare")
BROKER: Final = os.environ.get("COMPARE_BROKER", "localhost:9092")
DATA: Final = os.environ.get("COMPARE_DATA", "compare-data")

ORDERS: Final = f"{APPLICATION}.orders"
RETURNS: Final = f"{APPLICATION}.returns"
COMPLAINTS: Final = f"{APPLICATION}.complaints"
STOCK_LEVELS: Final = f"{APPLICATION}.stock-levels"
EVENTS: Final = f"{APPLICATION}.events"

KINDS: Final = {ORDERS: ORDER, RETURNS: RETURN, COMPLAINTS: COMPLAINT, STOCK_LEVELS: STOCK}
"""The input topics and what a record of each is."""
