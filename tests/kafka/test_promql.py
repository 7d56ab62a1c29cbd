"""Every question of the dashboards and the rules, asked of a real Prometheus after a small sale that is known.

Intake, two workers and a pager work on a real Kafka, a real Alertmanager hears of the fuses, and a real Prometheus asks
them all each second. The records of the sale are sent before their time, so that what comes out is what
`livefuse replay` says of them. All questions are about one moment, when everything had been counted.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from deploy.embedded import free_port
from deploy.up.ports import Ports
from schemas.rules import DEFAULT_RULES
from schemas.times import to_ms
from streams.worker.metrics import limits
from tests.alerts.dashboards.expressions import Expression, expressions
from tests.alerts.dashboards.test_expressions import names
from tests.alerts.rules.reading import rules
from tests.debian import program
from tests.deploy.test_metrics_page import rows
from tests.kafka.broker import KafkaBroker
from tests.kafka.cluster import SIGNALS_PARTITIONS, Cluster, Service, until
from tests.kafka.feeding import send_all
from tests.kafka.prometheus import Labels, Monitoring, Prometheus, Samples
from tests.kafka.small_sale import LASTS, NAMES, SmallSale, small_sale

pytestmark = pytest.mark.kafka

PATIENCE: Final = timedelta(seconds=120)
LEAD: Final = timedelta(seconds=6)
"""How long before its time the sale is sent at least: so long may sending take."""

WINDOW_S: Final = 600
"""Rates and increases are asked over this time, which holds the whole sale."""

NEAR: Final = 0.15
"""How far an increase may be off: Prometheus extends what it saw by the time between two questions."""

EXPRESSIONS: Final = list(expressions())

THRESHOLD: Final = re.compile(r"\s(?:==|>=|<=|>|<)\s-?[\d.]+")
METRIC: Final = re.compile(r"(?<![\w:])(?:[a-z_]+:)?(?:livefuse|process|up)(?![a-z0-9-])[\w:]*")

# What an alert asks for and rightly does not find after this sale, its thresholds left out.
NOTHING_TO_ASK: Final = {
    "LivefuseProcessDown": "of each kind of process one at least runs",
    "LivefuseStockFeedStale": "it asks for stock levels of more than a quarter of an hour ago",
}

Key = tuple[str, ...]


@dataclass(frozen=True)
class Observed:
    """What is asked: `at` the moment, `began` when the processes were started (seconds since 1970)."""

    prometheus: Prometheus
    sale: SmallSale
    topics: Mapping[str, str]
    began: float
    at: float

    def ask(self, expr: str, *labels: str) -> dict[Key, float]:
        """Return what an expression says at the moment, by these labels in this order."""
        return by(self.prometheus.now(expr, self.at), *labels)

    def panel(self, dashboard: str, panel: str, name: str, *labels: str, product: str = "") -> dict[Key, float]:
        """Return what a query of a panel says, by these labels in this order."""
        found = query(dashboard, panel, name)
        return self.ask(found.filled(product, rate_interval=f"{WINDOW_S}s", range=f"{WINDOW_S}s"), *labels)

    def room(self, panel: str, name: str, *labels: str) -> dict[Key, float]:
        """Return what a query of the operations room says."""
        return self.panel("room", panel, name, *labels)

    def livefuse(self, panel: str, name: str, *labels: str) -> dict[Key, float]:
        """Return what a query of the dashboard of livefuse itself says."""
        return self.panel("livefuse", panel, name, *labels)

    def product(self, of: str, panel: str, name: str, *labels: str) -> dict[Key, float]:
        """Return what a query says of the product of an incident or a trap."""
        return self.panel("product", panel, name, *labels, product=self.sale.product(of))

    def finds(self, expr: str) -> bool:
        """Tell whether an expression ever found anything."""
        return bool(self.over(expr))

    def over(self, expr: str) -> dict[Labels, list[float]]:
        """Return all that an expression has said, second by second."""
        return self.prometheus.over(expr, self.began, self.at, 1.0)

    def last(self, expression: Expression, product: str, *labels: str) -> dict[Key, float]:
        """Return what a query said last, by these labels: what stays near a limit only while it sells."""
        said = self.over(expression.filled(product))
        return by({key: values[-1] for key, values in said.items()}, *labels)


def query(dashboard: str, panel: str, name: str) -> Expression:
    """Return a query of a panel."""
    (found,) = (each for each in EXPRESSIONS if (each.dashboard, each.panel, each.name) == (dashboard, panel, name))
    return found


def by(samples: Samples, *labels: str) -> dict[Key, float]:
    """Return the values by these labels, in this order; no two may be the same."""
    found = {tuple(dict(each).get(label, "") for label in labels): value for each, value in samples.items()}
    assert len(found) == len(samples), f"these labels do not tell the series apart: {labels}"
    return found


def some(counts: Mapping[Key, float]) -> dict[Key, float]:
    """Return the counts without those that are 0."""
    return {key: value for key, value in counts.items() if value}


def about(counts: Any) -> Any:
    """Return counts, by key or one, that an increase may be off by a little."""
    return pytest.approx(counts, rel=NEAR)


def metrics_of(expr: str) -> set[str]:
    """Return the metrics that the expression of a rule names."""
    return set(METRIC.findall(re.sub(r'"[^"]*"', "", expr)))


@pytest.fixture(scope="module")
def observed(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    for name in ("prometheus", "prometheus-alertmanager"):
        program(name)
    began, directory = time.time(), tmp_path_factory.mktemp("promql")
    pager, console, page, prefix = free_port(), free_port(), free_port(), f"t{uuid4().hex[:10]}"
    file = directory / "livefuse.toml"
    # A channel that is there and for which there is nothing: its room sells nothing.
    file.write_text(
        '[[pager.channel]]\nname = "idle"\nkind = "webhook"\nurl = "http://127.0.0.1:1/"\nrooms = ["elsewhere"]\n'
    )
    settings = {
        "LIVEFUSE_CONFIG": str(file),
        "LIVEFUSE_INTAKE__WEB_PORT": "0",
        "LIVEFUSE_WORKER__WEB_PORT": "0",
        "LIVEFUSE_PAGER__WEB_PORT": str(pager),
        "LIVEFUSE_CONSOLE__WEB_PORT": str(console),
        "LIVEFUSE_CONSOLE__PORT": str(page),
        "LIVEFUSE_CONSOLE__PROXY__TRUSTED": "127.0.0.1",
        "LIVEFUSE_CONSOLE__PROXY__DEFAULT_ROLE": "operator",
    }
    with Cluster(kafka.bootstrap, prefix, directory, **settings) as cluster:
        cluster.apply_topics()
        workers, intake = [cluster.worker(), cluster.worker()], cluster.intake()
        first, second, reading = (asyncio.run(port_of(each)) for each in (*workers, intake))

        def ports(prometheus: int, alertmanager: int) -> Ports:
            return Ports(reading, (first, second), pager, prometheus, alertmanager, None, console)

        with Monitoring(directory / "monitoring", prefix, ports) as monitoring:
            cluster.environment["LIVEFUSE_PAGER__ALERTMANAGER__URLS"] = monitoring.alertmanager
            yield asyncio.run(observe(cluster, monitoring, began, f"http://127.0.0.1:{page}"))


async def port_of(service: Service) -> int:
    await service.says("event=web.serving", PATIENCE)
    return int(re.findall("event=web.serving port=([0-9]+)", service.said)[0])


async def observe(cluster: Cluster, monitoring: Monitoring, began: float, page: str) -> Observed:
    """Have the sale, and wait until everything of it is in Prometheus. Somebody looks on, at `page`."""
    prometheus = monitoring.prometheus

    async def is_ready() -> bool:
        return monitoring.is_ready()

    await until(is_ready, f"Prometheus answers, see {monitoring.log}", within=PATIENCE)
    cluster.pager()
    cluster.console()
    async with ClientSession(page, headers={"X-Forwarded-User": "mei", "Origin": page}) as mei:
        return await _observe(cluster, prometheus, began, mei)


async def _observe(cluster: Cluster, prometheus: Prometheus, began: float, mei: ClientSession) -> Observed:
    # What is counted from now on is counted from 0, and Prometheus knows the 0.
    await tells(
        prometheus,
        {
            'count(up{job=~"livefuse-.+"} == 1)': 5,
            'sum(livefuse_lanes{state="open"})': SIGNALS_PARTITIONS,
            "count(livefuse_intake_passed_timestamp_seconds > 0)": 1,
            "count(livefuse_channel_last_success_timestamp_seconds > 0)": 1,
            "sum(livefuse_records_total)": 0,
            "sum(livefuse_signals_total)": 0,
            "sum(livefuse_fuse_transitions_total)": 0,
            "sum(livefuse_pager_events_total)": 0,
            "count(livefuse_console_progress_timestamp_seconds > 0)": 1,
        },
    )
    looking = asyncio.create_task(look_on(mei))
    # A slow machine needs longer for everything.
    lead = max(LEAD, timedelta(seconds=(time.time() - began) / 3))
    sale = small_sale(datetime.now(UTC) + lead)
    await send_all(cluster, sale.records)
    assert time.time() < sale.records[0].ts / 1000, "this machine is too slow: the sale was sent after it had begun"
    records, near = sum(sale.summary.records.values()), sale.product("fiftieth-complaint")
    at = await tells(
        prometheus,
        {
            f"count(vector(time()) > {sale.records[0].ts / 1000 + LASTS.total_seconds()})": 1,
            "sum(livefuse_records_total)": records,
            "sum(livefuse_signals_total)": sale.summary.signals,
            "sum(livefuse_source_lag_records)": 0,
            "sum(livefuse_unflushed_seconds)": 0,
            "sum(livefuse_pager_events_total)": len(sale.events),
            f"count(livefuse_page_delay_seconds_count >= {len(sale.fuses)})": 1,
            "sum(livefuse_product_fuse_open)": len(sale.fuses),
            f'livefuse_product_measured{{product_id="{near}"}}': 50,
            # The rules have been reckoned since then.
            "sum(topic:livefuse_records:increase5m)": records,
            "sum(topic_reason:livefuse_dead_letters:increase5m)": 1,
            # Both orders of somebody who looks on.
            'sum(livefuse_console_commands_total{outcome="conflict"})': 1,
            'sum(livefuse_console_refused_total{reason="csrf"})': 1,
            # A process that was slow to answer once is no matter of this test.
            'count(ALERTS{alertname!="Watchdog"}) or vector(0)': 0,
        },
    )
    looking.cancel()
    topics = dict(zip(cluster.names.inputs, NAMES.inputs, strict=True))
    return Observed(prometheus, sale, topics, began, at)


async def look_on(person: ClientSession) -> None:
    """Read the stream of a console, and give orders that change nothing: one comes too late, one has no token."""
    async with person.get("/api/v1/stream") as stream:
        async with person.get("/api/v1/session") as answer:
            csrf = (await answer.json())["csrf"]
        late = False
        async for line in stream.content:
            if not late and line.startswith(b"data: ") and b'"fuse.opened"' in line:
                late = True
                product_id = re.findall(rb'"product_id":"([^"]+)"', line)[0].decode()
                order = {"product_id": product_id, "action": "resume", "reason": "late", "expected_sequence": 99}
                for token in (csrf, "another"):
                    body = {**order, "request_id": str(uuid4())}
                    async with person.post("/api/v1/commands", json=body, headers={"X-CSRF-Token": token}) as answer:
                        assert answer.status in {HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN}


async def tells(prometheus: Prometheus, wanted: Mapping[str, float]) -> float:
    """Wait until Prometheus says this of all expressions at one moment; return when that was."""
    found: dict[str, float | None] = {}
    at = 0.0

    async def it_does() -> bool:
        nonlocal at
        at = time.time()
        found.update({expr: prometheus.number(expr, at) for expr in wanted})
        return all(value is not None and abs(value - wanted[expr]) < 0.5 for expr, value in found.items())

    def missing() -> str:
        return "; ".join(f"{expr}: {found.get(expr)}, not {value}" for expr, value in wanted.items())

    await until(it_does, "Prometheus knows it", within=PATIENCE, between=timedelta(seconds=0.3), state=missing)
    return at


def test_every_query_of_the_dashboards_is_understood_and_finds_something(observed: Observed) -> None:
    # Of a product two are asked for: the fuse of one is open, the other is near its limit.
    products = [observed.sale.product(name) for name in ("one-size-oversold", "repeated-orders")]
    empty = [str(each) for each in EXPRESSIONS if not any(observed.finds(each.filled(product)) for product in products)]
    assert empty == []


def test_every_rule_is_understood_and_those_that_record_find_something(observed: Observed) -> None:
    groups = observed.prometheus.get("rules")["groups"]
    reckoned = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert reckoned.keys() == {each.get("record") or each["alert"] for each in (*rules("record"), *rules("alert"))}
    assert {name: rule["lastError"] for name, rule in reckoned.items() if rule["health"] != "ok"} == {}
    for each in rules("record"):
        assert observed.finds(each["expr"]), each["record"]
        assert observed.finds(each["record"]), each["record"]


def test_no_alert_but_the_watchdog_fires_and_each_sees_what_it_watches(observed: Observed) -> None:
    alerts = observed.prometheus.get("alerts")["alerts"]
    assert [each["labels"]["alertname"] for each in alerts if each["state"] == "firing"] == ["Watchdog"]
    for each in rules("alert"):
        assert bool(observed.prometheus.now(each["expr"], observed.at)) == (each["alert"] == "Watchdog"), each["alert"]
        if each["alert"] not in NOTHING_TO_ASK:
            assert observed.finds(THRESHOLD.sub("", each["expr"])), each["alert"]


def test_no_expression_names_a_metric_that_does_not_exist(observed: Observed) -> None:
    there = set(observed.prometheus.get("label/__name__/values"))
    for each in EXPRESSIONS:
        assert names(each.filled("p")) <= there, str(each)
    for rule in (*rules("record"), *rules("alert")):
        assert metrics_of(rule["expr"]) <= there, rule
        assert metrics_of(rule["expr"]) or rule.get("alert") == "Watchdog"


def test_the_documented_metrics_are_in_prometheus_with_their_labels(observed: Observed) -> None:
    there = set(observed.prometheus.get("label/__name__/values"))
    parts = ("Every process", "Intake", "Worker", "Pager", "Console")
    documented = {name: row for part in parts for name, row in rows(part).items()}
    for name, row in documented.items():
        series = f"{name}_bucket" if row.type == "histogram" else name
        assert series in there
        kept = row.labels | {"job", "instance", "le"}
        for labels in observed.over(series):
            assert dict(labels).keys() <= kept, name
    livefuse = {name for name in there if name.startswith("livefuse_")}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in livefuse} <= documented.keys()


def test_what_is_paused_and_why(observed: Observed) -> None:
    sale = observed.sale
    assert observed.room("Paused products", "A") == {(): len(sale.paused)}
    assert observed.room("Open fuses", "A") == {(): len(sale.fuses)}
    severities = Counter(event["severity"] for event in sale.fuses.values())
    assert observed.room("Critical", "A") == {(): severities["critical"]}
    assert observed.room("In shadow", "A") == {(): 0}
    words = {sale.product("complaint-surge"): "allowed", sale.product("few-sales"): "paused"}
    lines = {
        (*fuse, event["severity"], event["room_id"], words.get(fuse[0], "")) for fuse, event in sale.fuses.items()
    } | {(sale.product("few-sales"), "", "", "", "", "paused")}
    shown = observed.room("Paused, and why", "A", "product_id", "sku_id", "rule", "severity", "room_id", "state")
    assert shown.keys() == lines
    for column, fact in (("B", "measured"), ("C", "limit")):
        said = observed.room("Paused, and why", column, "product_id", "sku_id", "rule")
        assert said == {fuse: event["cause"][fact] for fuse, event in sale.fuses.items()}
    open_for = observed.room("Paused, and why", "D", "product_id", "sku_id", "rule")
    since = {fuse: observed.at - to_ms(event["occurred_at"]) / 1000 for fuse, event in sale.fuses.items()}
    assert open_for == pytest.approx(since, abs=0.002)


def test_what_is_near_a_limit(observed: Observed) -> None:
    sale = observed.sale
    known = {
        ("fiftieth-complaint", "complaint-surge"): (50, 50),
        ("repeated-complaints", "complaint-surge"): (40, 50),
        ("late-complaints", "complaint-surge"): (45, 50),
        ("five-critical", "critical-complaints"): (5, 5),
    }
    for place, column in enumerate("BC"):
        said = observed.room("Near a limit", column, "product_id", "sku_id", "rule")
        assert {which: said[sale.product(which[0]), "", which[1]] for which in known} == {
            which: values[place] for which, values in known.items()
        }
    available = observed.last(query("room", "Near a limit", "D"), "", "product_id", "sku_id", "rule")
    # Each of 480 orders came twice, and counts once.
    assert available[sale.product("repeated-orders"), "", "oversell"] == 520
    assert observed.room("Nearest to a limit", "A") == {(): pytest.approx(50 / 51, abs=1e-4)}
    assert observed.room("Nearest product of each rule", "A", "rule")["complaint-surge",] == pytest.approx(
        50 / 51, abs=1e-4
    )
    opened = {fuse[:2] for fuse in sale.fuses}
    assert not opened & {which[:2] for which in observed.room("Near a limit", "A", "product_id", "sku_id", "rule")} - {
        (sale.product(name), "") for name in ("complaint-surge", "surge-completed-late", "return-spike")
    }


def test_how_the_sale_goes(observed: Observed) -> None:
    sale = observed.sale
    records = {(topic, "used"): count for topic, count in sale.summary.records.items()}
    for (topic, _), count in sale.dead_letters.items():
        records[topic, "used"] -= count
        records[topic, "refused"] = count

    def named(counts: dict[Key, float]) -> dict[Key, float]:
        return some({(observed.topics[topic], *others): value for (topic, *others), value in counts.items()})

    exact = observed.ask("sum by (topic, outcome) (livefuse_records_total)", "topic", "outcome")
    assert named(exact) == records
    per_second = observed.livefuse("Records read", "A", "topic", "outcome")
    assert named({key: rate * WINDOW_S for key, rate in per_second.items()}) == about(records)
    used = {(topic,): count for (topic, outcome), count in records.items() if outcome == "used"}
    per_second = observed.room("Records by topic", "A", "topic")
    assert named({key: rate * WINDOW_S for key, rate in per_second.items()}) == about(used)
    rates = ("Order lines", "A"), ("Order lines", "B"), ("Returns", "A"), ("Complaints", "A"), ("Stock levels", "A")
    applied = sum(observed.room(*each)[()] for each in rates) * WINDOW_S
    commands = sale.summary.records[NAMES.commands]
    assert applied == about(sale.summary.signals - sale.summary.duplicates - commands)
    assert observed.room("Below safety stock", "A") == {(): about(sale.summary.requests)}
    assert observed.room("SKUs that fell below their safety stock", "A") == {(): about(sale.summary.requests)}
    assert observed.livefuse("Dead letters", "A") == {(): about(1)}
    letters = observed.livefuse("Dead letters by topic and reason", "A", "topic", "reason")
    assert named(letters) == about(dict(sale.dead_letters))
    signals = observed.livefuse("Signals applied", "A", "kind", "outcome")
    assert sum(signals.values()) * WINDOW_S == about(sale.summary.signals)
    assert sum(observed.livefuse("Signals of each worker", "A", "instance").values()) * WINDOW_S == about(
        sale.summary.signals
    )
    assert observed.ask('sum(livefuse_signals_total{outcome="duplicate"})') == {(): sale.summary.duplicates}
    duplicates = observed.livefuse("Duplicates", "A", "kind")
    assert sum(duplicates.values()) * WINDOW_S == about(sale.summary.duplicates)
    late = observed.livefuse("Late signals", "A", "kind")
    # Twenty complaints of more than an hour ago, and a stock level of 0 that is older than the one in force.
    assert some({key: rate * WINDOW_S for key, rate in late.items()}) == about(
        {("complaint",): 20, ("stock_level",): 1}
    )
    assert sale.summary.late == 21


def test_what_became_of_fuses(observed: Observed) -> None:
    sale = observed.sale
    incidents = {(each.product_id, each.sku_id or "", each.rule) for each in sale.labels if each.kind == "incident"}
    ended = {
        (sale.product("flash-deal-oversold"), "", "oversell"),
        (sale.product("critical-complaints"), "", "critical-complaints"),
    }
    assert sale.fuses.keys() == incidents - ended, "replay finds what the simulation was made to contain"
    open_by_rule: Mapping[Key, float] = Counter((rule,) for _, _, rule in sale.fuses)
    assert some(observed.room("Open fuses by rule", "A", "rule")) == open_by_rule
    held = observed.ask("sum by (rule) (livefuse_fuses_open)", "rule")
    assert some(held) == open_by_rule
    by_worker: Counter[Key] = Counter()
    for (_, rule), count in observed.livefuse("Open fuses by worker and rule", "A", "instance", "rule").items():
        by_worker[rule,] += int(count)
    assert some(by_worker) == open_by_rule
    transitions = observed.livefuse("Fuse transitions", "A", "rule", "from", "to")
    assert some(transitions) == about(dict(sale.transitions))
    opened = {(rule,): count for rule, count in sale.summary.opened.items()}
    assert observed.room("Fuses opened, by rule", "A", "rule") == about(opened)
    assert observed.livefuse("Frames lost, commands rejected", "A") == {(): 0}
    assert observed.livefuse("Frames lost, commands rejected", "B") == {(): about(1)}
    told = observed.livefuse("Fuse events read by the pager", "A", "type")
    assert some(told) == about({(kind,): count for kind, count in sale.summary.events.items()})
    (mark,) = (each for each in EXPRESSIONS if (each.dashboard, each.name) == ("room", "annotation"))
    marks = observed.prometheus.over(mark.filled(""), observed.at - 10 * 15, observed.at, 15)
    assert {key: len(values) for key, values in by_fuse(marks).items() if key in sale.fuses} == dict.fromkeys(
        sale.fuses, 1
    )
    assert by_fuse(marks).keys() <= incidents


def by_fuse(found: Mapping[Labels, list[float]]) -> dict[Key, list[float]]:
    return {
        tuple(dict(each).get(label, "") for label in ("product_id", "sku_id", "rule")): values
        for each, values in found.items()
    }


def test_what_livefuse_has_in_force_and_in_hand(observed: Observed) -> None:
    in_force = {(rule.id, name): value for rule in DEFAULT_RULES.rules for name, value in limits(rule).items()}
    assert observed.room("Limits in force", "A", "rule", "limit") == in_force
    assert observed.livefuse("Version of the rules", "A") == {(): 0}
    running = {("intake",): 1, ("worker",): 2, ("pager",): 1, ("console",): 1}
    assert observed.livefuse("Processes", "A", "role") == running
    assert observed.livefuse("Memory", "A", "role", "instance").keys() == {
        (role, instance) for instance, role in observed.livefuse("instance", "variable", "instance", "role")
    }
    lanes: Counter[str] = Counter()
    for (_, state), count in observed.livefuse("Lanes by worker", "A", "instance", "state").items():
        lanes[state] += int(count)
    assert lanes == {"open": SIGNALS_PARTITIONS, "opening": 0}
    assert sum(observed.livefuse("Products with state", "A", "instance").values()) == observed.sale.summary.products
    assert observed.livefuse("Records waiting, by topic", "A", "topic") == {(topic,): 0 for topic in observed.topics}
    assert observed.livefuse("Channels failing", "A") == {(): 0}
    assert observed.livefuse("Channels", "A", "channel") == dict.fromkeys(
        observed.livefuse("Waiting in each channel", "A", "channel"), 0
    )
    assert len(observed.livefuse("Channels", "A", "channel")) == 2
    told = observed.livefuse("Notifications by channel and outcome", "A", "channel", "outcome")
    sent = {channel: count for (channel, outcome), count in told.items() if outcome == "sent"}
    assert sent.pop("idle") == 0
    assert min(sent.values()) >= len(observed.sale.fuses)
    assert observed.room("Page delay", "D") == {(): 2}
    assert observed.room("Page delay, p99", "A")[()] > 0


def test_what_is_shown_of_one_product(observed: Observed) -> None:
    sale = observed.sale
    (fuse,) = (each for each in sale.fuses if each[0] == sale.product("one-size-oversold"))
    cause = sale.fuses[fuse]["cause"]
    assert observed.product("one-size-oversold", "Fuse", "A") == {(): 1}
    near = sale.product("repeated-orders")
    assert observed.last(query("product", "Fuse", "A"), near) == {(): 0}
    assert observed.product("few-sales", "Fuse", "A") == {}
    for line, fact in (("A", "measured"), ("B", "limit")):
        said = observed.product("one-size-oversold", "Measured against the limit: $rule", line, "sku_id", "rule")
        assert said == {fuse[1:]: cause[fact]}
    assert observed.product("one-size-oversold", "Available units", "B", "sku_id", "rule") == {fuse[1:]: cause["limit"]}
    assert observed.last(query("product", "Available", "A"), near) == {(): 520}
    assert observed.product("one-size-oversold", "Open fuses", "A", "product_id", "sku_id", "rule") == {fuse: 1}
    chosen = {each[0] for each in observed.panel("product", "product_id", "variable", "product_id", "sku_id", "rule")}
    assert chosen >= {each[0] for each in sale.fuses} | {sale.product("fiftieth-complaint")}
    rules_of = observed.product("one-size-oversold", "rule", "variable", "sku_id", "rule")
    assert rules_of.keys() == {fuse[1:]}


def test_what_the_rules_record(observed: Observed) -> None:
    sale, said = observed.sale, {each["record"]: each["expr"] for each in rules("record")}

    def recorded(name: str, *labels: str) -> dict[Key, float]:
        return some(observed.ask(said[name], *labels))

    def named(counts: dict[Key, float]) -> dict[Key, float]:
        return {(observed.topics[topic], *others): value for (topic, *others), value in counts.items()}

    records = {(topic,): count for topic, count in sale.summary.records.items()}
    assert named(recorded("topic:livefuse_records:increase5m", "topic")) == about(records)
    letters = recorded("topic_reason:livefuse_dead_letters:increase5m", "topic", "reason")
    assert named(letters) == about(dict(sale.dead_letters))
    share = named(recorded("topic:livefuse_dead_letters:ratio5m", "topic"))
    assert share == about({(NAMES.complaints,): 1 / sale.summary.records[NAMES.complaints]})
    assert sum(recorded("kind:livefuse_late_signals:increase5m", "kind").values()) == about(sale.summary.late)
    to_state: Counter[Key] = Counter()
    for (rule, _, to), count in sale.transitions.items():
        to_state[rule, to, "false"] += count
    transitions = recorded("rule_to_shadow:livefuse_fuse_transitions:increase10m", "rule", "to", "shadow")
    assert transitions == about(dict(to_state))
    open_by_rule = Counter((rule, "false") for _, _, rule in sale.fuses)
    assert recorded("rule_shadow:livefuse_fuses_open:sum", "rule", "shadow") == open_by_rule
    by_severity = Counter((fuse[2], event["severity"]) for fuse, event in sale.fuses.items())
    assert recorded("rule_severity:livefuse_open_fuses:sum", "rule", "severity") == by_severity
    jobs = {("livefuse-intake",): 1, ("livefuse-worker",): 2, ("livefuse-pager",): 1, ("livefuse-console",): 1}
    assert recorded("job:up:sum", "job") == recorded("job:up:count", "job") == jobs


def test_no_time_since_something_is_told_before_there_was_something(observed: Observed) -> None:
    since = [each for each in EXPRESSIONS if each.expr.startswith("time() -")]
    assert len(since) > 5
    for each in since:
        for values in observed.over(each.filled(observed.sale.product("one-size-oversold"))).values():
            # The oldest thing in the sale is a complaint of an hour and a half ago.
            assert max(values) < 7_200, str(each)
