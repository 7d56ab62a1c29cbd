"""The shop of the soak, as a process of its own: a sale of `livefuse simulate` that began an hour and a half ago.

What has happened already goes out as fast as Kafka takes it; then it makes the file `live`, and what follows goes out
when it happens. It never ends by itself.

    python -m tests.bench.soak_feed '{"bootstrap": ..., "names": {...}, "orders_per_second": ..., "products": ...,
                                      "live": ...}'
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from deploy.simulator.config import SaleConfig
from deploy.simulator.sale import simulate
from tests.bench.backlog import PARTITIONS

AGO: Final = timedelta(minutes=90)
"""After it states hardly grow any more. An hour is what the windows and the memory of repeats hold, and a product that
sells little forgets only when a quarter of what it remembers is older. (Complaints, which are few, are kept for 135
minutes.)
"""

# As a shop's many producers do, records go out a little later, many at once.
_SLOT_S: Final = 0.02
_TURN: Final = 500


def sale(orders_per_second: float, products: int) -> SaleConfig:
    """Return the sale: a steady rate, flash deals, late and repeated records, incidents anew every 20 minutes."""
    return SaleConfig(
        start=datetime.now(UTC) - AGO,
        duration=None,
        products=products,
        orders_per_second=orders_per_second,
        peak_factor=1.0,
        flash_every=timedelta(minutes=1),
        partitions=PARTITIONS,
        programme="demo",
    )


async def feed(bootstrap: str, names: dict[str, str], config: SaleConfig, live: Callable[[], None]) -> None:
    """Send the sale's records until cancelled; call `live` when all that is past is sent.

    Raises what aiokafka raises for a record that is not taken.
    """
    behind = True
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    failures: list[BaseException] = []

    def check(acknowledged: "asyncio.Future[Any]") -> None:
        if not acknowledged.cancelled() and (failure := acknowledged.exception()) is not None:
            failures.append(failure)

    async with producer:
        for number, record in enumerate(simulate(config)):
            ahead_s = record.ts / 1000 - time.time()
            if ahead_s > 0:
                if behind:
                    behind = False
                    live()
                await asyncio.sleep(ahead_s + _SLOT_S)
            elif number % _TURN == 0:
                await asyncio.sleep(0)
            sent = await producer.send(
                names[record.topic], record.value, record.key, record.partition, timestamp_ms=record.ts
            )
            sent.add_done_callback(check)
            if failures:
                raise failures[0]


def main() -> None:
    """Feed as the argument says."""
    plan: dict[str, Any] = orjson.loads(sys.argv[1])
    config = sale(plan["orders_per_second"], plan["products"])
    asyncio.run(feed(plan["bootstrap"], plan["names"], config, Path(plan["live"]).touch))


if __name__ == "__main__":
    main()
