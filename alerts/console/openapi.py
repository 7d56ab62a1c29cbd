"""The documentation of the API, OpenAPI 3.1, made from the routes and the models.

GET /api/v1/openapi.json                     served to anybody
python -m alerts.console.openapi [--check]   writes schemas/generated/console-openapi.json
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from alerts.console.models import Delta, Refusal, Snapshot
from alerts.console.refusals import json_answer
from alerts.console.routes import Route
from alerts.console.sessions import COOKIE
from schemas.generate import CONSOLE_API, FOLDER

FILE: Final = FOLDER / CONSOLE_API

_REFERENCE: Final = "#/components/schemas/{model}"
_SHARED: Final = {
    400: "The request does not fit.",
    401: "Nobody has signed in, or the session is over.",
    403: "The role does not allow it; or, for a POST, the CSRF token or the origin is wrong.",
    413: "The request is larger than 64 KiB.",
    415: "The body is not application/json.",
    429: "Too many requests; `Retry-After` says when it may go better.",
    500: "A fault of the console.",
    503: "The console starts, or Kafka is away; `Retry-After` says when it may go better.",
}
_DESCRIPTION: Final = (
    "What the page of the live console uses, for other programs too. One signs in with `POST /api/v1/login` (or by the"
    " proxy, or OpenID Connect); the session is a cookie, and every POST bears the token of `GET /api/v1/session` in"
    " the header `X-CSRF-Token`. Every error is a `Refusal`."
)


class _Generator(GenerateJsonSchema):
    """Writes no titles that only repeat a name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the signature is pydantic's)
        return False


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for each in routes:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "livefuse console", "version": "1", "description": _DESCRIPTION},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def document_route(routes: Sequence[Route]) -> Route:
    """Return the route that serves the document of these routes, and of itself."""
    body: list[bytes] = []

    async def show(_: web.Request) -> web.Response:
        return json_answer(body[0])

    route = Route("GET", "/api/v1/openapi.json", "openapi", "This document", show, None, {200: "application/json"})
    body.append(orjson.dumps(document((*routes, route))))
    return route


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": route.name, "summary": route.summary}
    if route.role is not None:
        operation["description"] = f"Role: {route.role}."
        operation["security"] = [{"session": [], "csrf": []} if route.method == "POST" else {"session": []}]
    else:
        operation["security"] = []
    if route.query is not None:
        operation["parameters"] = list(_parameters(route.query))
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    refusals = {status: text for status, text in _SHARED.items() if _applies(status, route)} | dict(route.errors)
    operation["responses"] = {
        **{
            str(status): {"description": HTTPStatus(status).phrase, **({"content": _content(model)} if model else {})}
            for status, model in sorted(route.answers.items())
        },
        **{
            str(status): {"description": text, "content": _content(Refusal)}
            for status, text in sorted(refusals.items())
            if status not in route.answers
        },
    }
    return operation


def _applies(status: int, route: Route) -> bool:
    if status in {401, 403}:
        return route.role is not None or route.method == "POST"
    if status in {413, 415}:
        return route.body is not None
    return True


def _content(model: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(model, str):
        if model == "text/event-stream":
            return {model: {"schema": {"type": "string", "description": _STREAM}}}
        return {model: {}}
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


_STREAM: Final = (
    "Server-sent events: `snapshot` (data: Snapshot), `delta` (data: Delta), `ping` (data: {now}). `Last-Event-ID`"
    " resumes: what was missed comes as deltas, or else a snapshot."
)


def _parameters(query: type[BaseModel]) -> Iterator[dict[str, Any]]:
    schema = query.model_json_schema(schema_generator=_Generator)
    for name, each in schema["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _without_null(each),
        }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what is given: a query has no null, a parameter is left out."""
    forms: list[dict[str, Any]] = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(forms) != 1:
        return schema
    return {key: value for key, value in schema.items() if key not in {"anyOf", "default"}} | forms[0]


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    answers: set[type[BaseModel]] = {
        model for route in routes for model in route.answers.values() if not isinstance(model, str)
    }
    bodies = {route.body for route in routes if route.body is not None}
    asked = [(model, "validation") for model in sorted(bodies, key=lambda model: model.__name__)]
    said = sorted((answers | {Snapshot, Delta, Refusal}) - bodies, key=lambda model: model.__name__)
    _, made = models_json_schema(
        [*asked, *((model, "serialization") for model in said)],  # type: ignore[list-item]
        ref_template=_REFERENCE,
        schema_generator=_Generator,
    )
    return dict(sorted(made["$defs"].items()))


def generated(routes: Sequence[Route]) -> str:
    """Return the text of the generated file."""
    return json.dumps(document(routes), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Run the command; the exit code of `--check` is 1 when the file is stale."""
    from alerts.console.server import every_route  # noqa: PLC0415 (the server serves this document)

    arguments = argparse.ArgumentParser(description="Write the documentation of the console's API.")
    arguments.add_argument("--check", action="store_true", help="only tell whether it is stale")
    check = arguments.parse_args().check
    text = generated(every_route())
    is_stale = not FILE.exists() or FILE.read_text(encoding="utf-8") != text
    if is_stale and not check:
        FILE.write_text(text, encoding="utf-8")
    if is_stale:
        sys.stdout.write(f"{'stale' if check else 'written'}: {FILE.name}\n")
    return 1 if check and is_stale else 0


if __name__ == "__main__":
    sys.exit(main())
