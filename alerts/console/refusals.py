"""Every error of the API is JSON of `models.Refusal`, whoever raised it, and none repeats what was sent."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from alerts.console.refused import Refused

_WORDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "This request cannot be understood."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This path does not take this method."),
    413: ("too_large", "The request is too large."),
    500: ("internal", "Something went wrong here; the log of the console tells more."),
}

log = logging.getLogger(__name__)


def json_answer(content: Any) -> web.Response:
    """Return JSON that no cache keeps: bytes as they are, anything else by orjson."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})


def refusal_of(error: web.HTTPException) -> web.Response:
    """Return the refusal for what aiohttp raises."""
    phrase = HTTPStatus(error.status).phrase
    code, message = _WORDS.get(error.status, (phrase.lower().replace(" ", "_"), f"{phrase}."))
    refusal = Refused(error.status, code, message).response()
    if isinstance(error, web.HTTPMethodNotAllowed):
        refusal.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return refusal


@web.middleware
async def refusing(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turn every error into a refusal. The outermost middleware."""
    try:
        found: web.StreamResponse = await handler(request)
    except Refused as refused:
        return refused.response()
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return refusal_of(error)
    except ConnectionError:
        raise
    except Exception:
        resource = request.match_info.route.resource
        log.exception("console.request_failed route=%s", resource and resource.name)
        return refusal_of(web.HTTPInternalServerError())
    return found
