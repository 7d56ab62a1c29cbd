"""What a livefuse process tells of itself on its page of metrics."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deploy.embedded import HOST


class Scrape(NamedTuple):
    """All samples of one page."""

    samples: tuple[Sample, ...]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum over all samples of this name that have these labels, 0 when there is none."""
        return sum(self._values(name, labels))

    def largest(self, name: str) -> float:
        """Return the largest of all samples of this name, 0 when there is none."""
        return max(self._values(name, {}), default=0.0)

    def _values(self, name: str, labels: dict[str, str]) -> Iterator[float]:
        return (
            each.value for each in self.samples if each.name == name and labels.items() <= dict(each.labels).items()
        )


def scrape(port: int) -> Scrape:
    """Read the page of a process on this machine. Raises OSError when it does not answer."""
    with urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as page:
        text = page.read().decode()
    return Scrape(tuple(each for family in text_string_to_metric_families(text) for each in family.samples))
