from alerts.console.models import Refusal, Snapshot
from alerts.console.openapi import FILE, document, generated
from alerts.console.server import every_route


def test_the_generated_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == generated(every_route()), "run `make generate`"


def test_every_route_is_documented_with_what_it_asks_and_answers() -> None:
    routes = every_route()
    made = document(routes)
    for route in routes:
        operation = made["paths"][route.path][route.method.lower()]
        assert operation["operationId"] == route.name
        assert set(operation["responses"]) >= {str(status) for status in route.answers}
        assert bool(operation["security"]) == (route.role is not None)
        assert ("requestBody" in operation) == (route.body is not None)
    assert len({route.name for route in routes}) == len(routes)


def test_every_reference_leads_somewhere() -> None:
    made = document(every_route())
    schemas = made["components"]["schemas"]
    assert {Snapshot.__name__, Refusal.__name__, "Delta"} <= set(schemas)
    for reference in _references(made):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_a_parameter_that_may_be_left_out_is_never_null() -> None:
    parameters = document(every_route())["paths"]["/api/v1/products"]["get"]["parameters"]
    assert {each["name"] for each in parameters} == {"room", "rule", "state", "text", "limit", "after"}
    assert not any("null" in str(each["schema"]) for each in parameters)


def _references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in _references(value)]
    return [each for value in part for each in _references(value)] if isinstance(part, list) else []
