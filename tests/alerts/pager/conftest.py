"""What all tests of the pager need."""

from collections.abc import AsyncIterator

import aiohttp
import pytest


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the session that channels are handed."""
    async with aiohttp.ClientSession() as client:
        yield client
