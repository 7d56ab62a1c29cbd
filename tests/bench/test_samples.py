"""Whether a soak is judged as it should be."""

from pathlib import Path

import pytest

from tests.bench.samples import Sample, second_half, trend, verdict, write

_MIB = 2**20
_FLAT = Sample(*(0 for _ in Sample._fields))._replace(intake_bytes=80 * _MIB, worker_bytes=500 * _MIB)


def _samples(field: str, *values: float) -> list[Sample]:
    return [_FLAT._replace(at_s=10.0 * number, **{field: value}) for number, value in enumerate(values)]


def test_what_is_flat_passes() -> None:
    samples = _samples("worker_bytes", *(500 * _MIB + (number % 3) * _MIB for number in range(180)))
    assert verdict(samples) is None


def test_growth_in_the_first_half_is_warm_up() -> None:
    samples = _samples("worker_bytes", *(min(500, 300 + 3 * number) * _MIB for number in range(180)))
    assert second_half(samples)[0].at_s == 900
    assert verdict(samples) is None


@pytest.mark.parametrize("field", ["intake_bytes", "worker_bytes"])
def test_a_leak_fails(field: str) -> None:
    """Half a MiB a minute is 30 MiB an hour, of 80 or 200 MiB."""
    samples = _samples(field, *(80 * _MIB + number * _MIB // 12 for number in range(180)))
    assert trend(samples, field) == pytest.approx(30 * _MIB, rel=0.01)
    assert "MiB an hour" in (verdict(samples) or "")


@pytest.mark.parametrize("field", ["source_lag_s", "frame_lag_s"])
def test_a_lag_that_grows_fails(field: str) -> None:
    samples = _samples(field, *(number * 0.02 for number in range(180)))
    assert verdict(samples) == f"{field} grows by 7.2 s an hour"


def test_samples_are_written_with_their_names(tmp_path: Path) -> None:
    write(_samples("load", 0.5, 1.25), tmp_path / "soak.csv")
    head, first, second = (tmp_path / "soak.csv").read_text().splitlines()
    assert head.split(",") == list(Sample._fields)
    assert [first.split(",")[:2], second.split(",")[:2]] == [["0", "0.5"], ["10", "1.25"]]
