"""Samples of a long run, and what they say about it: whether memory or lag grew, and how fast."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Final, NamedTuple

_HOUR_S: Final = 3600
_MIB: Final = 2**20
_MEMORY_GROWTH: Final = 0.1
"""Of its size in an hour: what memory may grow by. Less cannot be told from the noise of fifteen minutes."""

_LAG_GROWTH_S: Final = 6.0
"""Seconds in an hour by which the lag may grow."""


class Sample(NamedTuple):
    """How things were at a moment, or since the sample before.

    `at_s` since the start of the soak; memory in bytes; CPU in seconds of CPU a second; lags in seconds, the intake's
    also in records; latencies in ms, 0 where no probe came back; `products` with a state. What the broker writes to
    disk counts compaction; what is appended to the topics of states and frames does not.
    """

    at_s: float
    load: float
    intake_bytes: float
    worker_bytes: float
    broker_bytes: float
    intake_cpu: float
    worker_cpu: float
    broker_cpu: float
    shop_cpu: float
    records_per_s: float
    signals_per_s: float
    source_lag_records: float
    source_lag_s: float
    frames_behind: float
    frame_lag_s: float
    probes: float
    latency_p50_ms: float
    latency_max_ms: float
    products: float
    open_fuses: float
    disk_bytes_per_s: float
    state_bytes_per_s: float
    frame_bytes_per_s: float


def write(samples: Iterable[Sample], file: Path) -> None:
    """Write them as CSV, with the names of the fields as the first line."""
    lines = [",".join(Sample._fields)]
    lines += [",".join(f"{value:.12g}" for value in each) for each in samples]
    file.write_text("\n".join(lines) + "\n")


def second_half(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples after the warm-up, which is the first half."""
    return samples[len(samples) // 2 :]


def trend(samples: Sequence[Sample], field: str) -> float:
    """Return by how much a field grows in an hour, along the straight line that fits the samples best."""
    slope, _ = linear_regression([each.at_s for each in samples], [getattr(each, field) for each in samples])
    return slope * _HOUR_S


def verdict(samples: Sequence[Sample]) -> str | None:
    """Return what is wrong with the second half of a soak, None if nothing: memory that grows, or lag."""
    half = second_half(samples)
    for field in ("intake_bytes", "worker_bytes"):
        growth, size = trend(half, field), fmean(getattr(each, field) for each in half)
        if growth > _MEMORY_GROWTH * size:
            return f"{field} grow by {growth / _MIB:.1f} MiB an hour and are {size / _MIB:.0f} MiB"
    for field in ("source_lag_s", "frame_lag_s"):
        if (growth := trend(half, field)) > _LAG_GROWTH_S:
            return f"{field} grows by {growth:.1f} s an hour"
    return None
