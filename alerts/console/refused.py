"""A request that is turned down: which status, which code for programs, which sentence for people.

Nothing in it repeats what was sent, so an answer can carry no script and no secret.
"""

from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from alerts.console.models import Product, Refusal, Result

_SAID: Final = {
    "extra_forbidden": "there is a field that is not known",
    "json_invalid": "it is no JSON",
    "uuid_parsing": "a UUID is no UUID",
}
"""For errors whose own words, or place, repeat what was sent."""

_MOST_FIELDS: Final = 5

Model = TypeVar("Model", bound=BaseModel)


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """Raised by handlers and by the guard, which makes the answer of it, and the line in the audit.

    `retry_after`: seconds after which it may go better.
    """

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        retry_after: float | None = None,
        product: Product | None = None,
        result: Result | None = None,
        audited: bool = False,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message
        self.retry_after = retry_after
        self.product = product
        self.result = result
        self.audited = audited
        """Whether whoever raises it has written to the audit already."""

    def response(self) -> web.Response:
        """Return the answer."""
        refusal = Refusal(error=self.error, message=self.message, product=self.product, result=self.result)
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after + 0.5)))
        return web.Response(
            status=self.status,
            body=refusal.model_dump_json().encode(),
            content_type="application/json",
            headers=headers,
        )


def answer(model: BaseModel, status: int = 200) -> web.Response:
    """Return a model as the JSON body of an answer that no cache keeps."""
    return web.Response(
        status=status,
        body=model.model_dump_json(by_alias=True).encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def body_of(request: web.Request, model: type[Model]) -> Model:
    """Read and check the JSON body of a request.

    Raises Refused: 415 for another media type, 400 for what does not fit; HTTPRequestEntityTooLarge.
    """
    if request.content_type != "application/json":
        # A form of another site can send text/plain and forms without asking first, but never this.
        raise Refused(415, "not_json", "The body has to be application/json.")
    raw = await request.read()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise Refused(400, "invalid", _said(error)) from None


def query_of(request: web.Request, model: type[Model]) -> Model:
    """Read and check the query of a request. Raises Refused: 400 for what does not fit, or is there twice."""
    if len(set(request.query)) < len(request.query):
        raise Refused(400, "invalid", "A parameter of the query is there twice.")
    try:
        return model.model_validate_strings(dict(request.query))
    except ValidationError as error:
        raise Refused(400, "invalid", _said(error)) from None


def _said(error: ValidationError) -> str:
    """Name the fields that do not fit; not those that somebody made up, nor any value."""
    fields = []
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in each["loc"])
        said = _SAID.get(each["type"]) or (f"{path}: {each['msg']}" if path else each["msg"])
        if said not in fields:
            fields.append(said)
    more = len(fields) - _MOST_FIELDS
    return "; ".join(fields[:_MOST_FIELDS]) + (f"; and {more} more" if more > 0 else "")
