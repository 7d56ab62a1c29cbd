"""Orders over the API: one product, or many of a room with the room's id typed once more."""

from typing import Final

from aiohttp import web

from alerts.console.asked import CLIENT, IDENTITY
from alerts.console.audit import Audit, line
from alerts.console.desk import Desk
from alerts.console.models import Ask, BulkAsk, BulkResult, Result
from alerts.console.order import Asked, Products, Told, Wish
from alerts.console.refused import Refused, answer, body_of
from alerts.console.routes import Route

LONGEST_ALLOW_S: Final = 24 * 3600

_STATUS: Final = {"applied": 200, "pending": 202}
_LASTING: Final = ("pause", "allow")
_ABOUT_FUSES: Final = ("resume", "acknowledge")
_WHY: Final = {
    "conflict": "Somebody or something was faster: the product is not as it was seen. Look again.",
    "nothing_open": "No such fuse is open.",
    "nothing_to_release": "There is no override to release.",
    "already_acknowledged": "It was acknowledged before.",
    "expired": "The time until which it should hold is over.",
}


class Orders:
    """The operations that change something."""

    def __init__(self, desk: Desk, products: Products, audit: Audit) -> None:
        self._desk = desk
        self._products = products
        self._audit = audit

    def routes(self) -> list[Route]:
        """Return the operations."""
        errors = {
            400: "It does not fit: `invalid`, `not_confirmed`.",
            409: "`conflict`: the product has moved on, see `product`; `rejected`: see `result`; `request_id_used`.",
            413: "`too_large`.",
            415: "`not_json`.",
            503: "`audit_unavailable`: nothing was ordered; `starting`.",
        }
        return [
            Route(
                "POST",
                "/api/v1/commands",
                "order",
                "Pause, allow, release, resume or acknowledge one product",
                self._one,
                "operator",
                {200: Result, 202: Result},
                body=Ask,
                errors=errors,
            ),
            Route(
                "POST",
                "/api/v1/commands/bulk",
                "order_many",
                "The same order for products of one room",
                self._many,
                "operator",
                {200: BulkResult},
                body=BulkAsk,
                errors=errors,
            ),
        ]

    async def _one(self, request: web.Request) -> web.StreamResponse:
        ask = await body_of(request, Ask)
        _check(ask)
        asked = Asked(
            ask.request_id,
            ask.action,
            ask.reason,
            (Wish(ask.product_id, ask.expected_sequence),),
            rule=ask.rule,
            sku_id=ask.sku_id,
            duration_s=ask.duration_s,
        )
        (told,) = await self._desk.order(request[IDENTITY], request[CLIENT], asked)
        self._note_repeated(request, asked, [told])
        result = self._result(asked, told)
        if told.outcome == "rejected":
            error = "conflict" if told.rejected == "conflict" else "rejected"
            message = _WHY.get(told.rejected or "", "The order changed nothing.")
            # The desk has written it to the audit, or the outcome of the command has.
            raise Refused(409, error, message, product=result.product, result=result, audited=True)
        return answer(result, _STATUS[told.outcome])

    async def _many(self, request: web.Request) -> web.StreamResponse:
        ask = await body_of(request, BulkAsk)
        _check(ask)
        if ask.confirm != ask.room_id:
            raise Refused(400, "not_confirmed", "What was typed is not the id of the room.")
        if len({each.product_id for each in ask.targets}) < len(ask.targets):
            raise Refused(400, "invalid", "targets: a product is there twice")
        asked = Asked(
            ask.request_id,
            ask.action,
            ask.reason,
            tuple(Wish(each.product_id, each.expected_sequence) for each in ask.targets),
            room_id=ask.room_id,
            duration_s=ask.duration_s,
        )
        told = await self._desk.order(request[IDENTITY], request[CLIENT], asked)
        self._note_repeated(request, asked, told)
        return answer(BulkResult(request_id=ask.request_id, results=tuple(self._result(asked, each) for each in told)))

    def _result(self, asked: Asked, told: Told) -> Result:
        return Result(
            request_id=asked.request_id,
            command_id=told.command_id,
            product_id=told.product_id,
            outcome=told.outcome,
            rejected=told.rejected,
            events=told.events,
            product=self._products.product(told.product_id),
        )

    def _note_repeated(self, request: web.Request, asked: Asked, told: list[Told]) -> None:
        """Write to the audit that an order came again: by a page that was not sure, or by somebody who replays it."""
        if not any(each.repeated for each in told):
            return
        who, client = request[IDENTITY], request[CLIENT]
        entry = line(
            "refused",
            who,
            client,
            self._audit.now_ms,
            request_id=asked.request_id,
            action=asked.action,
            product_id=told[0].product_id if asked.room_id is None else None,
            room_id=asked.room_id,
            outcome="repeated",
            detail="sent nothing; the answer is that of the first time",
        )
        self._audit.note_often(("repeated", who.session_id, client), entry)


def _check(ask: Ask | BulkAsk) -> None:
    """Refuse (400) what the pipeline would refuse, or would pay no heed to."""
    if ask.duration_s is not None and ask.action not in _LASTING:
        raise Refused(400, "invalid", "duration_s: only a pause or an allow lasts")
    if ask.action == "allow" and (ask.duration_s is None or ask.duration_s > LONGEST_ALLOW_S):
        raise Refused(400, "invalid", "duration_s: an allow needs one, of at most 24 hours")
    if isinstance(ask, Ask) and ask.action not in _ABOUT_FUSES and (ask.rule or ask.sku_id):
        raise Refused(400, "invalid", "rule, sku_id: only for resume and acknowledge")
