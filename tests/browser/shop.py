"""A shop that makes fuses trip: surges of complaints, stock that runs out. It writes what a real shop would."""

import asyncio
import time
from itertools import count
from typing import Any, Self

import orjson
from aiokafka import AIOKafkaProducer

from schemas.times import from_ms
from schemas.topics import TopicNames

SURGE = 51
"""So many complaints within an hour trip `complaint-surge`."""
CRITICAL = 6
"""So many about food safety trip `critical-complaints`."""


def now_ms() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Shop:
    """Writes to the input topics. Everything has happened just now."""

    def __init__(self, bootstrap: str, names: TopicNames) -> None:
        self._names = names
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
        self._numbers = count(1)

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def complain(
        self, product_id: str, number: int = SURGE, *, category: str = "quality", room_id: str | None = "studio-1"
    ) -> None:
        """Send complaints about a product, all acknowledged when it returns."""
        await self._send(
            self._names.complaints,
            [
                {"complaint_id": f"c{next(self._numbers)}", "product_id": product_id, "category": category}
                | ({"room_id": room_id} if room_id else {})
                for _ in range(number)
            ],
        )

    async def stock(self, *levels: tuple[str, str | None, int]) -> None:
        """Say how much there is of products: id, SKU and number."""
        await self._send(
            self._names.stock_levels,
            [
                {"product_id": product_id, "on_hand": on_hand} | ({"sku_id": sku_id} if sku_id else {})
                for product_id, sku_id, on_hand in levels
            ],
        )

    async def order(self, *lines: tuple[str, str | None, int], room_id: str = "studio-1") -> None:
        """Order products, each in an order of its own: id, SKU and quantity."""
        await self._send(
            self._names.orders,
            [
                {
                    "order_id": f"o{next(self._numbers)}",
                    "room_id": room_id,
                    "lines": [
                        {"product_id": product_id, "quantity": quantity} | ({"sku_id": sku_id} if sku_id else {})
                    ],
                }
                for product_id, sku_id, quantity in lines
            ],
        )

    async def _send(self, topic: str, values: list[dict[str, Any]]) -> None:
        occurred_at = from_ms(now_ms())
        # One partition: what was sent first is read first.
        sent = [
            await self._producer.send(topic, orjson.dumps({**value, "occurred_at": occurred_at}), partition=0)
            for value in values
        ]
        await asyncio.gather(*sent)
