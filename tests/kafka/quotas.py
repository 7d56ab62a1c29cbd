"""A quota of Kafka for what a user reads: so a backlog lasts for as long as a test wants, however fast the machine is.

    await pace(bootstrap, "chaos-intake", 30_000)     # each broker gives that user 30,000 bytes a second, and no more
    await pace(bootstrap, "chaos-intake", None)       # as fast as it can

Brokers hold it evenly with `SHORT_WINDOWS`: one batch of one partition, then as long a wait as it is worth. Without
that they give the bytes of ten seconds at once, all of one partition if there are so many.
"""

from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from tests.kafka.reading import admin_of

SHORT_WINDOWS: Final = {"quota.window.num": 1}
"""A setting of brokers."""

_NAME: Final = String("utf-8")
_ENTITY: Final = ("entity", Array(("type", _NAME), ("name", _NAME)))


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(("throttle_time_ms", Int32), ("entries", Array(("code", Int16), ("message", _NAME), _ENTITY)))


class _Entries(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("entries", Array(_ENTITY, ("ops", Array(("key", _NAME), ("value", Float64), ("remove", Boolean))))),
        ("validate_only", Boolean),
    )


class _AlterClientQuotas(Request[_Entries]):  # type: ignore[misc]
    """aiokafka has none."""

    API_KEY = 49

    def __init__(self, user: str, bytes_per_second: float | None) -> None:
        self._operation = ("consumer_byte_rate", bytes_per_second or 0.0, bytes_per_second is None)
        self._entity = [("user", user)]

    def build(self, request_struct_class: type[_Entries]) -> _Entries:
        validate_only = False
        return request_struct_class([(self._entity, [self._operation])], validate_only)


async def pace(bootstrap: str, user: str, bytes_per_second: float | None) -> None:
    """Let each broker give a user no more than that; None: as much as it asks for."""
    async with admin_of(bootstrap) as admin:
        client: Any = admin._client  # noqa: SLF001 -- as in deploy/grants.py
        answer = await client.send(client.get_random_node(), _AlterClientQuotas(user, bytes_per_second))
    assert all(code == 0 for code, _, _ in answer.entries), answer
