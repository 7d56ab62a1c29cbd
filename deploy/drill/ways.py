"""How it is seen that somebody was told.

An Alertmanager is asked, by its own API, whether it holds the alert. Of a channel the pager has the answer of the
service, and says so in Kafka, beside the channel's position (`alerts.pager.progress`): so a drill needs neither the
address of the pager nor that of the service.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from alerts.pager.alertmanager import Client
from alerts.pager.channel import Rejected, Unavailable
from alerts.pager.progress import Mark, Progress
from alerts.pager.route import Route
from deploy.drill.exercise import Exercise
from deploy.drill.steps import Outcome
from schemas.events import FuseEvent
from schemas.rights import missing
from schemas.times import from_ms

_PAGER: Final = "Does `livefuse pager` run, with these settings?"
_CHECK: Final = "The pager's log says why; `livefuse pager --check` tries it."


class Place(NamedTuple):
    """A fuse event, and where it lies in Kafka. `known_ms`: its Kafka timestamp. `seen_s`: when it was read."""

    event: FuseEvent
    partition: int
    offset: int
    known_ms: int
    seen_s: float


class Seen(NamedTuple):
    """What a look has shown. `outcome` is None while it may still come."""

    outcome: Outcome | None
    told: str


class Way(Protocol):
    """A way to people."""

    name: str

    async def opening(self, opening: Place) -> Seen:
        """Look whether the opening was taken."""

    async def end(self, opening: Place, end: Place) -> Seen:
        """Look whether the end was taken, where the opening was."""


class AlertmanagerWay:
    """One Alertmanager."""

    def __init__(self, client: Client, exercise: Exercise, application: str) -> None:
        self.name = client.name
        self._client = client
        self._matchers = (
            'alertname="FuseOpen"',
            f'product_id="{exercise.product_id}"',
            f'rule="{exercise.rule.id}"',
            f'application="{application}"',
            'drill="true"',
        )

    async def opening(self, opening: Place) -> Seen:
        """Look whether the alert is there."""
        del opening
        try:
            found = await self._client.firing(*self._matchers)
        except (Rejected, Unavailable) as error:
            return Seen(None, f"{error}. Does it run, and is LIVEFUSE_PAGER__ALERTMANAGER__URLS right?")
        if not found:
            return Seen(None, f"it does not have the alert. {_PAGER}")
        receivers = ", ".join(str(each.get("name")) for each in found[0].get("receivers") or ())
        kept = (found[0].get("status") or {}).get("state") == "suppressed"
        silenced = "; it is silenced or inhibited there, so nobody hears of it" if kept else ""
        return Seen("ok", f"{f'for {receivers}' if receivers else 'for nobody: its routes name no receiver'}{silenced}")

    async def end(self, opening: Place, end: Place) -> Seen:
        """Look whether the alert is there no more."""
        del opening, end
        try:
            found = await self._client.firing(*self._matchers)
        except (Rejected, Unavailable) as error:
            return Seen(None, f"{error}. Does it run?")
        if found:
            return Seen(None, f"the alert still fires; it ends by itself after four minutes. {_PAGER}")
        return Seen("ok", "")


class ChannelWay:
    """One channel of the pager."""

    def __init__(self, name: str, route: Route, admin: AIOKafkaAdminClient, group: str, topic: str) -> None:
        self.name = f"channel/{name}"
        self._route = route
        self._admin = admin
        self._group = group
        self._topic = topic

    async def opening(self, opening: Place) -> Seen:
        """Look whether the service has taken the opening, unless the routes keep it from this channel."""
        event = opening.event
        if not self._route.wants(event, event.room_id):
            return Seen("skipped", "not for this channel: its severity, rooms or rules (see --rule, --room)")
        known = _moment(opening.known_ms)
        due = self._route.due(event, known)
        if due is not None and due > known:
            until = from_ms(round(due.timestamp() * 1000))
            return Seen("skipped", f"not before {until}: `after` or the quiet hours of this channel")
        return await self._look(opening)

    async def end(self, opening: Place, end: Place) -> Seen:
        """Look whether the service has taken the end."""
        if not self._route.wants(end.event, opening.event.room_id):
            return Seen("skipped", "this channel is not told of ends: resolved = false")
        return await self._look(end)

    async def _look(self, place: Place) -> Seen:
        where = TopicPartition(self._topic, place.partition)
        try:
            found = await self._admin.list_consumer_group_offsets(self._group, partitions=[where])
        except KafkaError as error:
            return Seen(None, f"its position cannot be read: {missing(error, 'Describe', self._group)}")
        kept = found.get(where)
        if kept is None or kept.offset < 0:
            return Seen(None, f"no pager has ever read for this channel. {_PAGER}")
        progress = Progress.from_mark(Mark(kept.offset, kept.metadata or ""))
        if not progress.has_done(place.offset):
            return Seen(None, f"not told yet. {_PAGER} Or the service does not answer, or asks to wait. {_CHECK}")
        match progress.outcomes.get(place.offset):
            case "sent":
                return Seen("ok", "")
            case "suppressed":
                return Seen("skipped", "the service has no place for such a notice")
            case None if not kept.metadata:
                return Seen("missing", "dealt with; this broker (the embedded one?) does not keep what came of it")
            case None:
                return Seen("missing", "passed over: the pager that runs has other routes than these settings")
            case other:
                return Seen("missing", f"{other}: the service has not taken it. {_CHECK}")


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
