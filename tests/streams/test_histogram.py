from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from streams import families
from streams.histogram import Histogram


def test_a_value_on_a_bound_belongs_below_it_and_buckets_add_up() -> None:
    histogram = Histogram((0.005, 0.01, 1))
    for value in (0.001, 0.005, 0.007, 1, 7):
        histogram.observe(value)

    class One(Collector):
        def collect(self) -> list[Metric]:
            return [families.histogram("livefuse_things_seconds", "Things.", histogram)]

    registry = CollectorRegistry()
    registry.register(One())
    [family] = text_string_to_metric_families(generate_latest(registry).decode())
    assert family.type == "histogram"
    buckets = {each.labels["le"]: each.value for each in family.samples if each.name.endswith("_bucket")}
    assert buckets == {"0.005": 2, "0.01": 3, "1.0": 4, "+Inf": 5}
    values = {each.name: each.value for each in family.samples if not each.labels}
    assert values == {"livefuse_things_seconds_count": 5, "livefuse_things_seconds_sum": 8.013}
    assert histogram.count == 5


def test_an_empty_histogram_shows_its_buckets() -> None:
    family = families.histogram("livefuse_things", "Things.", Histogram((1, 2)))
    assert [(each.name, each.value) for each in family.samples] == [
        ("livefuse_things_bucket", 0),
        ("livefuse_things_bucket", 0),
        ("livefuse_things_bucket", 0),
        ("livefuse_things_count", 0),
        ("livefuse_things_sum", 0),
    ]
