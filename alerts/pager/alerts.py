"""The alerts of all fuses: told by fuse events, completed by fuse states after a start. Pure; the time is handed in.

    for each fuse event since long enough ago, in order     alerts.observe(event, known_ms)
    for each fuse state                                     alerts.complete(state, known_ms, now_ms)
    then, for each fuse event that comes                    alerts.observe(event, known_ms, live=True)

Guarantees: an event that is told twice changes nothing the second time. Shadow fuses have no alerts. There is one alert
for each identity: a fuse that opens again takes the place of its last opening, whose end needs no more telling then.
An opening whose severity or room is another one has an identity of its own, and both live side by side.
"""

from collections.abc import Iterator

from alerts.pager.alert import RESOLVED_FOR_MS, Alert, FuseKey, Identity
from schemas.events import FuseEvent, FuseState


class Alerts:
    """All alerts that fire, and those that have ended within the last minutes."""

    def __init__(self) -> None:
        self._by_identity: dict[Identity, Alert] = {}
        self._last: dict[FuseKey, Alert] = {}
        # The ends of openings that are not known, for a state that was written before such an end.
        self._over: dict[FuseKey, int] = {}

    def __len__(self) -> int:
        return len(self._by_identity)

    def __iter__(self) -> Iterator[Identity]:
        return iter(tuple(self._by_identity))

    def get(self, identity: Identity) -> Alert | None:
        """Return the alert of an identity; None when there is nothing more to say about it."""
        return self._by_identity.get(identity)

    def of(self, event: FuseEvent) -> Alert | None:
        """Return the alert of the opening that an event belongs to, if it is still known."""
        if event.rule is None:
            return None
        alert = self._last.get(FuseKey(event.product_id, event.rule, event.sku_id))
        return alert if alert is not None and alert.epoch == event.epoch else None

    def observe(self, event: FuseEvent, known_ms: int, *, live: bool = False) -> tuple[Identity, ...]:
        """Take an event in; return the identities of which something new is to be said."""
        if event.rule is None or event.epoch is None or event.shadow:
            return ()
        key = FuseKey(event.product_id, event.rule, event.sku_id)
        last = self._last.get(key)
        if event.type == "fuse.opened":
            return self._open(key, last, Alert(event, known_ms, live=live))
        if last is None or last.epoch != event.epoch:
            if event.type in {"fuse.probation", "fuse.closed"}:
                self._over[key] = event.epoch
            return ()
        if event.type == "fuse.acknowledged":
            if last.acknowledged_ms is None:
                last.acknowledged_ms = known_ms
                return (last.identity,)
        elif event.type in {"fuse.probation", "fuse.closed"} and last.ended_ms is None:
            last.ended_ms, last.ended_at = known_ms, event.occurred_at
            return (last.identity,)
        return ()

    def complete(self, state: FuseState, known_ms: int, now_ms: int) -> None:
        """Add what a state tells and no event did: fuses that are open, or have closed within the last minutes."""
        for entry in state.fuses:
            if entry.shadow or entry.epoch < 1:
                continue
            if entry.state != "open" and known_ms <= now_ms - RESOLVED_FOR_MS:
                continue
            key = FuseKey(state.product_id, entry.rule, entry.sku_id)
            last = self._last.get(key)
            if last is None or last.epoch < entry.epoch:
                if self._over.get(key, 0) >= entry.epoch and entry.state == "open":
                    continue
                self._open(key, last, Alert.from_state(state, entry, known_ms))

    def forget(self, now_ms: int) -> None:
        """Let go of alerts whose end has been told long enough."""
        over = [
            alert
            for alert in self._by_identity.values()
            if alert.ended_ms is not None and alert.ended_ms <= now_ms - RESOLVED_FOR_MS
        ]
        for alert in over:
            del self._by_identity[alert.identity]
            if self._last.get(alert.key) is alert:
                del self._last[alert.key]

    def _open(self, key: FuseKey, last: Alert | None, alert: Alert) -> tuple[Identity, ...]:
        changed = [alert.identity]
        if last is not None:
            if alert.epoch <= last.epoch:
                return ()
            if last.ended_ms is None:
                # Its end was missed. Whatever it was, it came before this opening.
                last.ended_ms, last.ended_at = alert.opened_ms, alert.opening.occurred_at
                changed.append(last.identity)
        self._last[key] = alert
        self._by_identity[alert.identity] = alert
        self._over.pop(key, None)
        return tuple(dict.fromkeys(changed))
