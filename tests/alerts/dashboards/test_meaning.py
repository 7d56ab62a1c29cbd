"""What the less obvious expressions say of a small sale, reckoned by Prometheus's own tool.

Time goes in steps of 15 s, and an hour of it is looked back at. In it the fuse of `mug` was opened 10 minutes ago,
that of `lamp` is open all the time and over two SKUs, and `tea` is merely near a limit. An operator keeps `mug` on
sale, and has paused `vase`, which has no fuse.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.alerts.dashboards.expressions import expressions
from tests.alerts.dashboards.promtool import complaints

STEPS: Final = 240
"""Those of the hour; a step more is its end."""

Samples = Mapping[str, float]

PAGER: Final = 'job="livefuse",instance="pager:1"'
MUG: Final = 'product_id="mug",rule="complaint-surge",severity="warning",room_id="r1"'
RED: Final = 'product_id="lamp",sku_id="red",rule="oversell",severity="critical"'
BLUE: Final = 'product_id="lamp",sku_id="blue",rule="oversell",severity="critical"'
TEA: Final = 'product_id="tea",sku_id="green",rule="oversell"'
OPENED: Final = "livefuse_product_fuse_opened_timestamp_seconds"
ALWAYS: Final = f"x{STEPS}"

SALE: Final = {
    # An open fuse has a series; where there is none it is closed. `_` is a time without one.
    f"livefuse_product_fuse_open{{{MUG},{PAGER}}}": f"_x{STEPS - 40} 1x40",
    f"livefuse_product_fuse_open{{{RED},{PAGER}}}": f"1{ALWAYS}",
    f"livefuse_product_fuse_open{{{BLUE},{PAGER}}}": f"1{ALWAYS}",
    # Opened 10 minutes before the end, and a quarter of an hour before the beginning.
    f'{OPENED}{{product_id="mug",rule="complaint-surge",{PAGER}}}': f"3000{ALWAYS}",
    f'{OPENED}{{product_id="lamp",sku_id="red",rule="oversell",{PAGER}}}': f"-900{ALWAYS}",
    f'{OPENED}{{product_id="lamp",sku_id="blue",rule="oversell",{PAGER}}}': f"-900{ALWAYS}",
    f'livefuse_product_override{{product_id="mug",state="allowed",{PAGER}}}': f"1{ALWAYS}",
    f'livefuse_product_override{{product_id="vase",state="paused",{PAGER}}}': f"1{ALWAYS}",
    f'livefuse_product_override{{product_id="overflow",state="paused",{PAGER}}}': f"7{ALWAYS}",
    # A minute ago, and never.
    f'livefuse_channel_last_success_timestamp_seconds{{channel="night",{PAGER}}}': f"3540{ALWAYS}",
    f'livefuse_channel_last_success_timestamp_seconds{{channel="idle",{PAGER}}}': f"0{ALWAYS}",
    f"livefuse_pager_progress_timestamp_seconds{{{PAGER}}}": f"0{ALWAYS}",
    'livefuse_intake_passed_timestamp_seconds{instance="intake:1"}': f"3598{ALWAYS}",
    'livefuse_intake_passed_timestamp_seconds{instance="intake:2"}': f"0{ALWAYS}",
    f"livefuse_page_target_seconds{{{PAGER}}}": f"2{ALWAYS}",
    f'livefuse_product_measured{{product_id="mug",rule="complaint-surge",{PAGER}}}': f"51{ALWAYS}",
    f'livefuse_product_limit{{product_id="mug",rule="complaint-surge",{PAGER}}}': f"50{ALWAYS}",
    f'livefuse_product_measured{{product_id="lamp",sku_id="red",rule="oversell",{PAGER}}}': f"-2{ALWAYS}",
    f'livefuse_product_limit{{product_id="lamp",sku_id="red",rule="oversell",{PAGER}}}': f"9{ALWAYS}",
    f'livefuse_product_measured{{product_id="lamp",sku_id="blue",rule="oversell",{PAGER}}}': f"4{ALWAYS}",
    f'livefuse_product_limit{{product_id="lamp",sku_id="blue",rule="oversell",{PAGER}}}': f"6{ALWAYS}",
    f"livefuse_product_measured{{{TEA},{PAGER}}}": f"12{ALWAYS}",
    f"livefuse_product_limit{{{TEA},{PAGER}}}": f"9{ALWAYS}",
    f"livefuse_product_nearness_ratio{{{TEA},{PAGER}}}": f"0.75{ALWAYS}",
    f'livefuse_product_nearness_ratio{{product_id="overflow",{PAGER}}}': f"31{ALWAYS}",
    f'livefuse_product_available{{product_id="tea",sku_id="green",{PAGER}}}': f"12{ALWAYS}",
    f'livefuse_product_seconds_left{{product_id="tea",sku_id="green",{PAGER}}}': f"4{ALWAYS}",
    f"livefuse_paused_products{{{PAGER}}}": f"2{ALWAYS}",
    f'livefuse_open_fuses{{rule="oversell",severity="critical",shadow="false",{PAGER}}}': f"2{ALWAYS}",
    f'livefuse_open_fuses{{rule="complaint-surge",severity="warning",shadow="false",{PAGER}}}': f"1{ALWAYS}",
    'livefuse_rule_limit{rule="oversell",limit="safety_stock",instance="worker:1"}': f"500{ALWAYS}",
    'livefuse_rule_limit{rule="oversell",limit="safety_stock",instance="worker:2"}': f"500{ALWAYS}",
    'livefuse_rule_limit{rule="complaint-surge",limit="more_than",instance="worker:1"}': f"50{ALWAYS}",
    f'livefuse_page_delay_seconds_bucket{{le="0.5",{PAGER}}}': f"0+1{ALWAYS}",
    f'livefuse_page_delay_seconds_bucket{{le="+Inf",{PAGER}}}': f"0+1{ALWAYS}",
    'livefuse_build_info{role="worker",version="1",job="livefuse",instance="worker:1"}': f"1{ALWAYS}",
    'livefuse_build_info{role="intake",version="1",job="livefuse",instance="intake:1"}': f"1{ALWAYS}",
    'process_resident_memory_bytes{job="livefuse",instance="worker:1"}': f"4096{ALWAYS}",
    'process_resident_memory_bytes{job="shop",instance="till:1"}': f"8192{ALWAYS}",
    'livefuse_replenishment_requests_total{instance="worker:1"}': f"0+1{ALWAYS}",
}

# By dashboard, panel and query: what it says at the end of the hour.
SAID: Final[dict[tuple[str, str, str], Samples]] = {
    ("room", "Paused, and why", "A"): {
        f'{MUG},state="allowed"': 1,
        RED: 1,
        BLUE: 1,
        'product_id="vase",state="paused"': 1,
    },
    ("room", "Paused, and why", "B"): {MUG: 51, RED: -2, BLUE: 4},
    ("room", "Paused, and why", "C"): {MUG: 50, RED: 9, BLUE: 6},
    ("room", "Paused, and why", "D"): {MUG: 600, RED: 4500, BLUE: 4500},
    ("room", "Near a limit", "A"): {TEA: 0.75},
    ("room", "Near a limit", "B"): {TEA: 12},
    ("room", "Near a limit", "C"): {TEA: 9},
    ("room", "Near a limit", "D"): {TEA: 12},
    ("room", "Near a limit", "E"): {TEA: 4},
    ("room", "Nearest to a limit", "A"): {"": 0.75},
    ("room", "Paused products", "A"): {"": 2},
    ("room", "Open fuses", "A"): {"": 3},
    ("room", "Critical", "A"): {"": 2},
    # The pager lives and has none: that is 0, not silence.
    ("room", "In shadow", "A"): {"": 0},
    ("room", "Below safety stock", "A"): {"": 240},
    ("room", "Page delay, p99", "A"): {"": 0.495},
    ("livefuse", "Page delay", "C"): {"": 0.495},
    ("livefuse", "Page delay", "D"): {"": 2},
    ("livefuse", "Since the last success, by channel", "A"): {'channel="night"': 60},
    ("livefuse", "Since the pager's last progress", "A"): {},
    ("livefuse", "Event time behind the clock", "A"): {"": 2},
    ("livefuse", "Event time behind the clock, by intake", "A"): {'instance="intake:1"': 2},
    ("livefuse", "Dead letters", "A"): {"": 0},
    ("livefuse", "Processes", "A"): {'role="worker",version="1"': 1, 'role="intake",version="1"': 1},
    ("livefuse", "Memory", "A"): {'job="livefuse",instance="worker:1",role="worker"': 4096},
    ("room", "Limits in force", "A"): {
        'rule="oversell",limit="safety_stock"': 500,
        'rule="complaint-surge",limit="more_than"': 50,
    },
}

# The same for a product that is chosen.
SAID_OF: Final[dict[tuple[str, str, str], Samples]] = {
    ("lamp", "Fuse", "A"): {"": 1},
    ("tea", "Fuse", "A"): {"": 0},
    ("cup", "Fuse", "A"): {},
    ("lamp", "Fuses over time", "A"): {'rule="oversell"': 1},
    ("tea", "Fuses over time", "A"): {'rule="oversell"': 0},
    ("tea", "Measured against the limit: $rule", "A"): {'sku_id="green",rule="oversell"': 12},
    ("tea", "Measured against the limit: $rule", "B"): {'sku_id="green",rule="oversell"': 9},
    ("lamp", "Measured against the limit: $rule", "A"): {
        'sku_id="red",rule="oversell"': -2,
        'sku_id="blue",rule="oversell"': 4,
    },
    ("tea", "Available units", "A"): {'sku_id="green"': 12},
    ("tea", "Available units", "B"): {'sku_id="green",rule="oversell"': 9},
    ("mug", "Available units", "B"): {},
    ("tea", "Available units", "C"): {'rule="oversell"': 500},
    ("lamp", "Open fuses", "D"): {RED: 4500, BLUE: 4500},
}


def expression(dashboard: str, panel: str, name: str, product_id: str = "mug") -> str:
    (found,) = (each for each in expressions() if (each.dashboard, each.panel, each.name) == (dashboard, panel, name))
    return found.filled(product_id)


def says(expr: str, samples: Samples, folder: Path, at: str = "1h") -> str:
    """Return how the value of an expression, to 3 decimals, differs from the samples: nothing where it does not."""
    series = [{"series": name, "values": values} for name, values in SALE.items()]
    expected = [{"labels": f"{{{labels}}}", "value": value} for labels, value in samples.items()]
    test = {"expr": f"round({expr}, 0.001)", "eval_time": at, "exp_samples": expected}
    content = {"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [test]}]}
    return complaints("test", content, folder)


@pytest.mark.parametrize(("which", "samples"), SAID.items(), ids=lambda value: re.sub(r"\W+", "-", str(value))[:60])
def test_an_expression_says_what_its_panel_promises(
    which: tuple[str, str, str], samples: Samples, tmp_path: Path
) -> None:
    assert says(expression(*which), samples, tmp_path) == ""


@pytest.mark.parametrize(("which", "samples"), SAID_OF.items(), ids=lambda value: re.sub(r"\W+", "-", str(value))[:60])
def test_an_expression_of_one_product_keeps_to_it(
    which: tuple[str, str, str], samples: Samples, tmp_path: Path
) -> None:
    product, panel, name = which
    assert says(expression("product", panel, name, product), samples, tmp_path) == ""


@pytest.mark.parametrize(
    ("at", "opened"),
    [
        ("45m", {}),
        ("49m45s", {}),
        ("50m", {MUG: 1}),
        ("50m15s", {}),
        ("51m30s", {}),
        ("1h", {}),
    ],
)
def test_an_opening_is_marked_once(at: str, opened: Samples, tmp_path: Path) -> None:
    assert says(expression("room", "Fuses opened", "annotation"), opened, tmp_path, at) == ""


def test_a_wrong_value_would_be_noticed(tmp_path: Path) -> None:
    assert "got:" in says(expression("room", "Paused products", "A"), {"": 3}, tmp_path)
