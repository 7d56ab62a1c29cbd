"""Paging: from the complaint that is one too many, acknowledged by Kafka, to the notification at a receiver.

All is real: intake, worker, pager, two Alertmanagers of one cluster with our configuration, and Prometheus, which
watches them. Each probe is a surge of 51 complaints about a fresh product; the fuses stay open. Alertmanager waits one
second for more alerts of a group before it notifies (`group_wait`): that much of each figure is a wait by rule.
"""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from shutil import which
from statistics import fmean, quantiles
from typing import Final

from tests.bench.report import Figure, Result, tell
from tests.kafka.paging import Paging

_PROGRAMS: Final = ("prometheus", "prometheus-alertmanager")
_WARM_UP: Final = 3
_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.05, 0.5
_GOAL_S: Final = 2.0


async def measure(bootstrap: str, directory: Path, probes: int) -> Result:
    """Measure with so many products, one at a time, at random intervals."""
    if missing := [each for each in _PROGRAMS if which(each) is None]:
        return Result("paging", (), f"{' and '.join(missing)} not installed: run `make monitoring`")
    async with Paging.opened(bootstrap, directory / "paging") as paging:
        with paging.prometheus(directory / "prometheus"):
            await asyncio.gather(paging.alertmanagers.settled(), paging.start())
            tell(f"{probes} surges")
            rng = Random(1)
            took_s = [await _probe(paging, f"probe-{number}", rng) for number in range(_WARM_UP + probes)][_WARM_UP:]
        told = Counter(len(paging.told(f"probe-{number}")) for number in range(_WARM_UP + probes))
    percent = quantiles(took_s, n=100, method="inclusive")
    return Result(
        "paging",
        (
            Figure("p50", percent[49], "s"),
            Figure("p90", percent[89], "s"),
            Figure("p99", percent[98], "s"),
            Figure("largest", max(took_s), "s"),
            Figure("mean", fmean(took_s), "s"),
            Figure("later than 2 s", sum(each > _GOAL_S for each in took_s)),
            Figure("products", probes),
        ),
        None if set(told) == {1} else f"not one page for each product: {dict(told)} (pages: products)",
    )


async def _probe(paging: Paging, product_id: str, rng: Random) -> float:
    await asyncio.sleep(rng.uniform(_LEAST_PAUSE_S, _MOST_PAUSE_S))
    began_s = await paging.surge(product_id)
    await paging.paged(product_id)
    return paging.paged_at(product_id) - began_s
