"""Faust without aiohttp, which it would load for the name of one type in its parts for the web.

A worker uses none of them. aiohttp takes 150 ms of CPU, a fifth of a worker's start, half of that because it reads all
CA certificates twice. Whoever wants it later loads it as ever.
"""

import sys
from types import ModuleType
from typing import Final

_NAMES: Final = ("aiohttp", "aiohttp.client")


def load_faust() -> None:
    """Load what of Faust would load aiohttp. To be called before anything else loads Faust."""
    if _NAMES[0] in sys.modules:
        return
    absent = {name: ModuleType(name) for name in _NAMES}
    vars(absent[_NAMES[-1]])["ClientSession"] = object
    sys.modules.update(absent)
    try:
        import faust.types.web  # noqa: F401, PLC0415 (loading it is all that is wanted)
    finally:
        for name in absent:
            del sys.modules[name]
