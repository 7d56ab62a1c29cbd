"""What is to be forgotten, and how it is recognised in each kind of record.

An id of one kind may equal an id of another kind, so it is looked for where ids of its kind stand. In what people wrote
(texts, reasons), and in records that are no JSON, it is looked for as a text.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from schemas.errors import FrameError
from streams import frames
from streams.engine import codec
from streams.engine.complaint_surge import ComplaintSurge
from streams.engine.signals import CANCELLATION, COMPLAINT, ORDER
from streams.engine.state import ProductState

Kind = Literal["order", "complaint"]

FORGOTTEN: Final = "(forgotten)"
"""What stands in place of a forgotten id, so that what was counted stays counted."""

_TEXTS: Final = frozenset({"text", "reason", "detail", "note"})
_MEMORY: Final[dict[Kind, int]] = {"order": 0, "complaint": 2}
_SIGNALS: Final[dict[Kind, dict[int, int]]] = {"order": {ORDER: 6, CANCELLATION: 6}, "complaint": {COMPLAINT: 5}}


@dataclass(frozen=True)
class Subject:
    """An order or a complaint, by its id."""

    kind: Kind
    id: str

    def may_be_in(self, value: bytes) -> bool:
        """Tell quickly whether a record may name it: its bytes stand there, as JSON of any kind writes them."""
        return any(form in value for form in self._forms())

    def in_record(self, value: bytes) -> str | None:
        """Say how an input record, a dead letter or an entry of the audit names it; None if it does not."""
        if not self.may_be_in(value):
            return None
        try:
            data = orjson.loads(value)
        except orjson.JSONDecodeError:
            return "bytes that are no JSON"
        return self._in_json(data)

    def in_frame(self, value: bytes) -> str | None:
        """Say how a frame names it."""
        if not self.may_be_in(value):
            return None
        try:
            frame = frames.decode(value)
        except FrameError:
            return "bytes that are no frame"
        places = _SIGNALS[self.kind]
        for signal in frame.signals:
            if signal[0] in places and signal[places[signal[0]]] == self.id:
                return "signal"
        return "text" if any(self._in_json(signal[5:]) for signal in frame.signals if signal[0] not in places) else None

    def in_event(self, value: bytes) -> str | None:
        """Say how a fuse event, or a product's fuse state, names it."""
        if not self.may_be_in(value):
            return None
        data = orjson.loads(value)
        if any(self._is_evidence(cause) for cause in _causes(data)):
            return "evidence"
        return self._in_json(data)

    def in_state(self, product_id: str, value: bytes) -> str | None:
        """Say how a product's state names it. StateError when this release cannot read the state."""
        if not self.may_be_in(value):
            return None
        state = codec.decode(product_id, value)
        if any(self._is_fact(fact) for fact in state.memories[_MEMORY[self.kind]]):
            return "memory of what was seen"
        evidence = any(self._is_evidence(fuse.cause) for fuse in state.all_fuses())
        return "evidence" if evidence or any(self.id in each.ids for each in self._surges(state)) else None

    def forgotten_in_state(self, product_id: str, value: bytes) -> bytes:
        """Return the state without the id. Everything that was counted stays counted; a repeat would count again."""
        state = codec.decode(product_id, value)
        memories = list(state.memories)
        place = _MEMORY[self.kind]
        memories[place] = {
            # No id has a line feed, so these are never taken for one.
            f"{FORGOTTEN}\n{number}" if self._is_fact(fact) else fact: applied
            for number, (fact, applied) in enumerate(memories[place].items())
        }
        state.memories = memories[0], memories[1], memories[2], memories[3]
        for surge in self._surges(state):
            surge.ids = [FORGOTTEN if each == self.id else each for each in surge.ids]
        for fuse in state.all_fuses():
            self._forget_evidence(fuse.cause)
        return codec.encode(state)

    def forgotten_in_event(self, value: bytes) -> bytes:
        """Return a fuse state without the id among the evidence."""
        data = orjson.loads(value)
        for cause in _causes(data):
            self._forget_evidence(cause)
        return orjson.dumps(data)

    def _forms(self) -> tuple[bytes, ...]:
        return self.id.encode(), orjson.dumps(self.id)[1:-1], json.dumps(self.id)[1:-1].encode()

    def _is_fact(self, fact: str) -> bool:
        return fact == self.id or fact.startswith(f"{self.id}\n")

    def _surges(self, state: ProductState) -> list[ComplaintSurge]:
        found = [evidence for _, evidence in state.evidence.values() if isinstance(evidence, ComplaintSurge)]
        return found if self.kind == "complaint" else []

    def _is_evidence(self, cause: dict[str, Any]) -> bool:
        """Tell by what a rule gives besides what its evidence is: orders (over-sell), returns, or complaints."""
        kind = "order" if "level" in cause else "return" if "b" in cause else "complaint"
        return kind == self.kind and self.id in (cause.get("evidence") or ())

    def _forget_evidence(self, cause: dict[str, Any]) -> None:
        if self._is_evidence(cause):
            cause["evidence"] = [FORGOTTEN if each == self.id else each for each in cause["evidence"]]

    def _in_json(self, data: Any) -> str | None:
        """Say how a JSON value names it: under its name, or in a text."""
        found = None
        if isinstance(data, dict):
            for name, value in data.items():
                if name == f"{self.kind}_id" and isinstance(value, str | int) and str(value) == self.id:
                    return "id"
                if name in _TEXTS and isinstance(value, str) and self.id in value:
                    found = "text"
                found = self._in_json(value) or found
        elif isinstance(data, list):
            for value in data:
                found = self._in_json(value) or found
        return found


def _causes(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["cause"] for each in [data, *data.get("fuses", [])] if each.get("cause")]
