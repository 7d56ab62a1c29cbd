"""The desk takes orders: it writes them to the audit, sends them as commands, and tells what came of them.

    asked ─▶ known already? ─▶ still as the person saw it? ─▶ audit: command ─▶ livefuse.commands ─▶ fuse event
              │ same answer      │ conflict                    │ not written:      │ again, until     └▶ audit: outcome
              │ again            └▶ audit: refused             └▶ nothing is sent  └  Kafka has it

- No audit, no command: the line is acknowledged before the command is sent.
- An order is known by its actor and request_id; each of its commands by an id made from these and the product. The
  pipeline obeys one id once. So the same request again sends nothing, and after a crash between line and command it
  sends what the former life did not, or what counts only once.
- What came of a command is told by its events, whenever they come: to whoever waits, and to the audit. A console that
  starts finds in the audit which commands have no outcome yet, and looks for them.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5
from weakref import WeakValueDictionary

from alerts.console.audit import Audit, AuditUnavailable, line
from alerts.console.identity import Identity
from alerts.console.meter import Meter
from alerts.console.order import Asked, Commanded, Outcome, Products, Told, Wish, command_id_of, content_of
from alerts.console.refused import Refused
from alerts.console.writer import NotWritten, Writer
from schemas.audit import AuditEntry
from schemas.commands import Command, encode_command
from schemas.events import NAMESPACE, FuseEvent

ANSWER_WITHIN_S: Final = 3.0
"""How long an answer waits for the events of its commands."""

SIBLINGS_S: Final = 0.1
"""The events of one command come together; how long to wait for more after the first."""

SEND_WITHIN_S: Final = 60.0
"""For how long a command is tried to be sent. Then the person has long done something else about it."""

RESEND_WITHIN_MS: Final = 30 * 60_000
"""The pipeline knows a command again for an hour: until then it does no harm to send it twice."""

_SEND_ONCE_S: Final = 12.0
_RETRY_S: Final = 1.0
_KEPT_MS: Final = 24 * 3_600_000
_MOST_UNCLAIMED: Final = 5_000

T = TypeVar("T")

log = logging.getLogger(__name__)


class Desk:
    """Carries out orders. `run` has to run, and `event` to be told of every fuse event."""

    def __init__(self, commands_topic: str, products: Products, audit: Audit, writer: Writer, meter: Meter) -> None:
        self._topic = commands_topic
        self._products = products
        self._audit = audit
        self._writer = writer
        self._meter = meter
        self._requests: OrderedDict[tuple[str, UUID], dict[str, Commanded]] = OrderedDict()
        self._commands: dict[str, Commanded] = {}
        self._unclaimed: OrderedDict[str, list[FuseEvent]] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[str, UUID], asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        audit.listeners.append(self._heard)

    def open_commands(self) -> list[Commanded]:
        """Return the commands of which it is not known what came of them."""
        return [each for each in self._commands.values() if each.outcome is None]

    async def order(self, who: Identity, client: str, asked: Asked) -> list[Told]:
        """Carry out an order; return what came of each wish, in their order. Whoever goes away stops nothing.

        Raises Refused: 503 `starting`, `audit_unavailable`; 409 `request_id_used`.
        """
        if not (self._audit.ready.is_set() and self._products.ready):
            raise Refused(503, "starting", "The console is still reading what was before.", retry_after=1)
        return await asyncio.shield(self._spawn(self._in_turn(who, client, asked)))

    def event(self, event: FuseEvent, *, live: bool) -> None:
        """Take in a fuse event, of now or of before."""
        command_id = event.cause.command_id
        if command_id is None:
            return
        found = self._commands.get(command_id)
        if found is None:
            self._unclaimed.setdefault(command_id, []).append(event)
            while len(self._unclaimed) > _MOST_UNCLAIMED:
                self._unclaimed.popitem(last=False)
            return
        is_first = not found.events
        found.events[event.sequence] = event
        if is_first and live and found.is_ours:
            self._spawn(self._answered(found))

    def settled(self, commanded: Commanded) -> None:
        """Write to the audit what the events of a command tell."""
        events = [commanded.events[each] for each in sorted(commanded.events)]
        rejected = next((each.cause.rejected for each in events if each.type == "command.rejected"), None)
        outcome = "applied" if rejected is None else "rejected"
        self.conclude(commanded, outcome, 200 if rejected is None else 409, events[-1].sequence, rejected)

    def conclude(
        self,
        commanded: Commanded,
        outcome: str,
        status: int | None = None,
        sequence: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Write to the audit what came of a command. Two consoles that do so write the same line."""
        if commanded.outcome == outcome:
            return
        entry = commanded.entry
        self._meter.commands(entry.action or "", outcome)
        self._audit.note(
            entry.model_copy(
                update={
                    "entry_id": uuid5(NAMESPACE, f"outcome\n{entry.command_id}\n{outcome}"),
                    "at": self._audit.now_ms,
                    "what": "outcome",
                    "outcome": outcome,
                    "status": status,
                    "sequence": sequence,
                    "detail": detail,
                }
            )
        )
        # The audit tells all its listeners of the line; if another console has written it before, it does not.
        commanded.outcome, commanded.detail = outcome, detail

    async def settle(self) -> None:
        """Wait until all that is under way is done."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def close(self) -> None:
        """Give up what is under way."""
        for each in self._tasks:
            each.cancel()

    def forget(self) -> None:
        """Let go of orders that nobody will ask for again."""
        since_ms = self._audit.now_ms - _KEPT_MS
        for key, commands in list(self._requests.items()):
            if all(each.entry.at < since_ms for each in commands.values()):
                del self._requests[key]
                for each in commands.values():
                    self._commands.pop(each.command_id, None)

    async def _in_turn(self, who: Identity, client: str, asked: Asked) -> list[Told]:
        key = (who.name, asked.request_id)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            return await self._carry_out(who, client, asked)

    async def _carry_out(self, who: Identity, client: str, asked: Asked) -> list[Told]:
        known = self._requests.get((who.name, asked.request_id), {})
        fresh: list[AuditEntry] = []
        waiting: list[Commanded] = []
        again: list[Commanded] = []
        told: dict[str, Told] = {}
        for wish in asked.wishes:
            entry = self._entry(who, client, asked, wish)
            before = known.get(wish.product_id)
            if before is not None and content_of(before.entry) != content_of(entry):
                raise Refused(409, "request_id_used", "This request_id was used for another order.")
            if before is not None and before.outcome != "not_sent":
                if before.outcome is None and not before.is_ours:
                    again += self._adopt(before)
                waiting.append(before)
            elif rejected := self._objection(asked, wish):
                told[wish.product_id] = self._turn_down(entry, rejected)
            else:
                fresh.append(entry)
        repeated = {each.command_id for each in waiting}
        began = await self._begin(fresh)
        if began or again:
            self._spawn(self._send([*began, *again]))
        await self._answers([*waiting, *began])
        told |= {
            each.entry.product_id or "": self._tell(each, is_repeated=each.command_id in repeated)
            for each in [*waiting, *began]
        }
        return [told[wish.product_id] for wish in asked.wishes]

    def _entry(self, who: Identity, client: str, asked: Asked, wish: Wish) -> AuditEntry:
        now_ms = self._audit.now_ms
        return line(
            "command",
            who,
            client,
            now_ms,
            request_id=asked.request_id,
            command_id=command_id_of(who.name, asked.request_id, wish.product_id),
            action=asked.action,
            product_id=wish.product_id,
            sku_id=asked.sku_id,
            rule=asked.rule,
            room_id=asked.room_id,
            reason=asked.reason,
            expires_at=None if asked.duration_s is None else now_ms + asked.duration_s * 1000,
            expected_sequence=wish.expected_sequence,
        )

    def _objection(self, asked: Asked, wish: Wish) -> str | None:
        """Return why a wish is not carried out; None when it may be."""
        if asked.room_id is not None and self._products.room(wish.product_id) != asked.room_id:
            return "wrong_room"
        sequence = self._products.sequence(wish.product_id)
        return "conflict" if sequence is not None and sequence != wish.expected_sequence else None

    def _turn_down(self, entry: AuditEntry, why: str) -> Told:
        product_id = entry.product_id or ""
        sequence = self._products.sequence(product_id)
        refused = {"what": "refused", "outcome": why, "status": 409, "sequence": sequence}
        self._audit.note(entry.model_copy(update=refused))
        self._meter.commands(entry.action or "", why)
        return Told(entry.command_id or "", product_id, "rejected", why, (), repeated=False)

    async def _begin(self, entries: Sequence[AuditEntry]) -> list[Commanded]:
        """Write the lines of new commands. Raises Refused when that cannot be."""
        if not entries:
            return []
        commanded = [Commanded(each, is_ours=True) for each in entries]
        # Known from here on: the line may be read back before the broker's word for it comes.
        for each in commanded:
            self._remember(each)
        try:
            await self._audit.write(*entries)
        except AuditUnavailable:
            for each in commanded:
                self.conclude(each, "not_sent", 503, detail="audit_unavailable")
            message = "The audit cannot be written, so nothing was ordered. Try again."
            raise Refused(503, "audit_unavailable", message, retry_after=2, audited=True) from None
        return commanded

    async def _send(self, commanded: Sequence[Commanded]) -> None:
        """Send commands; try again until Kafka has them, or it is too late."""
        records = [self._record(each.entry) for each in commanded]
        loop = asyncio.get_running_loop()
        until = loop.time() + SEND_WITHIN_S
        while True:
            try:
                await self._writer.send(self._topic, records, _SEND_ONCE_S)
            except NotWritten as error:
                if loop.time() < until:
                    await asyncio.sleep(_RETRY_S)
                    continue
                log.warning("command.not_sent commands=%d error=%s", len(records), error)
                for each in commanded:
                    if each.outcome is None and not each.events:
                        self.conclude(each, "not_sent", detail="broker_away")
                        each.answered.set()
            return

    def _record(self, entry: AuditEntry) -> tuple[bytes, bytes]:
        product_id = entry.product_id or ""
        # Of a product that nobody has heard of 0 says no more than that; only the pipeline knows better.
        is_unknown = self._products.sequence(product_id) is None and not entry.expected_sequence
        command = Command(
            command_id=entry.command_id or "",
            product_id=product_id,
            action=entry.action or "acknowledge",
            actor=entry.actor or "",
            reason=entry.reason or "",
            issued_at=entry.at,
            rule=entry.rule,
            sku_id=entry.sku_id,
            expires_at=entry.expires_at,
            expected_sequence=None if is_unknown else entry.expected_sequence,
        )
        return product_id.encode(), encode_command(command)

    async def _answers(self, commanded: Iterable[Commanded]) -> None:
        """Wait for what comes of commands, but not long."""
        waiting = [each.answered.wait() for each in commanded if each.outcome is None]
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await asyncio.gather(*waiting)
        except TimeoutError:
            pass

    async def _answered(self, commanded: Commanded) -> None:
        await asyncio.sleep(SIBLINGS_S)
        self.settled(commanded)
        commanded.answered.set()

    def _tell(self, commanded: Commanded, *, is_repeated: bool) -> Told:
        outcome: Outcome = "pending"
        if commanded.outcome == "applied":
            outcome = "applied"
        elif commanded.outcome == "rejected":
            outcome = "rejected"
        events = tuple(commanded.events[each] for each in sorted(commanded.events))
        return Told(
            commanded.command_id,
            commanded.entry.product_id or "",
            outcome,
            commanded.detail if outcome == "rejected" else None,
            events,
            is_repeated,
        )

    def _adopt(self, before: Commanded) -> list[Commanded]:
        """Take over a command of a former life; return it if it has to be sent again. Raises Refused."""
        if before.events:
            self.settled(before)
            return []
        if self._audit.now_ms - before.entry.at > RESEND_WITHIN_MS:
            message = "This order is too old to be sent again, and it is not known what came of it. Order anew."
            raise Refused(409, "request_too_old", message)
        before.is_ours = True
        return [before]

    def _heard(self, entry: AuditEntry) -> None:
        """Take in a line of the audit: of this console, of another one, or of before."""
        if entry.command_id is None or entry.actor is None or entry.request_id is None:
            return
        if entry.what == "command" and entry.command_id not in self._commands:
            self._remember(Commanded(entry, is_ours=False))
            return
        found = self._commands.get(entry.command_id)
        # A command that was given up may have come through after all; never the other way round.
        if entry.what == "outcome" and found is not None and found.outcome in {None, "not_sent"}:
            found.outcome, found.detail = entry.outcome, entry.detail
            found.answered.set()

    def _remember(self, commanded: Commanded) -> None:
        entry = commanded.entry
        if entry.actor is None or entry.request_id is None:
            return
        self._requests.setdefault((entry.actor, entry.request_id), {})[entry.product_id or ""] = commanded
        self._commands[commanded.command_id] = commanded
        for event in self._unclaimed.pop(commanded.command_id, ()):
            commanded.events[event.sequence] = event

    def _spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Have something done that whoever asked for it may not wait for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
