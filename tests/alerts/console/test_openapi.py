import pytest

from alerts.console.models import Refusal, Snapshot
from alerts.console.openapi import FILE, document, generated
from alerts.console.routes import Route
from alerts.console.server import every_route


@pytest.fixture(scope="module")
def routes() -> tuple[Route, ...]:
    return every_route()


def test_the_generated_file_is_current(routes: tuple[Route, ...]) -> None:
    assert FILE.read_text(encoding="utf-8") == generated(routes), "run `make generate`"


def test_every_route_is_documented_with_what_it_asks_and_answers(routes: tuple[Route, ...]) -> None:
    made = document(routes)
    for route in routes:
        operation = made["paths"][route.path][route.method.lower()]
        assert operation["operationId"] == route.name
        assert set(operation["responses"]) >= {str(status) for status in route.answers}
        assert bool(operation["security"]) == (route.role is not None)
        assert ("requestBody" in operation) == (route.body is not None)
    assert len({route.name for route in routes}) == len(routes)


def test_every_reference_leads_somewhere(routes: tuple[Route, ...]) -> None:
    made = document(routes)
    schemas = made["components"]["schemas"]
    assert {Snapshot.__name__, Refusal.__name__, "Delta"} <= set(schemas)
    for reference in _references(made):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_a_parameter_that_may_be_left_out_is_never_null(routes: tuple[Route, ...]) -> None:
    parameters = document(routes)["paths"]["/api/v1/products"]["get"]["parameters"]
    assert {each["name"] for each in parameters} == {"room", "rule", "state", "text", "limit", "after"}
    assert not any("null" in str(each["schema"]) for each in parameters)


def _references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in _references(value)]
    return [each for value in part for each in _references(value)] if isinstance(part, list) else []
