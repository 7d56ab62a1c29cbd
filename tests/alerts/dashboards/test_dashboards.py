"""What holds for every panel of every dashboard, read from the generated files as Grafana reads them."""

import json
from collections import Counter
from typing import Any, Final

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from alerts.dashboards.wording import LANGUAGE_NAMES
from tests.alerts.dashboards.expressions import dashboards, panels

COLUMNS: Final = 24
UNITS: Final = {value for name, value in vars(units).items() if name[0].isupper() and isinstance(value, str)}
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

BOARDS = {f"{language}/{name}": board for language in LANGUAGE_NAMES for name, board in dashboards(language).items()}
PANELS = [
    pytest.param(panel, id=f"{path}/{panel['title']}")
    for path, board in BOARDS.items()
    if path.startswith("en/")
    for panel in panels(board)
]
every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
every_panel = pytest.mark.parametrize("panel", PANELS)


def picture(board: dict[str, Any]) -> list[str]:
    """Draw the grid of a dashboard: a line for each line of the grid, a sign for each panel, `-` for headings."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    grid = [[" "] * COLUMNS for _ in range(height)]
    for panel in board["panels"]:
        sign = "-" if panel["type"] == "row" else chr(ord("A") + panel["id"] % 26)
        place = panel["gridPos"]
        for y in range(place["y"], place["y"] + place["h"]):
            for x in range(place["x"], place["x"] + place["w"]):
                assert grid[y][x] == " ", f"{panel['title']} lies over another panel"
                grid[y][x] = sign
    return ["".join(line) for line in grid]


@every_panel
def test_every_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["description"] != panel["title"]
    assert panel["targets"]


@every_panel
def test_every_panel_has_a_unit_that_grafana_knows(panel: dict[str, Any]) -> None:
    given = [panel["fieldConfig"]["defaults"]["unit"]]
    for override in panel["fieldConfig"]["overrides"]:
        given += [each["value"] for each in override["properties"] if each["id"] == "unit"]
    assert [unit for unit in given if unit not in UNITS and not unit.startswith("suffix:")] == []


@every_panel
def test_every_panel_asks_the_datasource_that_is_chosen(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == DATASOURCE
    assert [target["datasource"] for target in panel["targets"]] == [DATASOURCE] * len(panel["targets"])


@every_panel
def test_no_panel_has_a_threshold_of_its_own(panel: dict[str, Any]) -> None:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None]
    assert not any(each["id"] == "thresholds" for each in properties(panel))


@every_panel
def test_lines_of_limits_come_from_data_and_look_like_limits(panel: dict[str, Any]) -> None:
    dashed = {override["matcher"]["options"] for override in limit_lines(panel)}
    asked = {target["refId"]: target["expr"] for target in panel["targets"]}
    assert all("_limit{" in asked[name] or "_target_" in asked[name] for name in dashed)


def test_what_is_measured_is_shown_against_its_limit() -> None:
    lined = {panel["title"] for panel in panels(BOARDS["en/product"]) if limit_lines(panel)}
    assert lined == {"Measured against the limit: $rule", "Available units", "Time until sold out"}


def limit_lines(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the overrides that draw a query of the panel as a limit."""
    return [
        override
        for override in panel["fieldConfig"]["overrides"]
        if any(each["id"] == "custom.lineStyle" for each in override["properties"])
    ]


def properties(panel: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for override in panel["fieldConfig"]["overrides"] for each in override["properties"]]


@every_panel
def test_queries_of_a_panel_are_told_apart(panel: dict[str, Any]) -> None:
    names = [target["refId"] for target in panel["targets"]]
    assert len(set(names)) == len(names)
    if panel["type"] in {"timeseries", "state-timeline"}:
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends)
        assert len(set(legends)) == len(legends)


@every_panel
def test_a_table_asks_for_now_and_names_its_columns(panel: dict[str, Any]) -> None:
    if panel["type"] != "table":
        assert not any(target["format"] == "table" for target in panel["targets"])
        return
    assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])
    order = panel["transformations"][-1]["options"]
    headings = list(order["renameByName"].values())
    assert len(set(headings)) == len(headings)
    assert panel["options"]["sortBy"][0]["displayName"] in headings
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["options"] in headings
    several = len(panel["targets"]) > 1
    values = {f"Value #{target['refId']}" for target in panel["targets"]} if several else {"Value"}
    assert values <= order["renameByName"].keys() | order["excludeByName"].keys()
    assert [each["id"] for each in panel["transformations"]] == (["merge", "organize"] if several else ["organize"])


@every_panel
def test_a_number_is_that_of_now_or_none(panel: dict[str, Any]) -> None:
    asks_for_now = {target["instant"] for target in panel["targets"]}
    assert asks_for_now == {panel["type"] in {"stat", "table"}}


@every_board
def test_panels_lie_side_by_side_without_holes(board: dict[str, Any]) -> None:
    drawn = picture(board)
    assert all(len(line) == COLUMNS for line in drawn)
    assert [line for line in drawn if " " in line] == [], "\n".join(drawn)


@every_board
def test_panels_have_numbers_of_their_own(board: dict[str, Any]) -> None:
    counted = Counter(panel["id"] for panel in board["panels"])
    assert set(counted.values()) == {1}


@every_board
def test_variables_are_there_before_they_are_used(board: dict[str, Any]) -> None:
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names[0] == "datasource"
    assert board["templating"]["list"][0]["query"] == "prometheus"
    text = json.dumps(board)
    for place, variable in enumerate(board["templating"]["list"][1:], start=1):
        assert variable["datasource"] == DATASOURCE
        assert not any(f"${later}" in variable["definition"] for later in names[place:])
        assert f"${variable['name']}" in text


def test_addresses_are_unique_and_links_lead_somewhere() -> None:
    addresses = {board["uid"] for board in BOARDS.values()}
    assert len(addresses) == len(BOARDS)
    for path, board in BOARDS.items():
        language = path.split("/")[0]
        assert board["uid"] == f"livefuse-{path.split('/')[1]}-{language}"
        for link in [*board["links"], *(each for panel in panels(board) for each in data_links(panel))]:
            if link.get("url"):
                assert link["url"].removeprefix("/d/").split("?")[0] in addresses
            else:
                assert set(link["tags"]) <= set(board["tags"])


def data_links(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the links of a table's cells."""
    return [link for each in properties(panel) if each["id"] == "links" for link in each["value"]]


def test_a_product_of_the_room_leads_to_its_dashboard() -> None:
    linked = [panel["title"] for panel in panels(BOARDS["en/room"]) if data_links(panel)]
    assert linked == ["Paused, and why", "Near a limit"]
    (product,) = (each for each in BOARDS["en/product"]["templating"]["list"] if each["name"] == "product_id")
    assert not product["multi"]
    for panel in panels(BOARDS["en/room"]):
        for link in data_links(panel):
            assert "var-product_id=${__value.raw:percentencode}" in link["url"]


@every_board
def test_the_library_reads_the_files_as_it_would_write_them(board: dict[str, Any]) -> None:
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    for each in (*again["links"], *again["annotations"].get("list", [])):
        del each["placement"]
    assert again == board


def test_one_product_repeats_its_graph_for_each_rule() -> None:
    (panel,) = (panel for panel in panels(BOARDS["en/product"]) if "repeat" in panel)
    assert panel["repeat"] == "rule"
    assert all('rule=~"$rule"' in target["expr"] for target in panel["targets"])
    assert panel["gridPos"]["w"] == COLUMNS, "what is repeated fills its line, or the copies cover its neighbours"
