"""docs/metrics.md against the code: what is exported is in the page, and what is in the page is exported."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from aiohttp import ClientSession
from prometheus_client.core import Metric
from prometheus_client.registry import CollectorRegistry

from alerts.console.metrics import ConsoleMetrics
from alerts.pager.config import PagerConfig
from alerts.pager.pager import Pager
from deploy.web import registry
from schemas.topics import TopicNames
from streams.intake.metrics import IntakeCollector
from streams.intake.status import IntakeStatus
from streams.worker.metrics import KINDS, WorkerCollector
from streams.worker.status import WorkerStatus

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


class Row(NamedTuple):
    """A line of the page."""

    type: str
    labels: frozenset[str]
    meaning: str


def rows(section: str) -> dict[str, Row]:
    """Return the metrics of a section of the page, by name."""
    _, _, rest = PAGE.read_text().partition(f"\n## {section}\n")
    found = {}
    for line in rest.partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            name, kind, labels, _, meaning = (cell.strip() for cell in line.strip("|").split(" |"))
            found[name.strip("`")] = Row(kind, frozenset(labels.replace(" ", "").split(",")) - {""}, meaning)
    return found


def exported(families: Iterable[Metric]) -> dict[str, str]:
    """Return the types by the names that queries use."""
    return {f"{each.name}_total" if each.type == "counter" else each.name: each.type for each in families}


def page_of(*sections: str) -> dict[str, str]:
    return {name: row.type for section in sections for name, row in rows(section).items()}


def intake() -> CollectorRegistry:
    return registry("intake", IntakeCollector(IntakeStatus(TopicNames().inputs)))


def worker() -> CollectorRegistry:
    return registry("worker", WorkerCollector(WorkerStatus()))


def test_the_page_lists_what_an_intake_exports_and_nothing_else() -> None:
    assert exported(intake().collect()) == page_of("Every process", "Intake")


def test_the_page_lists_what_a_worker_exports_and_nothing_else() -> None:
    assert exported(worker().collect()) == page_of("Every process", "Worker")


async def test_the_page_lists_what_a_pager_exports_and_nothing_else() -> None:
    config = PagerConfig(client={}, topics=TopicNames(), partitions=1)
    async with ClientSession() as session:
        pager = Pager(config, session, (), registry("pager"))
    assert exported(pager.registry.collect()) == page_of("Every process", "Pager")


def console() -> CollectorRegistry:
    metrics = ConsoleMetrics(registry("console"))
    metrics.follow(lambda: 0, lambda: 0, lambda: 0.0)
    return metrics.registry


def test_the_page_lists_what_a_console_exports_and_nothing_else() -> None:
    assert exported(console().collect()) == page_of("Every process", "Console")


def test_names_are_in_base_units_and_every_metric_is_explained() -> None:
    for metrics in (intake(), worker(), console()):
        for family in metrics.collect():
            assert family.documentation.endswith(".") or family.name.startswith("process_")
    everything = {
        name: row
        for part in ("Every process", "Intake", "Worker", "Pager", "Console")
        for name, row in rows(part).items()
    }
    assert all(row.meaning for row in everything.values())
    assert not [name for name in everything if name.endswith(("_ms", "_milliseconds", "_minutes", "_kb"))]
    assert {name for name, row in everything.items() if row.type == "counter"} == {
        name for name in everything if name.endswith("_total")
    }


def test_the_page_names_every_kind_of_signal() -> None:
    text = PAGE.read_text()
    assert all(kind in text for kind in KINDS)
