"""A worker's start loads what it needs."""

import subprocess
import sys

import pytest

LOADS = """
import sys
from streams.worker.lean import load_faust
load_faust()
import streams.worker.process
print("aiohttp" in sys.modules, "faust.types.web" in sys.modules)
import aiohttp
from faust.types.settings import Settings
print(aiohttp.ClientSession.__module__, aiohttp.client.ClientSession is aiohttp.ClientSession)
"""


@pytest.mark.parametrize("before", ["", "import aiohttp\n", "import aiohttp.client\n"])
def test_a_worker_does_not_load_aiohttp_and_who_wants_it_later_gets_it_whole(before: str) -> None:
    done = subprocess.run([sys.executable, "-c", before + LOADS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{bool(before)} True", "aiohttp.client True"]
